"""The public verbs that stay in memory: `make_plan` and `generate`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xavinit.errors import MissingLibraryError, SpecError, UsageError
from xavinit.plan import Plan, plan_spec
from xavinit.spec import Document, Overrides, copy_plain, load_document, resolve_spec
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

# A spec: the path of its file, `-` for standard input, or its data.
SpecSource = str | os.PathLike[str] | Mapping[str, Any]


def make_plan(
    spec: SpecSource,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
) -> Plan:
    """Read a spec and decide everything about every tensor, drawing nothing.

    Parameters:
        spec: the path of a YAML or JSON file, `-` for standard input, or the spec as a dict.
        seed: 0 … 2⁶⁴−1; replaces the spec's.
        dtype: replaces the dtype of the spec's `defaults`.
        framework: `pytorch`, `keras` or `flax`; replaces the spec's.
        dims: values for dims that the spec names.

    Raises `SpecError` (a `ValueError`) for a bad spec, with file, line and column; `UsageError`
    (a `ValueError`) for a bad argument; `InputError` where the file cannot be read.

    >>> plan = make_plan({"tensors": {"hidden.weight": [128, 784]}})
    >>> plan.tensors[0].fans, str(plan.tensors[0].law)
    (Fans(fan_in=784, fan_out=128), 'uniform ±0.0811107')
    """
    return _read_plan(load_document(spec), make_overrides(seed, dtype, framework, dims))


def _read_plan(document: Document, overrides: Overrides) -> Plan:
    with document.locating():
        plan = plan_spec(resolve_spec(document.data, overrides))
    for warning in plan.warnings:
        document.locate(warning)
    return plan


def generate(
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Array]:
    """Draw every tensor of a spec into memory.

    Takes the arguments of `make_plan` (or a plan made already), and `jobs`, the number of
    threads (all cores, at most 8). Returns the arrays by name in the spec's order. bfloat16 and
    float8 arrays need ml_dtypes, else `MissingLibraryError`.

    >>> weights = generate({"tensors": {"hidden.weight": [128, 784]}}, seed=42)
    >>> weights["hidden.weight"].shape, weights["hidden.weight"].dtype.name
    ((128, 784), 'float32')
    """
    import numpy as np

    from xavinit.output import Drawing, fill_arrays

    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    types = {name: _find_array_type(name) for name in {t.dtype.name for t in plan.tensors}}
    flat = {tensor.name: np.empty(tensor.nbytes, np.uint8) for tensor in plan.tensors}
    views = {name: memoryview(array) for name, array in flat.items()}  # type: ignore[arg-type]
    fill_arrays(views, Drawing(plan, jobs), lambda _: None)
    return {t.name: flat[t.name].view(types[t.dtype.name]).reshape(t.shape) for t in plan.tensors}


def take_plan(spec: SpecSource | Plan, overrides: Overrides) -> tuple[Plan, Document | None]:
    """The plan of a spec with its document, for errors found later; or the plan given."""
    if not isinstance(spec, Plan):
        document = load_document(spec)
        return _read_plan(document, overrides), document
    if overrides != Overrides():
        raise UsageError("a plan is made already: give seed, dtype, framework, dims to make_plan")
    return spec, None


def make_overrides(seed: object, dtype: object, framework: object, dims: object) -> Overrides:
    """The arguments as the spec's own data would be: plain, so that NumPy's integers will do."""
    if dims is not None and not isinstance(dims, Mapping):
        raise UsageError(f"dims must be a mapping; got {format_value(dims)}")
    for name, value in (("dtype", dtype), ("framework", framework)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} must be a string; got {format_value(value)}")
    try:
        return Overrides(copy_plain(seed), dtype, framework, copy_plain(dims or {}))  # type: ignore[arg-type]  # checked above
    except SpecError as error:
        raise UsageError(str(error)) from None


def _find_array_type(name: str) -> Any:
    import numpy as np

    if not name.startswith(("bfloat", "float8")):
        return np.dtype(name).newbyteorder("<")
    try:
        import ml_dtypes
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"{name} arrays need ml_dtypes: pip install ml_dtypes (files do not need it)"
        ) from error
    return np.dtype(getattr(ml_dtypes, name))
