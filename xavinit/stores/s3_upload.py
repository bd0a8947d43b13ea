"""Multipart uploads to S3: each is completed once, or aborted, whatever answers are lost."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from xavinit.stopping import check_stop
from xavinit.stores.answers import understanding
from xavinit.stores.bodies import Body
from xavinit.stores.recognizing import TOKEN_NAME, make_token
from xavinit.stores.retrying import BusyError, persist, persist_until
from xavinit.stores.s3_requests import ask, forgo
from xavinit.stores.store import NotOfferedError, Store
from xavinit.stores.waiting import Requests

_POLL = 0.1  # seconds between two looks whether another thread has begun the upload
_GRACE = 3.0  # seconds that requests on their way get to end before an abort
_LATE = 5.0  # the same, where one of them begins an upload, whose name only its answer tells
_PATIENCE = 15.0  # seconds that a store is asked for uploads whose beginning it did not answer
_ABORTS = 3  # a part that arrives during an abort outlives it, says S3's manual
_SLACK = 2.0  # seconds; servers tell times in whole ones


class S3Upload:
    """An object that is being sent. Nothing is told to the store before the first part.

    So whoever has the upload can abort it, whichever thread began it and whatever was answered.
    """

    def __init__(self, client: Any, bucket: str, key: str, store: Store, *, is_new: bool) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._store = store
        self._is_new = is_new
        self._token = make_token()
        self._requests = Requests()
        self._beginning = threading.Lock()
        self._ids: list[str] = []  # what was begun; the last is used
        self._unanswered = 0  # beginnings of which nobody knows what became of them
        self._start = 0.0  # the moment of the first
        self._tags: dict[int, str] = {}
        self._bodies: dict[int, Body] = {}  # on their way, by number
        self._lock = threading.Lock()

    def _ask(self, name: str, **arguments: Any) -> Any:
        return ask(self._client, name, **self._place, **arguments)

    def put_part(self, number: int, content: memoryview) -> None:
        self._begin()
        upload_id = self._ids[-1]

        def request(failures: int) -> Any:
            body = Body(content)
            with self._lock:
                self._bodies[number] = body
            answer = self._requests.run(
                lambda: self._ask("upload_part", UploadId=upload_id, PartNumber=number, Body=body)
            )
            with self._lock:
                del self._bodies[number]
            return answer

        answer = persist(request)
        with understanding():
            self._tags[number] = answer["ETag"]

    def _begin(self) -> None:
        """Begin the upload, if no other thread has."""
        while not self._beginning.acquire(timeout=_POLL):
            check_stop()
        try:
            if not self._ids:
                self._create()
        finally:
            self._beginning.release()

    def _create(self) -> None:
        def create() -> None:
            try:
                answer = self._ask("create_multipart_upload", Metadata={TOKEN_NAME: self._token})
            except BusyError:
                raise  # it may have been done all the same
            except OSError:
                self._unanswered -= 1
                raise
            with understanding():
                self._ids.append(answer["UploadId"])
            self._unanswered -= 1

        def request(failures: int) -> None:
            self._unanswered += 1
            self._requests.run(create)

        self._start = time.monotonic()
        persist(request)
        if self._unanswered:
            # To list is another right than to write, and not every server does.
            with contextlib.suppress(PermissionError, NotOfferedError):
                self._abort_lost(self._ids[-1], time.monotonic() + _PATIENCE)
                self._unanswered = 0

    def complete(self) -> None:
        # Not every server looks at the condition of the request itself.
        if self._is_new and self._store.find(self._place["Key"]) is not None:
            raise FileExistsError("there is such an object")
        condition = {"IfNoneMatch": "*"} if self._is_new else {}
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(self._tags.items())]

        def request(failures: int) -> None:
            try:
                with forgo(condition):
                    answer = self._requests.run(
                        lambda: self._ask(
                            "complete_multipart_upload",
                            UploadId=self._ids[-1],
                            MultipartUpload={"Parts": parts},
                            **condition,
                        )
                    )
                # What stands between may answer with a page of its own.
                if not answer.get("ETag") and not self._is_complete():
                    raise BusyError("the store does not say that the upload is complete")
            except (FileExistsError, FileNotFoundError):
                if not failures or not self._is_complete():
                    raise
                return

        persist(request)

    def _is_complete(self) -> bool:
        """Does the object that stands there come from this upload?"""
        try:
            answer = persist(lambda failures: self._requests.run(lambda: self._ask("head_object")))
        except FileNotFoundError:
            return False
        metadata = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
        return bool(metadata.get(TOKEN_NAME) == self._token)

    def abort(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._lock:
            for body in self._bodies.values():
                body.stop()
        ended = self._requests.join(min(_LATE if self._unanswered else _GRACE, seconds / 3))
        is_any_lost = self._unanswered > 0  # before a late answer makes it an upload with a name
        for upload_id in tuple(self._ids):
            self._forget(upload_id, end)
        if is_any_lost:
            self._abort_lost("", end)
            if not ended:  # it may be begun later still
                raise TimeoutError("the store does not answer")

    def _forget(self, upload_id: str, end: float) -> None:
        """Abort an upload until the store does not know it any more."""
        for _ in range(_ABORTS):
            with contextlib.suppress(FileNotFoundError):
                self._try("abort_multipart_upload", end, UploadId=upload_id)
            try:
                self._try("list_parts", end, UploadId=upload_id)
            except (FileNotFoundError, PermissionError, NotOfferedError):
                return  # it is forgotten; or it was aborted, and the store does not tell
        raise OSError("the store has not forgotten an upload that was aborted")

    def _abort_lost(self, ours: str, end: float) -> None:
        """Abort uploads of the key that were begun since the first try, but for one of them.

        Where another run began one for the same key in the same seconds, it fails: one of the two
        would have lost anyway.
        """
        place = {"Bucket": self._place["Bucket"], "Prefix": self._place["Key"]}
        call = partial(ask, self._client, "list_multipart_uploads", **place)
        try:
            answer = persist_until(call, end)
        except FileNotFoundError:  # so rclone's server says that there is none
            return
        since = timedelta(seconds=time.monotonic() - self._start + _SLACK)
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        for upload in answer.get("Uploads", []):
            is_late = upload["Initiated"] >= now - since
            if upload["Key"] == self._place["Key"] and upload["UploadId"] != ours and is_late:
                with contextlib.suppress(FileNotFoundError):
                    self._try("abort_multipart_upload", end, UploadId=upload["UploadId"])

    def _try(self, name: str, end: float, **arguments: Any) -> Any:
        return persist_until(partial(self._ask, name, **arguments), end)
