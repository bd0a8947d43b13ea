"""Find a framework by name, and the variables of a layer in it.

A framework is a module here with a `FRAMEWORK`, and its name in `choices.FrameworkName`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import import_module
from typing import NamedTuple, cast

from xavinit.layers.layer import Framework, Layer, Sizes, Variable


class Placed(NamedTuple):
    """A variable with its full name and that of its module."""

    name: str
    module: str
    variable: Variable


@cache
def find_framework(name: str) -> Framework:
    """The framework of a name that is one of `choices.FrameworkName`; its module loads now."""
    return cast(Framework, import_module(f"xavinit.layers.{name}").FRAMEWORK)


def place_layer(layer: Layer, framework: Framework) -> list[Placed]:
    """Each variable of a layer that has all its parts, under its full name.

    Raises `SpecError`, its path within the layer, where the framework has no such module.
    """
    placed = []
    for variable in _list_variables(framework.name, layer.type, layer.sizes):
        module = framework.name_module(layer.name, variable.suffix)
        placed.append(Placed(framework.name_variable(module, variable), module, variable))
    return placed


@lru_cache(maxsize=256)  # the layers of a network have few different sizes
def _list_variables(framework: str, kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    return find_framework(framework).list_variables(kind, sizes)
