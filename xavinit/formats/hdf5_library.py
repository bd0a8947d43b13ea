"""HDF5's library, h5py: import it when it is needed, find its types, map its errors."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from typing import Any

from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.errors import MissingLibraryError, XavinitError
from xavinit.formats.files import LARGEST_TEXT, explain_error
from xavinit.signals import hold_signals
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
        with hold_signals():  # such a large library catches, somewhere, what a signal raises
            import h5py
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"HDF5 needs a working h5py ({cut(' '.join(str(error).split()))}): pip install h5py"
        ) from error
    return h5py


def open_to_write(h5py: Any, path: str) -> Any:
    """A new HDF5 file at the path of a temporary, which is ours alone: no lock is needed.

    The library would take one, and fail on file systems that have none. The oldest structures: any
    reader takes the file, and groups of this kind keep no time stamps.
    """
    return h5py.File(path, "w", libver=("earliest", "v110"), locking=False)


def open_to_read(h5py: Any, path: str) -> Any:
    """An HDF5 file to read: with the library's lock, which tells of one that is being written.

    Where the file system has no locks it is read without: nobody else could have one either.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if _find_number(error) not in _NO_LOCKS:
            raise
    return h5py.File(path, "r", locking=False)


def open_window(h5py: Any, part: Any) -> Any:
    """An HDF5 file that is a part of another, or an object, to read through calls of Python."""
    return h5py.File(part, "r")


def is_text(h5py: Any, attribute: Any) -> bool:
    """Is it a single text? Reading a damaged shape or size could take for ever, or all memory."""
    kind = attribute.get_type()
    if kind.get_class() != h5py.h5t.STRING or attribute.shape != ():
        return False
    return bool(kind.is_variable_str()) or kind.get_size() <= LARGEST_TEXT


_NO_LOCKS = {
    getattr(errno, name)
    for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "ENOTSUP")
    if hasattr(errno, name)
}


def _find_number(error: Exception) -> int | None:
    """The system's number of an error; h5py often has it in the text alone."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    told = re.search(r"errno = ([1-9][0-9]*)", str(error))
    return int(told[1]) if told else None


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
        if isinstance(error, OSError) and error.errno:
            raise
        number = _find_number(error)
        if number is not None:
            raise OSError(number, os.strerror(number)) from error
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


def name_kind(h5py: Any, kind: Any) -> str:
    """What a type that is not read is, in words."""
    kinds = h5py.h5t
    names = {
        kinds.ENUM: "an enumeration",
        kinds.FLOAT: "a float",
        kinds.INTEGER: "an integer",
        kinds.BITFIELD: "a bit field",
        kinds.OPAQUE: "opaque bytes",
        kinds.ARRAY: "an array",
        kinds.TIME: "a time",
    }
    name = names.get(kind.get_class(), f"a type of class {kind.get_class()}")
    return f"{name} of {8 * kind.get_size():,} bits"
