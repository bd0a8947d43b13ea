"""The verb that stays in memory: `draw`, from a spec to arrays by name."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from msgspec import structs

from xavinit.errors import MissingLibraryError, SpecError, UsageError
from xavinit.plan import Index, Plan, TensorPlan, cut_tensor, parse_index
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value, suggest

if TYPE_CHECKING:
    import numpy as np

    from xavinit.output import Drawing

    Array = np.ndarray[Any, np.dtype[Any]]


@overload
def draw(
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Array]: ...
@overload
def draw(
    spec: SpecSource | Plan,
    name: str,
    index: Index = ...,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> Array: ...
def draw(
    spec: SpecSource | Plan,
    name: str | None = None,
    index: Index = ...,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Array] | Array:
    """Draw every tensor of a spec into memory; or one tensor by its name, or a part of that.

    Takes the arguments of `make_plan` (or a plan made already), and `jobs`, the number of
    threads (all cores, at most 8). Returns the arrays by name in the spec's order. bfloat16 and
    float8 arrays need ml_dtypes, else `MissingLibraryError`.

    With a name, returns that tensor's array alone: as `draw(spec)[name]` would, but nothing else
    is drawn. `index` is one of integers, slices and an Ellipsis, as NumPy's basic indexing takes;
    the array is then `draw(spec)[name][index]`, and only these elements are drawn. So each process
    of many draws its own share of a tensor (docs/scale.md). To draw many parts, give a plan, which
    is made once. Raises `UsageError` for a name or an index that the spec does not have.

    >>> weights = draw({"tensors": {"hidden.weight": [128, 784]}}, seed=42)
    >>> weights["hidden.weight"].shape, weights["hidden.weight"].dtype.name
    ((128, 784), 'float32')
    >>> part = draw({"tensors": {"hidden.weight": [128, 784]}}, "hidden.weight", (5, ...), seed=42)
    >>> part.shape, bool((part == weights["hidden.weight"][5]).all())
    ((784,), True)
    """
    import numpy as np

    from xavinit.output import Drawing

    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    if name is None:
        if index is not ...:
            raise UsageError(f"an index needs the name of a tensor; got {format_value(index)}")
        return _draw_all(plan, Drawing(plan, jobs))
    tensor = find_tensor(plan, name)
    cut = parse_index(index, tensor.shape)
    drawing = Drawing(plan, jobs)
    if drawing.stream.is_ordered:  # one sequence, in which the tensor has its place
        return np.array(_draw_all(plan, drawing)[name][index])
    part = cut_tensor(tensor, cut)
    alone = structs.replace(plan, tensors=(part or tensor,))
    array = _draw_all(alone, Drawing(alone, jobs))[name]
    # Of a whole, a copy, so that the rest can go.
    return array.reshape(cut.shape) if part is not None else np.array(array[index])


def find_tensor(plan: Plan, name: object) -> TensorPlan:
    """The tensor of a name, or `UsageError`."""
    if isinstance(name, str):
        with contextlib.suppress(KeyError):
            return plan[name]
    hint = suggest(name, (tensor.name for tensor in plan.tensors))
    raise UsageError(f"the plan has no tensor {format_value(name)}", hint=hint)


def _draw_all(plan: Plan, drawing: Drawing) -> dict[str, Array]:
    import numpy as np

    from xavinit.output import fill_arrays

    types = {name: find_array_type(name) for name in {t.dtype.name for t in plan.tensors}}
    arrays = {t.name: _make_array(t, types[t.dtype.name]) for t in plan.tensors}
    views = {
        name: memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        for name, array in arrays.items()
    }
    fill_arrays(views, drawing, lambda _: None)
    return arrays


def _make_array(tensor: TensorPlan, kind: Any) -> Array:
    import numpy as np

    try:
        return np.empty(tensor.shape, kind)
    except ValueError as error:  # more dimensions, or elements beside an empty one, than it takes
        shape = format_value(list(tensor.shape))
        raise SpecError(
            f"a shape must be one that NumPy has arrays of; got {shape} for {tensor.name}"
        ) from error


def find_array_type(name: str) -> Any:
    """NumPy's dtype of a name, or `MissingLibraryError`."""
    import numpy as np

    if not name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return np.dtype(name).newbyteorder("<")
    try:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))  # the smallest are in newer releases alone
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"{name} arrays need ml_dtypes: pip install -U ml_dtypes (files do not need it)"
        ) from error
