"""The header of a `.npy` file, or of an array in an archive or a pipe: read by NumPy."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.errors import InputError
from xavinit.formats.files import explain_error
from xavinit.formats.stored import PlainRange, find_odd_shape
from xavinit.formats.strided import StridedRange, find_strides
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    from xavinit.places import Version

MAGIC = b"\x93NUMPY"
LONGEST_HEAD = 16_384  # bytes that are looked at: a magic, a length, a header
_LONGEST_HEADER = 10_000  # bytes, as NumPy's own limit


class Header(Struct, frozen=True):
    """What a header says; the elements begin at `start`."""

    start: int
    dtype: DType
    shape: tuple[int, ...]
    is_fortran: bool  # where that differs from C order
    is_swapped: bool

    @property
    def nbytes(self) -> int:
        """Of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_header(path: str, head: bytes | bytearray) -> Header:
    """What the first bytes of a file say; `InputError` names the file by its path."""
    file = io.BytesIO(head)
    dtype, shape, is_fortran = _read_header(path, file)
    known = STORED_DTYPES.get(dtype.name)
    if known is None or dtype.itemsize != known.itemsize or dtype.hasobject:
        raise InputError(f"{path} is of dtype {format_value(str(dtype))}, unknown to xavinit")
    is_fortran = is_fortran and sum(number > 1 for number in shape) > 1
    return Header(file.tell(), known, shape, is_fortran, dtype.str.startswith(">"))


def find_source(
    path: str, header: Header, offset: int = 0, version: Version | None = None
) -> PlainRange | StridedRange:
    """Where the elements lie in a file at whose offset the header begins."""
    offset += header.start
    if not (header.is_swapped or header.is_fortran):
        return PlainRange(path, offset, version)
    strides = find_strides(header.shape, is_fortran=header.is_fortran)
    return StridedRange(path, offset, strides, header.is_swapped, version)


def _read_header(path: str, file: io.BytesIO) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """What NumPy reads; the file then stands behind the header."""
    from numpy.lib import format as numpy_format

    readers = {
        (1, 0): numpy_format.read_array_header_1_0,
        (2, 0): numpy_format.read_array_header_2_0,
    }
    try:
        version = numpy_format.read_magic(file)
        if version not in readers:
            raise ValueError(f"its version is {version[0]}.{version[1]}")
        with warnings.catch_warnings():  # of headers that Python 2 wrote
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = readers[version](file, max_header_size=_LONGEST_HEADER)
        if not all(type(number) is int and number >= 0 for number in shape):
            raise ValueError(f"its shape must be of sizes; got {format_value(shape)}")
        if fact := find_odd_shape(shape):
            raise ValueError(f"it {fact}")
    except Exception as error:  # Python parses the header, which may raise nearly anything
        raise InputError(f"{path} is not a sound npy file: {explain_error(error)}") from error
    return dtype, shape, is_fortran
