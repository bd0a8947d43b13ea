"""What loading into a model begins with: a plan in its framework's form, that fits the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from xavinit.dtypes import DTYPES
from xavinit.errors import MissingLibraryError, UsageError
from xavinit.plan import Plan
from xavinit.verbs.draw import find_array_type
from xavinit.verbs.prepare import make_overrides, make_plan, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

Shapes = Mapping[str, tuple[int, ...]]

MOST_NAMED = 5  # of each kind of fault, in a message


def make_plan_for(
    framework: str, spec: SpecSource | Plan, *, seed: Any, rng: Any, dtype: Any, dims: Any
) -> Plan:
    """The plan of a spec in a framework's form; or the plan given, which must be in it."""
    if not isinstance(spec, Plan):
        return make_plan(spec, seed=seed, rng=rng, dtype=dtype, framework=framework, dims=dims)
    plan, _ = take_plan(spec, make_overrides(seed, dtype, None, dims, rng))
    if plan.framework != framework:
        raise UsageError(f"the plan must be in the form of {framework}; got {plan.framework}")
    return plan


def import_library(name: str) -> Any:
    """A module of a framework, or `MissingLibraryError`."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise MissingLibraryError(f"this needs {library}: pip install {library}") from error


def check_match(drawn: Shapes, held: Shapes, optional: Collection[str] = ()) -> None:
    """Refuse tensors that are not exactly those of a model, by name and shape.

    `drawn` are the spec's, `held` the model's, of which the `optional` may lack in the spec.
    """
    missing = [name for name in held if name not in drawn and name not in optional]
    unexpected = [name for name in drawn if name not in held]
    both = [name for name in held if name in drawn]
    faults = {
        "missing": [format_value(name) for name in missing],
        "unexpected": [format_value(name) for name in unexpected],
        "of another shape": [
            f"{format_value(name)} ({list(drawn[name])} instead of {list(held[name])})"
            for name in both
            if drawn[name] != held[name]
        ],
    }
    told = "; ".join(f"{kind}: {_list_some(names)}" for kind, names in faults.items() if names)
    if told:
        raise UsageError(f"the spec's tensors must be those of the model; {told}")


def _list_some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def convert_array(name: str, array: Array, dtype: str) -> Array:
    """The array in the dtype of the model's, where that changes no number; or `UsageError`."""
    if array.dtype.name == dtype:
        return array
    if dtype not in DTYPES:  # such as complex64
        raise make_dtype_error(name, array.dtype.name, dtype)
    import numpy as np

    kind = find_array_type(dtype)
    with np.errstate(all="ignore"):  # what overflows does not come back, and is refused
        converted = array.astype(kind)
        unchanged = converted.astype(array.dtype).tobytes() == array.tobytes()
    if not unchanged:
        raise make_dtype_error(name, array.dtype.name, dtype)
    return converted


def make_dtype_error(name: str, drawn: str, held: str) -> UsageError:
    return UsageError(
        f"{format_value(name)} must keep its numbers, which {held} in the model cannot hold; "
        f"got {drawn} in the spec",
        hint="give the tensor in the spec, or the model, the dtype of the other",
    )
