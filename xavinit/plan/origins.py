"""Where a tensor of a plan comes from: its family in the spec, its tie, its part of a layer."""

from __future__ import annotations

from msgspec import Struct

from xavinit.layers import Framework, find_framework, place_layer
from xavinit.spec import Family, LayerSpec, Spec, TensorSpec


class Origin(Struct, frozen=True):
    """What a spec has of one tensor of its plan.

    `tensor` bears PyTorch's name. `is_filler` tells of zeros that the layer does not have, but that
    the framework's module cannot be without: they take the family's dtype and no more.
    """

    tensor: TensorSpec
    family: Family
    is_filler: bool = False


def find_origin(spec: Spec, name: str) -> Origin | None:
    """The origin of the tensor with this name in the plan of a spec."""
    framework = find_framework(spec.framework)
    for listed in spec.listing:
        if isinstance(listed, TensorSpec):
            if listed.name == name:
                return Origin(listed, spec.families[listed.family])
        elif origin := _find_part(spec, listed, name, framework):
            return origin
    return None


def _find_part(spec: Spec, listed: LayerSpec, name: str, framework: Framework) -> Origin | None:
    if not listed.parts:  # it only draws
        return None
    for found, _, variable in place_layer(listed.layer, framework):
        if found == name:
            is_filler = variable.role not in listed.parts
            tensor = listed.parts.get(variable.like if is_filler else variable.role)
            if tensor is not None:
                return Origin(tensor, spec.families[tensor.family], is_filler)
    return None
