"""A layer's tensors as each framework's own module holds them: names, shapes and views.

A module a framework; to add a layer type, a line in `MODULES` and one in `_FORMS` of each.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

from xavinit.plan.frameworks import flax, keras, pytorch
from xavinit.plan.frameworks.kernels import Variable
from xavinit.spec import Layer, Sizes


class Placed(NamedTuple):
    """A variable with its full name and that of its module."""

    name: str
    module: str
    variable: Variable


# PyTorch's form is the spec's: it has no variables of its own.
_OTHERS: dict[str, ModuleType] = {"flax": flax, "keras": keras}


def find_module(layer: Layer, framework: str) -> str:
    """The name of the framework's class that a layer is a module of."""
    module: ModuleType = pytorch if framework == "pytorch" else _OTHERS[framework]
    return str(module.find_module(layer.type, layer.sizes))


def place_layer(layer: Layer, framework: str) -> tuple[Placed, ...] | None:
    """Each variable of a layer with all its parts; None where PyTorch's are it.

    Raises `SpecError`, its path within the layer, where the framework has no such module.
    """
    if framework == "pytorch":
        return None
    other = _OTHERS[framework]
    placed = []
    for variable in _list_variables(framework, layer.type, layer.sizes):
        module = other.name_module(layer.name, variable.module)
        placed.append(Placed(other.name_variable(module, variable), module, variable))
    return tuple(placed)


@lru_cache(maxsize=256)  # a network repeats few forms
def _list_variables(framework: str, kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    variables: tuple[Variable, ...] = _OTHERS[framework].list_variables(kind, sizes)
    return variables


__all__ = ["Variable", "find_module", "place_layer"]
