"""Flax: `load_into` draws a spec into a tree of variables, as a new tree.

Flax is not imported, and JAX not until it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xavinit.errors import UsageError
from xavinit.plan import Plan
from xavinit.verbs.draw import draw
from xavinit.verbs.held import is_random_state
from xavinit.verbs.match import check_match, convert_array, import_library, make_plan_for
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value

Place = tuple[str, ...]  # the keys that lead to a leaf


def load_into(
    variables: Mapping[str, Any],
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    rng: object = None,
    dtype: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Draw every tensor of a spec into a tree like a Linen model's variables: a new one.

    `variables` is what `model.init(…)` gives, all collections, or its shapes alone, from
    `jax.eval_shape(model.init, …)`. Returns nested dicts of JAX's arrays with the numbers of the
    file that `generate` writes with `framework="flax"`; a raw tensor, which names no collection,
    is one of `params`. The spec must have exactly the leaves of the tree, by name and shape.

    `variables` may also be the state of an NNX module, `nnx.state(module)`: the states of random
    generators are left out, and `nnx.replace_by_pure_dict` takes what is returned.

    Takes the arguments of `draw`. Dtypes are those of the tree, and must hold the spec's numbers
    exactly: bfloat16 goes into float32, float32 not into bfloat16.

    Raises what `draw` raises; `UsageError` (a `ValueError`), which names the tensors, where the
    spec and the tree do not fit.
    """
    plan = make_plan_for("flax", spec, seed=seed, rng=rng, dtype=dtype, dims=dims)
    if not isinstance(variables, Mapping):
        raise UsageError(f"variables must be a tree of mappings; got {format_value(variables)}")
    leaves = dict(_walk(variables, ()))
    held = {".".join(place): leaf for place, leaf in leaves.items()}
    # A raw tensor bears the same name in every framework.
    names = {
        t.name: f"params.{t.name}" if t.module is None and t.name not in held else t.name
        for t in plan.tensors
    }
    check_match(
        {names[tensor.name]: tensor.shape for tensor in plan.tensors},
        {name: tuple(leaf.shape) for name, leaf in held.items()},
    )
    arrays = {
        names[name]: convert_array(name, array, str(held[names[name]].dtype))
        for name, array in draw(plan, jobs=jobs).items()
    }
    make = import_library("jax.numpy").asarray
    tree: dict[str, Any] = {}
    for place in leaves:
        branch = tree
        for key in place[:-1]:
            branch = branch.setdefault(key, {})
        branch[place[-1]] = make(arrays[".".join(place)])
    return tree


def _walk(branch: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, Any]]:
    for key, value in branch.items():
        here = (*place, str(key))
        if isinstance(value, Mapping):
            yield from _walk(value, here)
        elif is_random_state(value):
            continue
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            yield here, value
        else:
            boxed = hasattr(value, "unbox")  # such as Partitioned
            raise UsageError(
                f"leaves of the tree must be arrays; got {format_value(value)} at "
                f"{format_value('.'.join(here))}",
                hint="take them out of their boxes with flax.linen.meta.unbox" if boxed else None,
            )
