"""HDF5's filters undone here: a chunk never makes more bytes than it has elements for.

The library inflates a chunk to whatever size its bytes make, and reads beyond the end of one that
is too short. So it gives a chunk as it is stored, and each filter is undone here, to a size that is
known before: deflate, LZF (h5py's own), shuffle and Fletcher32. Others are refused by their names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.wording import cut

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32_000  # numbers that the HDF Group keeps
_COMPRESSORS = (_DEFLATE, _LZF)
_KNOWN = (*_COMPRESSORS, _SHUFFLE, _FLETCHER32)
_NAMES = {4: "szip", 5: "n-bit", 6: "scale-offset"}
_CHECKSUM = 4  # bytes
_SUMMED = 1 << 16  # words of a checksum added at once, in 64 bits


class Filter(Struct, frozen=True):
    """A filter by its number, and the numbers that it was set up with."""

    number: int
    values: tuple[int, ...] = ()


def parse_filters(found: Sequence[tuple[int, Sequence[int], bytes]]) -> tuple[Filter, ...]:
    """The filters of a dataset, (number, values, name), in the order in which they were applied.

    Raises `ValueError` for one that is not undone here, and for two of a kind: two compressors make
    of a few bytes more than can be checked before.
    """
    filters = tuple(Filter(number, tuple(values)) for number, values, _ in found)
    for number, _, name in found:
        if number not in _KNOWN:
            shown = _NAMES.get(number) or cut(name.decode("latin-1")) or f"of number {number}"
            raise ValueError(f"is packed by the filter {shown}, which is not read")
    numbers = [item.number for item in filters]
    if len(set(numbers)) < len(numbers) or sum(n in _COMPRESSORS for n in numbers) > 1:
        raise ValueError("is packed by one filter twice, or compressed twice, which is not read")
    return filters


def find_longest(nbytes: int) -> int:
    """The most bytes that a chunk of so many is stored in: deflate adds a little to noise."""
    return nbytes + nbytes // 8 + 1024


def undo_filters(filters: Sequence[Filter], mask: int, content: Bytes, nbytes: int) -> Bytes:
    """The bytes of a chunk, which must be so many. A bit of `mask` set: its filter was left out.

    Raises `ValueError` where the stored bytes are not those of such a chunk.
    """
    applied = [item for place, item in enumerate(filters) if not mask >> place & 1]
    while applied:
        item = applied.pop()
        # The bytes that the filters before it made: only a checksum adds any.
        before = nbytes + sum(_CHECKSUM for other in applied if other.number == _FLETCHER32)
        content = _UNDO[item.number](content, before, item.values)
    if len(content) != nbytes:
        raise ValueError(f"a chunk of {nbytes:,} bytes has {len(content):,}")
    return content


def _inflate(content: Bytes, nbytes: int, values: tuple[int, ...]) -> Bytes:
    import numpy as np

    inflater = zlib.decompressobj()
    try:
        made = inflater.decompress(content.data, nbytes + 1)
    except zlib.error as error:
        raise ValueError(f"a chunk cannot be inflated: {error}") from None
    if len(made) > nbytes:
        raise ValueError(f"a chunk inflates to over its {nbytes:,} bytes")
    if not inflater.eof:
        raise ValueError("a chunk is cut short")
    return np.frombuffer(made, np.uint8)


def _inflate_lzf(content: Bytes, nbytes: int, values: tuple[int, ...]) -> Bytes:
    """Marc Lehmann's LZF: runs of bytes as they are, and runs that stood before."""
    import numpy as np

    text, made, place = content.tobytes(), bytearray(), 0
    try:
        while place < len(text):
            code = text[place]
            place += 1
            if code < 32:
                if place + code >= len(text):
                    raise IndexError
                made += text[place : place + code + 1]
                place += code + 1
            else:
                length = code >> 5
                if length == 7:
                    length += text[place]
                    place += 1
                start = len(made) - ((code & 31) << 8 | text[place]) - 1
                place += 1
                if start < 0:
                    raise ValueError("a chunk refers to bytes before its first")
                length += 2
                run = made[start : start + length]
                made += run if len(run) == length else (run * length)[:length]
            if len(made) > nbytes:
                raise ValueError(f"a chunk inflates to over its {nbytes:,} bytes")
    except IndexError:
        raise ValueError("a chunk is cut short") from None
    return np.frombuffer(made, np.uint8)


def _unshuffle(content: Bytes, nbytes: int, values: tuple[int, ...]) -> Bytes:
    """First all first bytes of the elements, then all second ones …; what is left over last."""
    import numpy as np

    size = values[0] if values else 1
    count = len(content) // size if size > 1 else 0
    if count < 2:
        return content
    whole = content[: count * size].reshape(size, count).T.reshape(-1)
    return whole if len(whole) == len(content) else np.append(whole, content[count * size :])


def _check(content: Bytes, nbytes: int, values: tuple[int, ...]) -> Bytes:
    """Check a Fletcher32 checksum, which stands last, and leave it out."""
    import numpy as np

    if len(content) < _CHECKSUM:
        raise ValueError("a chunk is too short for its checksum")
    content, told = content[:-_CHECKSUM], content[-_CHECKSUM:].tobytes()
    first, second = compute_fletcher32(content)
    # Old versions of the library on little-endian machines swapped the bytes of each half.
    halves = (np.frombuffer(told, order).astype(np.int64) % 65535 for order in ("<u2", ">u2"))
    if not any((half == (first, second)).all() for half in halves):
        raise ValueError("the checksum of a chunk is wrong")
    return content


def compute_fletcher32(content: Bytes) -> tuple[int, int]:
    """The two sums, modulo 65535, of big-endian words of 16 bits; an odd byte is a word's first."""
    import numpy as np

    words = content[: len(content) // 2 * 2].view(">u2")
    weights = np.arange(_SUMMED, 0, -1, dtype=np.uint64)
    first = second = 0
    for start in range(0, len(words), _SUMMED):
        block = words[start : start + _SUMMED].astype(np.uint64)
        second += len(block) * first + int(np.dot(weights[-len(block) :], block))
        first += int(block.sum())
        first, second = first % 65535, second % 65535
    if len(content) % 2:
        first += int(content[-1]) << 8
        second += first
    return first % 65535, second % 65535


_UNDO: dict[int, Callable[[Bytes, int, tuple[int, ...]], Bytes]] = {
    _DEFLATE: _inflate,
    _SHUFFLE: _unshuffle,
    _FLETCHER32: _check,
    _LZF: _inflate_lzf,
}
