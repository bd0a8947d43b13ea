"""HDF5's library, h5py: import it when it is needed, find its types, map its errors."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.errors import MissingLibraryError, XavinitError
from xavinit.formats.files import explain_error
from xavinit.wording import cut

# NumPy's code of each dtype that h5py makes a type of.
_NUMPY = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint64": "<u8",
    "uint32": "<u4",
    "uint16": "<u2",
    "uint8": "|u1",
    "bool": "|b1",
    "complex128": "<c16",
    "complex64": "<c8",
}


def import_h5py() -> Any:
    """h5py, or an error that says what to do."""
    try:
        import h5py
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"HDF5 needs a working h5py ({cut(' '.join(str(error).split()))}): pip install h5py"
        ) from error
    return h5py


@contextlib.contextmanager
def map_errors() -> Iterator[None]:
    """Make an `OSError` of one line of whatever h5py raises, with the system's number if known.

    For a damaged file or a full disk, different places raise RuntimeError, KeyError, ValueError,
    AttributeError, TypeError and others.
    """
    try:
        yield
    except XavinitError:
        raise
    except Exception as error:
        number = re.search(r"errno = ([0-9]+)", str(error))
        if isinstance(error, OSError) and error.errno:
            raise
        if number:
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        raise OSError(explain_error(error)) from error


def has_type(dtype: DType) -> bool:
    """Has HDF5 a form for it?"""
    return dtype.name in _NUMPY or dtype.name == "bfloat16"


def make_type(h5py: Any, dtype: DType) -> Any:
    """The HDF5 type of a dtype."""
    if dtype.name == "bfloat16":
        # sign, 8 bits of exponent with bias 127, 7 of mantissa; h5py reads it as float32
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_size(2)
        kind.set_ebias(127)
        return kind
    import numpy

    # The type that h5py itself chooses, so that it reads back as NumPy's: bool is an enumeration.
    return h5py.h5t.py_create(numpy.dtype(_NUMPY[dtype.name]), logical=True)


def list_types(h5py: Any) -> list[tuple[Any, DType, bool]]:
    """Each HDF5 type that is read, its dtype, and whether its bytes are in big-endian order."""
    import numpy

    dtypes = [dtype for dtype in STORED_DTYPES.values() if has_type(dtype)]
    types = [(make_type(h5py, dtype), dtype, False) for dtype in dtypes]
    for dtype in dtypes:
        if dtype.kind == "complex":
            code = numpy.dtype(_NUMPY[dtype.name]).newbyteorder(">")
            types.append((h5py.h5t.py_create(code, logical=True), dtype, True))
        elif dtype.kind != "bool":
            kind = make_type(h5py, dtype).copy()
            kind.set_order(h5py.h5t.ORDER_BE)
            types.append((kind, dtype, True))
    return types
