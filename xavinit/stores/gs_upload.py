"""Uploads to Google's service: one session, which takes the parts in their order.

Its uploads in parts of any order cannot be conditional; a session is, and can be canceled. What was
begun and is neither is forgotten by the service after a week.
"""

from __future__ import annotations

import contextlib
import re
import threading
from functools import partial
from typing import Any

from xavinit.stopping import check_stop
from xavinit.stores.bodies import Body
from xavinit.stores.gs_requests import RESUME, ask
from xavinit.stores.recognizing import TOKEN_NAME, make_token
from xavinit.stores.retrying import BusyError, persist
from xavinit.stores.store import Reader
from xavinit.stores.waiting import Requests

_STEP = 256 << 10  # bytes; a chunk that is not the last is a multiple
_POLL = 0.1  # seconds between two looks whether the part before has been sent
_GRACE = 3.0  # seconds that requests on their way get to end before an abort
_ABORT_PATIENCE = 15.0  # seconds that an abort is tried


def start_upload(session: Any, url: str, key: str, store: Reader) -> GsUpload:
    """Begin a session: of an object that is to be what it is now, when the session ends."""
    found = store.find(key)
    before = found.tag if found is not None else "0"
    token = make_token()
    requests = Requests()
    call = partial(
        ask,
        session,
        "POST",
        url,
        params={"uploadType": "resumable", "name": key, "ifGenerationMatch": before},
        json={"metadata": {TOKEN_NAME: token}, "contentType": "application/octet-stream"},
    )
    answer = persist(lambda failures: requests.run(call))
    return GsUpload(session, answer.headers["Location"], before, partial(store.find, key))


class GsUpload:
    """An object that is being sent."""

    def __init__(self, session: Any, url: str, before: str, find: Any) -> None:
        self._session = session
        self._url = url
        self._before = before
        self._find = find
        self._requests = Requests()
        self._turn = threading.Condition()
        self._next = 1  # the number of the part that is sent next
        self._failed = False
        self._sent = 0  # bytes that the service has
        self._tail = b""  # bytes after them, which wait for more
        self._body: Body | None = None

    def put_part(self, number: int, content: memoryview) -> None:
        """Send a part when its turn has come: when all parts before it have been sent."""
        with self._turn:
            while self._next < number and not self._failed:
                self._turn.wait(_POLL)
                check_stop()
        if self._failed:
            raise OSError("an earlier part of the upload has failed")
        try:
            # The last bytes wait: the request that completes the object must bear some.
            whole = memoryview(self._tail + bytes(content))
            kept = (len(whole) - 1) % _STEP + 1 if len(whole) else 0
            self._send(whole[: len(whole) - kept])
            self._tail = bytes(whole[len(whole) - kept :])
        except BaseException:
            self._failed = True
            raise
        with self._turn:
            self._next = number + 1
            self._turn.notify_all()

    def _send(self, content: memoryview) -> None:
        """Send bytes that others follow; the answer says how many of all have been stored."""
        start = self._sent
        while self._sent < start + len(content):
            rest = content[self._sent - start :]

            def request(failures: int, rest: memoryview = rest) -> Any:
                # A second try sends bytes that the service may have: it skips those.
                return self._put(rest, "*")

            answer = persist(request)
            stored = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
            if answer.status_code != RESUME or stored is None:
                raise OSError("the store has ended an upload before its last part")
            place = int(stored[1]) + 1
            if not self._sent < place <= start + len(content):
                raise OSError("the store has other bytes than those that were sent")
            self._sent = place

    def _put(self, content: memoryview, total: str) -> Any:
        place = f"{self._sent}-{self._sent + len(content) - 1}" if content else "*"
        self._body = body = Body(content)
        headers = {"Content-Range": f"bytes {place}/{total}"}
        call = partial(ask, self._session, "PUT", self._url, data=body, headers=headers)
        return self._requests.run(call)

    def complete(self, *, is_new: bool) -> None:
        if is_new and (self._before != "0" or self._find() is not None):
            raise FileExistsError("there is such an object")
        total = self._sent + len(self._tail)

        def request(failures: int) -> None:
            try:
                self._put(memoryview(self._tail), str(total))
            except FileNotFoundError:
                # The session has ended: by the try whose answer was lost, or without an object.
                found = self._find()
                if not failures or found is None or found.tag == self._before:
                    raise
                if found.nbytes != total:
                    raise
            except FileExistsError:
                if not is_new:
                    raise OSError("another run has made the object meanwhile") from None
                raise

        persist(request)

    def abort(self) -> None:
        self._failed = True
        if self._body is not None:
            self._body.stop()
        self._requests.join(_GRACE)
        call = partial(ask, self._session, "DELETE", self._url)

        def request(failures: int) -> None:
            try:
                Requests().run(call, _ABORT_PATIENCE)
            except BusyError:
                raise
            except OSError as error:
                if "answers 499" not in str(error):  # which is the service's word for done
                    raise

        with contextlib.suppress(FileNotFoundError):
            persist(request, _ABORT_PATIENCE)
