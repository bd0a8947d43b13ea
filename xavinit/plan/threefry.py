"""Threefry-2x32 with 20 rounds, the cipher behind JAX's keys and numbers.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". A key has two words of 32 bits,
and so have what is encrypted and what comes of it. The same function takes Python's integers and
NumPy's arrays of uint32.
"""

from __future__ import annotations

from typing import Any

Key = tuple[int, int]

_MASK = 0xFFFFFFFF
_PARITY = 0x1BD11BDA  # of the key schedule
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # of rounds 0–3 and 4–7, by turns


def encrypt(key: Key, first: Any, second: Any) -> tuple[Any, Any]:
    """Two words → two words.

    >>> [hex(word) for word in encrypt((0, 0), 0, 0)]
    ['0x6b200159', '0x99ba4efe']
    """
    words = (*key, key[0] ^ key[1] ^ _PARITY)
    first, second = (first + words[0]) & _MASK, (second + words[1]) & _MASK
    for turn in range(5):
        for distance in _ROTATIONS[turn % 2]:
            first = (first + second) & _MASK
            second = first ^ (((second << distance) & _MASK) | (second >> (32 - distance)))
        first = (first + words[(turn + 1) % 3]) & _MASK
        second = (second + ((words[(turn + 2) % 3] + turn + 1) & _MASK)) & _MASK
    return first, second


def fold_in(key: Key, number: int) -> Key:
    """`jax.random.fold_in`: a new key from a key and a number of 32 bits.

    >>> fold_in((0, 42), 1)
    (64467757, 2916123636)
    """
    first, second = encrypt(key, 0, number)
    return first, second
