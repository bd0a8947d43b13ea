"""A layer's parts → the tensors of the framework's module, each with its name, view and law."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import structs

from xavinit.errors import SpecError
from xavinit.layers import Framework, Layer, Variable, place_layer
from xavinit.plan.laws import Constant, GateConstant, Law
from xavinit.plan.tensor import Module, TensorPlan


def place_parts(
    layer: Layer, parts: Mapping[str, TensorPlan], framework: Framework
) -> tuple[list[TensorPlan], set[str]]:
    """The tensors of a layer as the framework's module has them, and the names of its modules.

    Raises `SpecError`, at the layer's place, where the framework has no such module.
    """
    try:
        placed = place_layer(layer, framework)
        kind = framework.find_class(layer.type, layer.sizes)
    except SpecError as error:
        error.path = (*next(iter(parts.values())).place, *error.path)
        raise
    tensors, modules = [], set()
    for name, path, variable in placed:
        if variable.role in parts:
            part = parts[variable.role]
            law, fans = _cut_law(part.law, variable), part.fans
        elif variable.like:
            part = parts[variable.like]
            law, fans = Constant(0), None
        else:
            continue
        tensors.append(
            structs.replace(
                part,
                name=name,
                shape=variable.shape,
                fans=fans,
                law=law,
                view=variable.view if variable.role in parts else None,
                module=Module(path, kind),
                is_tied=part.is_tied and variable.role in parts,
            )
        )
        *within, _ = variable.name.split("/")
        modules |= {".".join((path, *within[:depth])) for depth in range(len(within) + 1)}
    return tensors, modules


def _cut_law(law: Law | None, variable: Variable) -> Law | None:
    """The law of a variable that may be one gate of a bias."""
    if not isinstance(law, GateConstant):
        return law
    axes = (range(math.prod(variable.shape)),) if variable.view is None else variable.view.axes
    if len(axes) == 1 and isinstance(axes[0], range) and axes[0].step == 1:
        return law.cut(axes[0])
    return law
