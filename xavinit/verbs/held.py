"""What a model in memory holds: its tensors, by the names that loading into it takes.

No framework is imported: whatever has the attributes of a module of PyTorch, a model of Keras or a
tree of variables will do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from xavinit.dtypes import name_dtype
from xavinit.errors import UsageError
from xavinit.wording import format_value

DEEPEST = 64  # mappings in each other
KINDS = (
    "the path of a weights file, a torch.nn.Module, a Keras model, a Flax NNX module, or a mapping "
    "of names to arrays, nested or not"
)

Place = tuple[str | int, ...]  # the keys that lead to a leaf


class HeldTensor(Struct, frozen=True):
    """A tensor in memory; `tied` names an earlier one that is the same memory."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    value: Any
    tied: str | None = None


class Held(Struct, frozen=True):
    """The tensors of a model in its order, what it is called, and its weights' layout if known."""

    tensors: tuple[HeldTensor, ...]
    title: str = ""
    layout: str | None = None


def list_held(source: Any) -> Held:
    """The tensors of a module, a model or a mapping; `UsageError` where it is none of them."""
    if isinstance(source, Mapping):
        return Held(_describe_all(_list_leaves(source), find_owners=True))
    if hasattr(source, "weights") and hasattr(source, "built"):
        return Held(_describe_all(name_variables(source)), source.name, "in_out")
    if hasattr(source, "state_dict") and hasattr(source, "named_parameters"):
        # The parameters themselves: on the device meta, being the same object is all that shows
        # that two are one.
        state = source.state_dict(keep_vars=True).items()
        found = {name: tensor for name, tensor in state if hasattr(tensor, "copy_")}
        return Held(_describe_all(found, find_owners=True), type(source).__name__)
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(source, nnx.Module):
        return Held(_describe_all(_list_leaves(nnx.state(source))), type(source).__name__)
    linen = sys.modules.get("flax.linen")
    if linen is not None and isinstance(source, linen.Module):
        raise UsageError(
            f"a Linen module has no variables; got {format_value(type(source).__name__)}",
            hint="give those of module.init(…), or of jax.eval_shape(module.init, …)",
        )
    raise UsageError(f"derive takes {KINDS}; got {format_value(source)}")


def name_variables(model: Any) -> dict[str, Any]:
    """The variables of a Keras model by their paths within it.

    A Sequential and a subclass put their own name before, a functional model does not: it is left
    out, unless a path would then be another variable's.
    """
    if not model.built:
        raise UsageError(
            f"the model must have its variables; got {format_value(model.name)}, not built",
            hint="call it once, or its method build",
        )
    paths = [variable.path for variable in model.weights]
    names = [path.removeprefix(f"{model.name}/") for path in paths]
    if any(name != path and name in paths for name, path in zip(names, paths, strict=True)):
        names = paths
    found: dict[str, Any] = {}
    for name, variable in zip(names, model.weights, strict=True):
        if name in found:
            raise UsageError(
                f"two variables of the model must not have one path; got {format_value(name)} twice"
            )
        found[name] = variable
    return found


def walk_leaves(branch: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The leaves of a tree of mappings, but the states of random generators (Flax NNX)."""
    if len(place) > DEEPEST:
        raise UsageError(f"mappings must be at most {DEEPEST} deep in each other; got more")
    for key, value in branch.items() if isinstance(branch, Mapping) else enumerate(branch):
        here = (*place, key)
        if isinstance(value, Mapping) or _is_list_of_leaves(value):
            yield from walk_leaves(value, here)
        elif not is_random_state(value):
            yield here, value


def is_random_state(value: object) -> bool:
    """Is it the key or the count of a random generator of Flax NNX, and so no weight?"""
    return any(kind.__name__ == "RngState" for kind in type(value).__mro__)


def _is_list_of_leaves(value: object) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, Mapping | list | tuple) or hasattr(item, "shape") for item in value
    )


def _list_leaves(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """The leaves by their keys, joined by dots."""
    found: dict[str, Any] = {}
    for place, value in walk_leaves(tree):
        for key in place:
            # Lists in a tree, and those of Flax NNX, are counted.
            if not isinstance(key, str) and not (isinstance(key, int) and len(place) > 1):
                raise UsageError(f"the name of a tensor must be a string; got {format_value(key)}")
        name = ".".join(map(str, place))
        if name in found:
            raise UsageError(f"two tensors must not have one name; got {format_value(name)} twice")
        found[name] = value
    return found


def _describe_all(
    values: Mapping[str, Any], *, find_owners: bool = False
) -> tuple[HeldTensor, ...]:
    first: dict[object, str] = {}
    found = []
    for name, value in values.items():
        shape, dtype = _describe(name, value)
        tied = None
        if find_owners and (place := _find_place(value)) is not None:
            owner = first.setdefault((*place, dtype, shape), name)
            tied = None if owner == name else owner
        found.append(HeldTensor(name, shape, dtype, value, tied))
    return tuple(found)


def _describe(name: str, value: Any) -> tuple[tuple[int, ...], str]:
    """The shape and the dtype of anything that has both."""
    try:
        shape, dtype = value.shape, name_dtype(value.dtype)
        sizes = tuple(int(size) for size in shape)
    except (AttributeError, TypeError, ValueError, RuntimeError):  # a lazy parameter of PyTorch's
        sizes = None
    if sizes is None or dtype is None or any(size < 0 for size in sizes):
        boxed = hasattr(value, "unbox")  # such as Flax's Partitioned
        raise UsageError(
            f"what is derived from must have a shape and a dtype; got {format_value(value)} "
            f"for {format_value(name)}",
            hint="take it out of its box with flax.linen.meta.unbox" if boxed else None,
        )
    return sizes, str(dtype)


def _find_place(value: Any) -> tuple[Any, ...] | None:
    """Where a tensor of PyTorch lies, the same for two that are one; None for other arrays."""
    if not hasattr(value, "data_ptr"):
        return None
    if value.is_meta or not value.numel():
        return ("object", id(value))
    try:
        return (value.data_ptr(), value.device, value.stride())
    except RuntimeError:  # one that has no memory in another way
        return ("object", id(value))
