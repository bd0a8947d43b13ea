"""Where each tensor of a framework's model lies in the tensors of PyTorch's, by the spec."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from xavinit.layers import DRAW, View, find_framework, place_layer
from xavinit.spec import LayerSpec, Spec


class PlacedTensor(Struct, frozen=True):
    """A tensor as a framework has it, and where its elements lie in PyTorch's `part`.

    `part` is None where PyTorch has no such tensor; it is then zero.
    """

    name: str
    shape: tuple[int, ...]
    part: str | None
    view: View | None = None


def list_placed(spec: Spec) -> Iterator[PlacedTensor]:
    """The tensors of a spec in its framework's form, in the order of its plan."""
    framework = find_framework(spec.framework)
    for listed in spec.listing:
        if not isinstance(listed, LayerSpec):
            shape = spec.families[listed.family].shape
            yield PlacedTensor(listed.name, shape, listed.name)
            continue
        if listed.layer.type == DRAW:  # it has no tensor
            continue
        for name, _, variable in place_layer(listed.layer, framework):
            if variable.role in listed.parts:
                part = listed.parts[variable.role].name
                yield PlacedTensor(name, variable.shape, part, variable.view)
            elif variable.like:
                yield PlacedTensor(name, variable.shape, None)


def list_parts_of(spec: Spec) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor as PyTorch has it, by name, whatever the framework."""
    parts: dict[str, tuple[int, ...]] = {}
    for listed in spec.listing:
        tensors = listed.parts.values() if isinstance(listed, LayerSpec) else (listed,)
        parts |= {tensor.name: spec.families[tensor.family].shape for tensor in tensors}
    return parts
