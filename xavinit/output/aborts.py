"""Uploads that are not to be completed: all of them are aborted at once, by one moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from xavinit.stores import Upload
from xavinit.wording import explain_os_error

PATIENCE = 15.0  # seconds for all; who ends a process by SIGTERM often kills it after 30


class _Abort:
    """An upload that is being aborted, by a thread of its own."""

    def __init__(self, upload: Upload, end: float) -> None:
        self.error: BaseException | None = TimeoutError("the store does not answer")
        self._upload = upload
        self._end = end
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no more threads
            self._run()

    def wait(self) -> None:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, self._end - time.monotonic()))

    def _run(self) -> None:
        """Abort; after a fault that came soon, once more."""
        for _ in range(2):
            left = self._end - time.monotonic()
            if left <= 0:
                return
            try:
                self._upload.abort(left)
            except OSError as error:
                self.error = error
            except BaseException as error:  # which the caller gets
                self.error = error
                return
            else:
                self.error = None
                return


def abort_all(uploads: Mapping[str, Upload]) -> dict[str, OSError]:
    """Abort uploads, by their keys; return those that may be left, and why.

    No thread that was told to stop is needed for that, nor any that sends a part still.
    """
    end = time.monotonic() + PATIENCE
    aborts = {key: _Abort(upload, end) for key, upload in uploads.items()}
    for abort in aborts.values():
        abort.start()
    for abort in aborts.values():
        abort.wait()
    left: dict[str, OSError] = {}
    for key, abort in aborts.items():
        error = abort.error
        if isinstance(error, OSError):
            left[key] = error
        elif error is not None:
            raise error
    return left


def tell_left(left: Mapping[str, OSError]) -> str:
    """What may be left in the store.

    >>> tell_left({"w.safetensors": TimeoutError("the store does not answer")})
    'an unfinished upload of w.safetensors may be left (the store does not answer)'
    >>> tell_left({"a.npy": OSError("the store answers 400"), "b.npy": OSError("no")})
    '2 unfinished uploads may be left, such as that of a.npy (the store answers 400)'
    """
    key, error = next(iter(left.items()))
    reason = explain_os_error(error)
    if len(left) == 1:
        return f"an unfinished upload of {key} may be left ({reason})"
    return f"{len(left)} unfinished uploads may be left, such as that of {key} ({reason})"
