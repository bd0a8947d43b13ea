"""gs:// by the service's JSON requests, with google-auth's credentials.

Not by obstore: its uploads cannot be conditional, and it speaks a language (XML) that no emulator
understands, so that nothing of it could be tested here.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any
from urllib.parse import quote

from xavinit.stores.answers import understanding
from xavinit.stores.bounds import Pages, check_range
from xavinit.stores.gs_requests import ask, explain_fault, find_service, get_size, open_session
from xavinit.stores.gs_upload import GsUpload
from xavinit.stores.recognizing import is_same_content
from xavinit.stores.retrying import BusyError, persist
from xavinit.stores.store import ChangedError, Found, NoBucketError, make_found
from xavinit.stores.waiting import Requests

_PIECE = 1 << 20  # bytes read at a time


def make_store(bucket: str) -> GsStore:
    return GsStore(open_session(), find_service(), bucket)


class GsStore:
    """A bucket of Google's Cloud Storage."""

    def __init__(self, session: Any, service: str, bucket: str) -> None:
        self._session = session
        bucket = quote(bucket, safe="")
        self._url = f"{service}/storage/v1/b/{bucket}/o"
        self._upload_url = f"{service}/upload/storage/v1/b/{bucket}/o"
        self._requests = Requests()

    def _ask(self, method: str, url: str, **options: Any) -> Any:
        """The answer to a request, which is tried again where that may help."""
        call = partial(ask, self._session, method, url, **options)
        return persist(lambda failures: self._requests.run(call))

    def _get_url(self, key: str) -> str:
        return f"{self._url}/{quote(key, safe='')}"

    def find(self, key: str) -> Found | None:
        if not key:
            return None
        try:
            fields = {"fields": "size,generation"}
            answer = self._ask("GET", self._get_url(key), params=fields)
        except FileNotFoundError:
            return None
        with understanding():
            found = answer.json()
            return make_found(int(found["size"]), found["generation"])

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        if len(block):
            done = [0]
            call = partial(self._read_on, key, start, block, tag, done)
            persist(lambda failures: self._requests.run(call))

    def _read_on(self, key: str, start: int, block: memoryview, tag: str, done: list[int]) -> None:
        """Fill a block from where the last try ended."""
        first, end = start + done[0], start + len(block)
        options: dict[str, Any] = {
            "params": {"alt": "media", "ifGenerationMatch": tag},
            "headers": {"Range": f"bytes={first}-{end - 1}"},
        }
        try:
            answer = ask(self._session, "GET", self._get_url(key), stream=True, **options)
        except FileExistsError:
            raise ChangedError("the object has changed") from None
        with contextlib.closing(answer):
            if answer.headers.get("x-goog-generation", tag) != tag:
                raise ChangedError("the object has changed")
            with understanding():
                nbytes = int(answer.headers["Content-Length"])
            check_range(first, end, answer.headers.get("Content-Range"), nbytes)
            try:
                for piece in answer.iter_content(_PIECE):
                    block[done[0] : done[0] + len(piece)] = piece
                    done[0] += len(piece)
            except Exception as error:  # of libraries that are not ours
                raise explain_fault(error) from None
        if done[0] < len(block):
            raise BusyError("the connection failed")

    def list_names(self, prefix: str) -> list[str]:
        asked = {"prefix": prefix, "delimiter": "/"}
        asked["fields"] = "items/name,prefixes,nextPageToken"
        names: set[str] = set()
        pages = Pages()
        while True:
            answer = self._ask("GET", self._url, params=dict(asked))
            with understanding():
                page = answer.json()
                names |= {entry["name"] for entry in page.get("items") or []}
                names |= set(page.get("prefixes") or [])
                token = page.get("nextPageToken")
            if not token:
                return sorted(name.removeprefix(prefix) for name in names if name != prefix)
            pages.check(token)
            asked["pageToken"] = token

    def put(self, key: str, content: bytes, *, is_new: bool) -> None:
        asked = {"uploadType": "media", "name": key}
        if is_new:
            if self.find(key) is not None:  # the emulator does not look at the condition
                raise FileExistsError("there is such an object")
            asked["ifGenerationMatch"] = "0"
        call = partial(ask, self._session, "POST", self._upload_url, params=asked, data=content)
        call = partial(call, headers={"Content-Type": "application/octet-stream"})

        def request(failures: int) -> None:
            try:
                answer = self._requests.run(call)
            except FileExistsError:
                if not failures or not is_same_content(self, key, content):
                    raise
                return
            if get_size(answer) != len(content) and not is_same_content(self, key, content):
                raise BusyError("the store does not say that the object is there")

        persist(request)

    def start_upload(self, key: str, *, is_new: bool) -> GsUpload:
        return GsUpload(self._session, self._upload_url, key, self, is_new=is_new)

    def delete(self, key: str, tag: str = "") -> None:
        """Remove an object; where a tag is given, only while it has it."""
        condition = {"ifGenerationMatch": tag} if tag else {}
        try:
            self._ask("DELETE", self._get_url(key), params=condition)
        except NoBucketError:
            raise
        except FileNotFoundError:
            return  # as it is to be
