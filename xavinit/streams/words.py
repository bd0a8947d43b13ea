"""Key → 64-bit words: Philox4x64-10 with random access, as NumPy guarantees it for ever.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". Only `random_raw` is used:
NumPy promises the integers of a bit generator, not the methods of `Generator`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Philox

Array = np.ndarray[Any, np.dtype[Any]]

_WORDS_A_BLOCK = 4


class Words:
    """The words of any key from any position. Not for two threads at once."""

    def __init__(self) -> None:
        # One generator whose state is set for every read: making a new one costs ten times as much.
        # Its numbers are in lists, which NumPy reads faster than arrays here.
        self._generator = Philox(key=0)
        self._counter, self._key = [0, 0, 0, 0], [0, 0]
        self._state: Any = {
            **self._generator.state,
            "state": {"counter": self._counter, "key": self._key},
            "buffer": [0, 0, 0, 0],
            "buffer_pos": _WORDS_A_BLOCK,  # nothing is buffered
        }

    def read(self, key: int, start: int, count: int) -> Array:
        """The words [start, start + count) of a key, as uint64.

        >>> [hex(word) for word in Words().read(0, 1, 2)]
        ['0x3dd62b0b9ca8c5b2', '0x1c8667a55d902e79']
        """
        block, skipped = divmod(start, _WORDS_A_BLOCK)
        # NumPy steps the counter before it uses it.
        self._counter[0] = block
        self._key[:] = key & (2**64 - 1), key >> 64
        self._generator.state = self._state
        words: Array = self._generator.random_raw(skipped + count)
        return words[skipped:]

    def read_halves(self, key: int, start: int, count: int) -> Array:
        """The 32-bit halves [start, start + count) of a key's words, low half first, as uint32."""
        first = start // 2
        words = self.read(key, first, (start + count + 1) // 2 - first)
        # The casts do nothing on a little-endian machine.
        halves = words.astype("<u8", copy=False).view("<u4").astype(np.uint32, copy=False)
        return halves[start - 2 * first :][:count]
