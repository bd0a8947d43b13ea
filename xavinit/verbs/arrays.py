"""Arrays in memory, of NumPy, PyTorch or JAX, as the stored tensors that reading takes."""

from __future__ import annotations

import sys
from typing import Any

from xavinit.dtypes import DTYPES, STORED_DTYPES, name_dtype
from xavinit.errors import UsageError
from xavinit.formats import StoredTensor
from xavinit.reading import MemoryRange
from xavinit.wording import format_choices, format_value

PLACE = "arrays"  # what stands where a file's path would


def store_array(name: object, array: Any) -> StoredTensor:
    """An array as a stored tensor; `UsageError` where its name or dtype is none of a file's."""
    if not isinstance(name, str):
        raise UsageError(f"the name of an array must be a text; got {format_value(name)}")
    kind = name_dtype(getattr(array, "dtype", None))
    if not isinstance(kind, str) or kind not in STORED_DTYPES or not STORED_DTYPES[kind].itemsize:
        given = type(array).__name__ if kind is None else kind
        raise UsageError(
            f"an array must be of a known dtype ({format_choices(DTYPES)}, …); "
            f"got {format_value(given)} for {format_value(name)}"
        )
    source = MemoryRange(PLACE, _show_bytes(array))
    return StoredTensor(name, STORED_DTYPES[kind], tuple(array.shape), source)


def _show_bytes(array: Any) -> memoryview:
    """The elements, little-endian and in C order; copied only where they lie otherwise."""
    import numpy as np

    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):  # NumPy lacks some of its dtypes
        flat = array.detach().cpu().contiguous().reshape(-1)
        return memoryview(flat.view(torch.uint8).numpy())
    own = np.asarray(array) if hasattr(array, "__array__") else np.from_dlpack(array)
    if own.dtype.byteorder == ">" or (own.dtype.byteorder == "=" and sys.byteorder == "big"):
        own = own.astype(own.dtype.newbyteorder("<"))
    content = np.ascontiguousarray(own).reshape(-1).view(np.uint8)
    return memoryview(content)  # type: ignore[arg-type]  # it is a buffer
