"""The verb that stays in memory: `draw`, from a spec to arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xavinit.errors import MissingLibraryError, SpecError
from xavinit.plan import Plan, TensorPlan
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


def draw(
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Array]:
    """Draw every tensor of a spec into memory.

    Takes the arguments of `make_plan` (or a plan made already), and `jobs`, the number of
    threads (all cores, at most 8). Returns the arrays by name in the spec's order. bfloat16 and
    float8 arrays need ml_dtypes, else `MissingLibraryError`.

    >>> weights = draw({"tensors": {"hidden.weight": [128, 784]}}, seed=42)
    >>> weights["hidden.weight"].shape, weights["hidden.weight"].dtype.name
    ((128, 784), 'float32')
    """
    import numpy as np

    from xavinit.output import Drawing, fill_arrays

    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims, rng))
    types = {name: find_array_type(name) for name in {t.dtype.name for t in plan.tensors}}
    arrays = {t.name: _make_array(t, types[t.dtype.name]) for t in plan.tensors}
    views = {
        name: memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        for name, array in arrays.items()
    }
    fill_arrays(views, Drawing(plan, jobs), lambda _: None)
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

    if not name.startswith(("bfloat", "float8")):
        return np.dtype(name).newbyteorder("<")
    try:
        import ml_dtypes
    except Exception as error:  # not installed, or whatever a broken or mismatched build raises
        raise MissingLibraryError(
            f"{name} arrays need ml_dtypes: pip install ml_dtypes (files do not need it)"
        ) from error
    return np.dtype(getattr(ml_dtypes, name))
