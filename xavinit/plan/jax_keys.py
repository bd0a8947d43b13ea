"""A seed → the key of a tensor, as JAX and Flax make it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xavinit.plan.threefry import Key, fold_in

_WORD = 0xFFFFFFFF


def make_root(seed: int, *, is_wide: bool) -> Key:
    """`jax.random.key(seed)`: where 64-bit numbers are off, the last 32 bits alone count.

    >>> make_root(2**40 + 3, is_wide=False), make_root(2**40 + 3, is_wide=True)
    ((0, 3), (256, 3))
    """
    return ((seed >> 32) & _WORD if is_wide else 0, seed & _WORD)


def fold_path(key: Key, path: Sequence[str], count: int) -> Key:
    """The key that Linen gives the parameter of this place, from 1, in the module of this path.

    The bytes of the names, then of the count (big-endian, as few as it needs), are hashed by SHA-1,
    of which the first four bytes, big-endian, are folded in.

    >>> fold_path((0, 0), ("Dense_0",), 1)
    (3420669420, 4086072168)
    """
    named = "".join(path).encode() + count.to_bytes((count.bit_length() + 7) // 8, "big")
    digest = hashlib.sha1(named, usedforsecurity=False).digest()
    return fold_in(key, int.from_bytes(digest[:4], "big"))
