"""Arrays by name, of NumPy, PyTorch or JAX, compared with what a spec makes."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from xavinit.dtypes import DTYPES, STORED_DTYPES, name_dtype
from xavinit.errors import UsageError
from xavinit.formats import Contents, Index, StoredTensor
from xavinit.plan import Plan
from xavinit.reading import MemoryRange, compare_index
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.verdict import Compared, Verdict, judge
from xavinit.wording import format_choices, format_value

_PLACE = "arrays"  # what stands where a file's path would


def verify_arrays(
    arrays: Mapping[str, Any],
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> Verdict:
    """Compare arrays by name with the tensors of a spec: names, shapes, dtypes and every bit.

    An array is NumPy's, or anything that has `__array__` or `__dlpack__`, such as a tensor of
    PyTorch (on any device) or JAX. The names are those that the spec's framework gives.
    """
    started = time.perf_counter()
    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    stored = tuple(_store(name, array) for name, array in arrays.items())
    found = compare_index(Index(_PLACE, stored, {}), Contents(plan.tensors))
    compared = Compared(_PLACE, "arrays", "tensors", plan.tensors)
    return judge(plan, compared, found, jobs=jobs, started=started, progress=None)


def _store(name: object, array: Any) -> StoredTensor:
    if not isinstance(name, str):
        raise UsageError(f"the name of an array must be a text; got {format_value(name)}")
    kind = name_dtype(getattr(array, "dtype", None))
    if not isinstance(kind, str) or kind not in STORED_DTYPES or not STORED_DTYPES[kind].itemsize:
        given = type(array).__name__ if kind is None else kind
        raise UsageError(
            f"an array must be of a known dtype ({format_choices(DTYPES)}, …); "
            f"got {format_value(given)} for {format_value(name)}"
        )
    source = MemoryRange(_PLACE, _show_bytes(array))
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
