"""Sequences → bytes: laws whose numbers are known, but not all one, in plain Python.

Whatever is as long as a tensor is left to C code of Python's: `array`, `map`, slices, products of
bytes. A loop here takes a step a number only where few bytes are asked for, or a number is many
elements.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice, product, repeat

from xavinit.dtypes import DType
from xavinit.layers import View, split_boxes
from xavinit.plan import Arange, LogArange, Sequence, Values
from xavinit.streams.elements import encode_constant
from xavinit.streams.logarithms import compute_log

_AT_ONCE = 1 << 14  # elements of a view
_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}  # codes of arrays by their bytes
_CODES = {
    "float64": "d",
    "float32": "f",
    "int64": "q",
    "int32": "i",
    "uint8": "B",
    "bool": "B",
}  # of arrays


def fill_sequence(
    out: memoryview, law: Sequence, dtype: DType, start: int, stop: int, view: View | None
) -> None:
    """Fill `out` with the bytes of the elements [start, stop), of a view or not.

    The elements come again after the law's length: a row, or all that there are.
    """
    length = law.length
    if view is not None:
        _fill_view(out, law, dtype, start, stop, view)
        return
    first, count = start % length, stop - start
    if first + count <= length:
        out[:] = _encode(law, dtype, first, first + count)
    elif count < length:
        out[:] = _encode(law, dtype, first, length) + _encode(law, dtype, 0, first + count - length)
    else:
        skipped = first * dtype.itemsize
        rows = _encode(law, dtype, 0, length) * ((first + count) // length + 1)
        out[:] = memoryview(rows)[skipped : skipped + len(out)]


def _fill_view(
    out: memoryview, law: Sequence, dtype: DType, start: int, stop: int, view: View
) -> None:
    """The same for a layer's tensor: an element by itself, a microsecond each."""
    done = 0
    for box in split_boxes([len(axis) for axis in view.axes], start, stop):
        axes = [axis[first:last] for axis, (first, last) in zip(view.axes, box, strict=True)]
        places = (sum(steps) % law.length for steps in product(*axes))
        codes = (_encode(law, dtype, place, place + 1) for place in places)
        while part := b"".join(islice(codes, _AT_ONCE)):
            out[done : done + len(part)] = part
            done += len(part)


def _encode(law: Sequence, dtype: DType, first: int, last: int) -> bytes:
    """The bytes of these elements of the law's length."""
    if isinstance(law, Arange):
        return _encode_arange(law, dtype, first, last)
    if isinstance(law, Values):
        return b"".join(encode_constant(value, dtype) for value in law.values[first:last])
    return _encode_logarithms(law, dtype)[first * dtype.itemsize : last * dtype.itemsize]


@lru_cache(maxsize=16)  # of `Values` it would take −0 for 0, to which it is equal
def _encode_logarithms(law: LogArange, dtype: DType) -> bytes:
    return b"".join(encode_constant(compute_log(k), dtype) for k in range(1, law.length + 1))


def _encode_arange(law: Arange, dtype: DType, first: int, last: int) -> bytes:
    size, times = dtype.itemsize, law.repeat
    low, high = first // times, -(-last // times)
    codes = _encode_numbers(law, dtype, low, high)
    if times == 1:
        return codes
    if times > high - low:  # few numbers, each many times
        return b"".join(
            codes[(index - low) * size : (index - low + 1) * size]
            * (min((index + 1) * times, last) - max(index * times, first))
            for index in range(low, high)
        )
    elements = array(_UNSIGNED[size], bytes(len(codes) * times))
    numbers = array(_UNSIGNED[size], codes)
    for index in range(times):
        elements[index::times] = numbers
    skipped = low * times
    return elements[first - skipped : last - skipped].tobytes()


def _encode_numbers(law: Arange, dtype: DType, low: int, high: int) -> bytes:
    """The bytes of the progression's numbers at these indices."""
    if dtype.name not in _CODES:
        return b"".join(_encode_runs(law, dtype, low, high))
    numbers: Iterable[int | float]
    if not law.is_integer:
        scaled = map(float(law.step).__mul__, map(float, range(low, high)))
        numbers = map(float(law.start).__add__, scaled)
    elif law.step:
        start, step = int(law.start), int(law.step)
        numbers = range(start + step * low, start + step * high, step)
    else:
        numbers = repeat(law.start, high - low)
    codes = array(_CODES[dtype.name], numbers)
    if sys.byteorder == "big":
        codes.byteswap()
    return codes.tobytes()


def _encode_runs(law: Arange, dtype: DType, low: int, high: int) -> Iterable[bytes]:
    """The same in a narrow float dtype, in which many neighbors may be one number: there are at
    most 2¹⁶, and the progression goes through them in one direction.
    """

    def encode(index: int) -> bytes:
        return encode_constant(law.compute(index), dtype)

    def find_end(first: int, code: bytes) -> int:
        rest = range(first, high)
        return first + bisect_left(rest, True, key=lambda index: encode(index) != code)

    while low < high:
        code = encode(low)
        end = low + 1
        if end < high and encode(end) == code:
            end = find_end(end, code)
        yield code * (end - low)
        low = end
