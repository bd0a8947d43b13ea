"""The content of a request, as a file that a library reads while it sends."""

from __future__ import annotations

import os

_LEAST = 256 << 10  # bytes of a read; libraries ask for 16 KiB, each at the cost of a call


class Body:
    """Bytes that are sent without a copy. `stop` ends a request that is on its way."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._place = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._content)

    def stop(self) -> None:
        self._stopped = True

    def read(self, size: int | None = -1) -> memoryview:
        if self._stopped:
            raise OSError("stopped")
        start = self._place
        end = len(self) if size is None or size < 0 else start + max(size, _LEAST)
        self._place = min(end, len(self))
        return self._content[start : self._place]

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self)}
        self._place = max(0, min(starts[whence] + offset, len(self)))
        return self._place
