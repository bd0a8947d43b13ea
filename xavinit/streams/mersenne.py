"""Seed → words of MT19937, from any state; a state is bytes, which both kernels read and write.

Matsumoto and Nishimura (1998), "Mersenne Twister". PyTorch seeds it by the authors' `init_genrand`
of 2002 with the last 32 bits of its seed. Only NumPy's `random_raw` is used: NumPy promises the
integers of a bit generator.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.random import MT19937

from xavinit.stopping import check_stop

Array = np.ndarray[Any, np.dtype[Any]]

WORDS = 624  # in a block
# The block; how many of its words are used; whether a normal is kept for the next small tensor, and
# it. `struct xv_mt` in _kernel_mt.h is the same.
_TAIL = struct.Struct("<IId")
STATE_BYTES = 4 * WORDS + _TAIL.size
_AT_ONCE = 1 << 20  # words that are skipped


def make_state(seed: int) -> bytearray:
    """The state of a seed, of which no word is used.

    >>> [hex(word) for word in draw_words(make_state(5489), 2)]
    ['0xd091bb5c', '0x22ae9ef6']
    """
    words, word = [], seed & 0xFFFFFFFF
    for index in range(1, WORDS + 1):
        words.append(word)
        word = (1812433253 * (word ^ (word >> 30)) + index) & 0xFFFFFFFF
    return bytearray(struct.pack(f"<{WORDS}I", *words) + _TAIL.pack(WORDS, 0, 0.0))


def draw_words(state: bytearray, count: int) -> Array:
    """The next words, as uint32; the state moves on."""
    place, has_kept, kept = _TAIL.unpack_from(state, 4 * WORDS)
    generator = MT19937()
    block = np.frombuffer(state, "<u4", WORDS).astype(np.uint32)
    generator.state = {"bit_generator": "MT19937", "state": {"key": block, "pos": place}}
    words: Array = generator.random_raw(count).astype(np.uint32)
    after: Any = generator.state["state"]
    state[: 4 * WORDS] = after["key"].astype("<u4").tobytes()
    _TAIL.pack_into(state, 4 * WORDS, after["pos"], has_kept, kept)
    return words


def skip_words(state: bytearray, count: int) -> None:
    """Move on by so many words."""
    while count:
        part = min(count, _AT_ONCE)
        draw_words(state, part)
        count -= part
        check_stop()


def take_kept(state: bytearray) -> float | None:
    """The normal that is kept, if one is; after that none is."""
    place, has_kept, kept = _TAIL.unpack_from(state, 4 * WORDS)
    _TAIL.pack_into(state, 4 * WORDS, place, 0, 0.0)
    return kept if has_kept else None


def keep(state: bytearray, value: float) -> None:
    """Keep a normal for the next small tensor."""
    (place, *_) = _TAIL.unpack_from(state, 4 * WORDS)
    _TAIL.pack_into(state, 4 * WORDS, place, 1, value)
