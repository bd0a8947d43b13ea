"""A seed → the key of a tensor, as JAX and Flax make it."""

from __future__ import annotations

from collections.abc import Sequence

from xavinit.plan.threefry import Key, fold_in

try:
    from _sha1 import sha1  # type: ignore[import-not-found]  # without OpenSSL: 2 ms to load
except ImportError:
    from hashlib import sha1

_WORD = 0xFFFFFFFF


def make_root(seed: int, *, is_wide: bool) -> Key:
    """`jax.random.key(seed)`: where 64-bit numbers are off, the last 32 bits alone count.

    >>> make_root(2**40 + 3, is_wide=False), make_root(2**40 + 3, is_wide=True)
    ((0, 3), (256, 3))
    """
    return ((seed >> 32) & _WORD if is_wide else 0, seed & _WORD)


def fold_path(key: Key, path: Sequence[str], count: int) -> Key:
    """The key that Linen gives the parameter of this place, from 1, in the module of this path.

    >>> fold_path((0, 0), ("Dense_0",), 1)
    (3043437727, 3662875008)
    """
    return fold_in(key, hash_path(path, count))


def hash_path(path: Sequence[str], count: int) -> int:
    """What Linen folds in: the first four bytes, big-endian, of SHA-1 of the names' bytes and then
    of the count's, big-endian, as few as it needs.
    """
    named = "".join(path).encode() + count.to_bytes((count.bit_length() + 7) // 8, "big")
    return int.from_bytes(sha1(named, usedforsecurity=False).digest()[:4], "big")
