"""Uploads to Google's service: one session, which takes the parts in their order.

Its uploads in parts of any order cannot be conditional; a session is, and can be canceled. What was
begun and is neither is forgotten by the service after a week.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from functools import partial
from typing import Any, Protocol

from xavinit.stopping import check_stop
from xavinit.stores.answers import understanding
from xavinit.stores.bodies import Body
from xavinit.stores.gs_requests import RESUME, CanceledError, ask, get_size, is_emulated
from xavinit.stores.recognizing import TOKEN_NAME, make_token
from xavinit.stores.retrying import BusyError, persist, persist_until
from xavinit.stores.store import Found
from xavinit.stores.waiting import Requests

_STEP = 256 << 10  # bytes; a chunk that is not the last is a multiple
_POLL = 0.1  # seconds between two looks whether the part before has been sent
_GRACE = 3.0  # seconds that requests on their way get to end before an abort
_LATE = 5.0  # the same of one that begins a session, whose URL only its answer tells


class Bucket(Protocol):
    """What an upload needs of the bucket that it is for."""

    def find(self, key: str) -> Found | None:
        """What stands under a key."""

    def delete(self, key: str, tag: str) -> None:
        """Remove an object while it has a tag."""


class GsUpload:
    """An object that is being sent. The session is begun with the first part.

    One that is to be new must be so when the session begins, and when it ends.
    """

    def __init__(self, session: Any, url: str, key: str, store: Bucket, *, is_new: bool) -> None:
        self._session = session
        self._begin_url = url
        self._key = key
        self._find = partial(store.find, key)
        self._delete = partial(store.delete, key)
        self._is_new = is_new
        self._is_begun = False
        self._url = ""  # of the session, once its beginning has been answered
        self._before = ""  # the tag of what stood there then
        self._requests = Requests()
        self._turn = threading.Condition()
        self._next = 1  # the number of the part that is sent next
        self._failed = False
        self._is_refused = False  # because there is such an object
        self._sent = 0  # bytes that the service has
        self._tail = b""  # bytes after them, which wait for more
        self._body: Body | None = None

    def _begin(self) -> None:
        found = self._find()
        if found is not None and self._is_new:
            raise FileExistsError("there is such an object")
        self._before = found.tag if found is not None else ""
        asked = {"uploadType": "resumable", "name": self._key}
        if self._is_new:
            asked["ifGenerationMatch"] = "0"
        content = {
            "metadata": {TOKEN_NAME: make_token()},
            "contentType": "application/octet-stream",
        }

        def create() -> None:
            answer = ask(self._session, "POST", self._begin_url, params=asked, json=content)
            with understanding():
                self._url = answer.headers["Location"]

        self._is_begun = True
        persist(lambda failures: self._requests.run(create))

    def put_part(self, number: int, content: memoryview) -> None:
        """Send a part when its turn has come: when all parts before it have been sent."""
        with self._turn:
            while self._next < number and not self._failed:
                self._turn.wait(_POLL)
                check_stop()
        if self._failed and self._is_refused:
            raise FileExistsError("there is such an object")
        if self._failed:
            raise OSError("an earlier part of the upload has failed")
        try:
            if number == 1:
                self._begin()
            # The last bytes wait: the request that completes the object must bear some.
            whole = memoryview(self._tail + bytes(content))
            kept = (len(whole) - 1) % _STEP + 1 if len(whole) else 0
            self._send(whole[: len(whole) - kept])
            self._tail = bytes(whole[len(whole) - kept :])
        except BaseException as error:
            self._is_refused = isinstance(error, FileExistsError)
            self._failed = True
            raise
        with self._turn:
            self._next = number + 1
            self._turn.notify_all()

    def _send(self, content: memoryview) -> None:
        """Send bytes that others follow; the answer says how many of all have been stored."""
        start = self._sent
        end = start + len(content)

        def request(failures: int) -> None:
            if failures and not is_emulated():
                self._note(self._put(memoryview(b""), "*"), end)
            if self._sent == end:
                return
            before = self._sent
            self._note(self._put(content[before - start :], "*"), end)
            if self._sent == before:
                raise BusyError("the store keeps no bytes of an upload")

        while self._sent < end:
            persist(request)

    def _put(self, content: memoryview, total: str) -> Any:
        """Send bytes from the place on that the service has come to."""
        place = f"{self._sent}-{self._sent + len(content) - 1}" if content else "*"
        self._body = body = Body(content)
        headers = {"Content-Range": f"bytes {place}/{total}"}
        call = partial(ask, self._session, "PUT", self._url, data=body, headers=headers)
        return self._requests.run(call)

    def _note(self, answer: Any, end: int) -> None:
        """Note how many bytes the service has, of those up to a place."""
        if answer.status_code != RESUME:
            self._remove(answer)
            raise OSError("the store has ended an upload before its last part")
        stored = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
        place = int(stored[1]) + 1 if stored is not None else 0
        if not self._sent <= place <= end:
            raise OSError("the store has other bytes than those that were sent")
        self._sent = place

    def complete(self) -> None:
        if self._is_new and self._find() is not None:
            raise FileExistsError("there is such an object")
        start, total = self._sent, self._sent + len(self._tail)

        def put(content: bytes, failures: int) -> bool:
            """Send what is left; is the object complete?"""
            try:
                answer = self._put(memoryview(content), str(total))
            except FileNotFoundError:
                # The session has ended: by the try whose answer was lost, or without an object.
                if not failures or not self._is_there(total):
                    raise
                return True
            if answer.status_code == RESUME:
                self._note(answer, total)
                return False
            self._check(answer, total)
            return True

        def request(failures: int) -> bool:
            if failures and not is_emulated() and put(b"", failures):  # asks what has arrived
                return True
            before = self._sent
            is_complete = put(self._tail[before - start :], failures)
            if not is_complete and self._sent == before:
                raise BusyError("the store keeps no bytes of an upload")
            return is_complete

        while not persist(request):
            pass

    def _check(self, answer: Any, total: int) -> None:
        """Is the object whole that the last answer tells of?"""
        nbytes = get_size(answer)
        if nbytes is None:
            if not self._is_there(total):
                raise BusyError("the store does not say that the upload is complete")
        elif nbytes != total:
            self._remove(answer)
            raise OSError("the store has made an object of other bytes than those sent")

    def _is_there(self, total: int) -> bool:
        """Does another object stand there than before, of so many bytes?"""
        found = self._find()
        return found is not None and found.tag != self._before and found.nbytes == total

    def _remove(self, answer: Any) -> None:
        """Remove the object that an answer tells of, which is not whole."""
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            self._delete(str(answer.json()["generation"]))

    def abort(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._failed = True
        if self._body is not None:
            self._body.stop()
        is_late = self._is_begun and not self._url
        self._requests.join(min(_LATE if is_late else _GRACE, seconds / 3))
        if not self._url:
            return  # not begun; or its answer is lost, and the service forgets it by itself
        with contextlib.suppress(FileNotFoundError, CanceledError):
            persist_until(partial(ask, self._session, "DELETE", self._url), end)
