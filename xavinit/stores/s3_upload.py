"""Multipart uploads to S3: each is completed once, or aborted, whatever answers are lost."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from xavinit.stores.bodies import Body
from xavinit.stores.recognizing import TOKEN_NAME, make_token
from xavinit.stores.retrying import BusyError, persist
from xavinit.stores.s3_requests import ask
from xavinit.stores.store import Store
from xavinit.stores.waiting import Requests

_GRACE = 3.0  # seconds that requests on their way get to end before an abort
_LATE = 5.0  # seconds that the answer to a beginning may come after an interrupt
_ABORT_PATIENCE = 15.0  # seconds that an abort is tried
_ABORTS = 3  # a part that arrives during an abort outlives it, says S3's manual
_SLACK = 2.0  # seconds; servers tell times in whole ones


def start_upload(client: Any, bucket: str, key: str, store: Store) -> S3Upload:
    """Begin an upload. One whose answer is lost, or comes too late, is aborted."""
    token = make_token()
    requests = Requests()
    place = {"Bucket": bucket, "Key": key}
    begun: list[str] = []
    failed = [False]
    start = time.monotonic()

    def create() -> None:
        answer = ask(client, "create_multipart_upload", **place, Metadata={TOKEN_NAME: token})
        begun.append(answer["UploadId"])

    def request(failures: int) -> None:
        failed[0] = failures > 0
        requests.run(create)

    try:
        persist(request)
    except BaseException:
        requests.join(_LATE)
        for upload_id in begun:
            S3Upload(client, place, upload_id, token, store).abort()
        with contextlib.suppress(OSError):  # the store does not work, which is being told
            _abort_lost(client, place, "", start)
        raise
    if failed[0]:
        with contextlib.suppress(PermissionError):  # to list is another right than to write
            _abort_lost(client, place, begun[-1], start)
    return S3Upload(client, place, begun[-1], token, store)


def _abort_lost(client: Any, place: dict[str, str], ours: str, start: float) -> None:
    """Abort uploads of the key that were begun since a moment, but for one of them.

    Where another run began one for the same key in the same seconds, it fails: one of the two
    would have lost anyway.
    """
    requests = Requests()

    def request(failures: int) -> Any:
        return requests.run(
            partial(
                ask, client, "list_multipart_uploads", Bucket=place["Bucket"], Prefix=place["Key"]
            ),
            _ABORT_PATIENCE,
        )

    answer = persist(request, _ABORT_PATIENCE)
    since = timedelta(seconds=time.monotonic() - start + _SLACK)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    for upload in answer.get("Uploads", []):
        is_late = upload["Initiated"] >= now - since
        if upload["Key"] == place["Key"] and upload["UploadId"] != ours and is_late:
            lost = {**place, "UploadId": upload["UploadId"]}
            with contextlib.suppress(FileNotFoundError):
                requests.run(
                    partial(ask, client, "abort_multipart_upload", **lost), _ABORT_PATIENCE
                )


class S3Upload:
    """An object that is being sent."""

    def __init__(
        self, client: Any, place: dict[str, str], upload_id: str, token: str, store: Store
    ) -> None:
        self._client = client
        self._place = place
        self._id = upload_id
        self._token = token
        self._store = store
        self._requests = Requests()
        self._tags: dict[int, str] = {}
        self._bodies: dict[int, Body] = {}  # on their way, by number
        self._lock = threading.Lock()

    def _ask(self, name: str, **arguments: Any) -> Any:
        return ask(self._client, name, **self._place, UploadId=self._id, **arguments)

    def put_part(self, number: int, content: memoryview) -> None:
        def request(failures: int) -> Any:
            body = Body(content)
            with self._lock:
                self._bodies[number] = body
            answer = self._requests.run(
                lambda: self._ask("upload_part", PartNumber=number, Body=body)
            )
            with self._lock:
                del self._bodies[number]
            return answer

        self._tags[number] = persist(request)["ETag"]

    def complete(self, *, is_new: bool) -> None:
        # Not every server looks at the condition of the request itself.
        key = self._place["Key"]
        if is_new and self._store.find(key) is not None:
            raise FileExistsError("there is such an object")
        condition = {"IfNoneMatch": "*"} if is_new else {}
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(self._tags.items())]

        def request(failures: int) -> None:
            try:
                self._requests.run(
                    lambda: self._ask(
                        "complete_multipart_upload",
                        MultipartUpload={"Parts": parts},
                        **condition,
                    )
                )
            except (FileExistsError, FileNotFoundError):
                if not failures or not self._is_complete():
                    raise
            except NotImplementedError:  # the server takes no condition, and says so
                if not condition:
                    raise
                condition.clear()
                raise BusyError("the store takes no condition") from None

        persist(request)

    def _is_complete(self) -> bool:
        """Does the object that stands there come from this upload?"""
        try:
            answer = persist(
                lambda failures: self._requests.run(
                    lambda: ask(self._client, "head_object", **self._place)
                )
            )
        except FileNotFoundError:
            return False
        metadata = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
        return bool(metadata.get(TOKEN_NAME) == self._token)

    def abort(self) -> None:
        with self._lock:
            for body in self._bodies.values():
                body.stop()
        self._requests.join(_GRACE)
        for _ in range(_ABORTS):
            with contextlib.suppress(FileNotFoundError):
                self._try_to_end("abort_multipart_upload")
            try:
                self._try_to_end("list_parts")
            except FileNotFoundError:
                return
        raise OSError("the store has not forgotten an upload that was aborted")

    def _try_to_end(self, name: str) -> None:
        requests = Requests()
        call = partial(self._ask, name)
        persist(lambda failures: requests.run(call, _ABORT_PATIENCE), _ABORT_PATIENCE)
