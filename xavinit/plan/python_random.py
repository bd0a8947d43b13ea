"""Python's own generator, `random.seed(s)` and `random.randint`, written out.

Python promises no numbers of `randint` from release to release, and a plan is the same in all of
them. It is MT19937 (Matsumoto and Nishimura, 1998) seeded by `init_by_array` with the 32-bit parts
of the seed; `randint` throws bits until they are a number of the range.
"""

from __future__ import annotations

_WORDS, _MIDDLE = 624, 397
_MASK = 0xFFFFFFFF


class PythonRandom:
    """The generator after `random.seed(seed)`; the seed is at least 0.

    >>> PythonRandom(1234).draw(1, 10**9)
    835549144
    """

    def __init__(self, seed: int) -> None:
        self._words = _seed(seed)
        self._place = _WORDS

    def draw(self, least: int, largest: int) -> int:
        """What `random.randint(least, largest)` gives, of a range of at most 2³² numbers."""
        count = largest - least + 1
        bits = count.bit_length()
        while True:
            number = self._next() >> (32 - bits)
            if number < count:
                return least + number

    def _next(self) -> int:
        if self._place == _WORDS:
            _step(self._words)
            self._place = 0
        y = self._words[self._place]
        self._place += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)


def _seed(seed: int) -> list[int]:
    """`init_by_array` of the authors' program of 2002."""
    key = [seed & _MASK]
    while seed := seed >> 32:
        key.append(seed & _MASK)
    words = [19650218]
    for index in range(1, _WORDS):
        last = words[-1]
        words.append((1812433253 * (last ^ (last >> 30)) + index) & _MASK)
    i, j = 1, 0
    for _ in range(max(_WORDS, len(key))):
        last = words[i - 1]
        words[i] = ((words[i] ^ ((last ^ (last >> 30)) * 1664525)) + key[j] + j) & _MASK
        i, j = i + 1, (j + 1) % len(key)
        if i == _WORDS:
            words[0], i = words[-1], 1
    for _ in range(_WORDS - 1):
        last = words[i - 1]
        words[i] = ((words[i] ^ ((last ^ (last >> 30)) * 1566083941)) - i) & _MASK
        i += 1
        if i == _WORDS:
            words[0], i = words[-1], 1
    words[0] = 0x80000000
    return words


def _step(words: list[int]) -> None:
    """The next block of words in place."""
    for i in range(_WORDS):
        joined = (words[i] & 0x80000000) | (words[(i + 1) % _WORDS] & 0x7FFFFFFF)
        odd = 0x9908B0DF if joined & 1 else 0
        words[i] = words[(i + _MIDDLE) % _WORDS] ^ (joined >> 1) ^ odd
