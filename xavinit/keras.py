"""Keras: `load_into` draws a spec into a model, each tensor into the variable of its path.

Keras is not imported: whatever has `weights`, with `path`, `shape`, `dtype` and `assign`, will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from xavinit.errors import UsageError
from xavinit.plan import Plan
from xavinit.verbs.draw import draw
from xavinit.verbs.match import check_match, convert_array, make_plan_for
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value

Model = TypeVar("Model")


def load_into(
    model: Model,
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    rng: object = None,
    dtype: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> Model:
    """Draw every tensor of a spec into a Keras 3 model, in place; returns the model.

    The numbers are those of the file that `generate` writes with `framework="keras"`. Each goes
    into the variable of its path, such as `conv/kernel`, whatever the order of the layers; the
    model's own name before a path does not count. The spec must have exactly `model.weights`, by
    path and shape; the states of seed generators are none of them. On a failure the model is as
    before.

    Takes the arguments of `draw`. Dtypes stay the model's, and must hold the spec's numbers
    exactly: bfloat16 goes into float32, float32 not into bfloat16.

    Raises what `draw` raises; `UsageError` (a `ValueError`), which names the tensors, where the
    spec and the model do not fit.
    """
    plan = make_plan_for("keras", spec, seed=seed, rng=rng, dtype=dtype, dims=dims)
    held = _list_variables(model, {tensor.name for tensor in plan.tensors})
    check_match(
        {tensor.name: tensor.shape for tensor in plan.tensors},
        {name: tuple(variable.shape) for name, variable in held.items()},
    )
    arrays = {
        name: convert_array(name, array, str(held[name].dtype))
        for name, array in draw(plan, jobs=jobs).items()
    }
    for name, array in arrays.items():
        held[name].assign(array)
    return model


def _list_variables(model: Any, names: set[str]) -> dict[str, Any]:
    """The variables by the names that a spec gives them: their paths within the model."""
    if not hasattr(model, "weights"):
        raise UsageError(f"model must be a Keras model; got {format_value(model)}")
    if not getattr(model, "built", True):
        raise UsageError(
            f"the model must have its variables; got {format_value(model.name)}, not built",
            hint="call it once, or its method build",
        )
    held: dict[str, Any] = {}
    for variable in model.weights:
        path = variable.path
        # A Sequential and a subclass put their own name before, a functional model does not.
        name = path if path in names else path.removeprefix(f"{model.name}/")
        if name in held:
            raise UsageError(
                f"two variables of the model must not have one path; got {format_value(name)} twice"
            )
        held[name] = variable
    return held
