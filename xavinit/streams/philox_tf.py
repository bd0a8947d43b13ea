"""A seed of TensorFlow's stateless numbers → the key of its cipher, in plain Python.

The cipher is Philox4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3").
TensorFlow enciphers the seed first, by a key of its own, so that seeds that are neighbors have keys
that are not.
"""

from __future__ import annotations

import struct
from functools import lru_cache

# Table 2 of the paper: the multipliers, and what each round adds to the key.
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
STEPS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
# Of StatelessRandomGetKeyCounter: tensorflow/core/kernels/stateless_random_ops.cc.
SCRAMBLE = 0x3EC8F720, 0x02461E29
# Keras takes its seeds modulo tf.int32.max − 1: keras/src/backend/tensorflow/random.py.
MODULUS = 2**31 - 2

_MASK = 0xFFFFFFFF


def encipher(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, ...]:
    """The four words of a block.

    >>> [hex(word) for word in encipher((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    (x0, x1, x2, x3), (k0, k1) = counter, key
    for _ in range(ROUNDS):
        p, q = x0 * MULTIPLIERS[0], x2 * MULTIPLIERS[1]
        x0, x1, x2, x3 = q >> 32 ^ x1 ^ k0, q & _MASK, p >> 32 ^ x3 ^ k1, p & _MASK
        k0, k1 = (k0 + STEPS[0]) & _MASK, (k1 + STEPS[1]) & _MASK
    return x0, x1, x2, x3


@lru_cache(maxsize=256)
def make_key(seed: int) -> bytes:
    """The key of an initializer's seed: the cipher's two words, and the counter's upper two."""
    low = seed % MODULUS
    return struct.pack("<4I", *encipher((low, 0, 0, 0), SCRAMBLE))
