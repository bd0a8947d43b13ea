"""What the tensors of a spec become under its rng, one after another in the spec's order.

Without an rng a tensor is what its decision says. With one it may have a seed of its own that
depends on those before it, or a place in one stream; and a layer may draw more than its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from xavinit.errors import SpecError
from xavinit.layers import DRAW, Framework, Layer
from xavinit.plan.parts import place_parts
from xavinit.plan.tensor import TensorPlan
from xavinit.spec import LayerSpec, Spec, TensorSpec

# The module of each rng's order, loaded when a spec asks for it; it has `make_order(spec)`.
ORDERS = {
    "torch-2.13": "xavinit.plan.torch_order",
    "keras-3.15": "xavinit.plan.keras_order",
    "jax-0.10": "xavinit.plan.jax_order",
}

# The tensors of a layer as a framework's module has them, and the names of its modules.
PlacedLayer = tuple[list[TensorPlan], set[str]]


class Order(Protocol):
    """It is told of everything that a spec lists, in its order, and then of the end."""

    def add_tensor(self, tensor: TensorPlan, listed: TensorSpec) -> TensorPlan:
        """A tensor of `tensors`, as the rng has it."""

    def add_draw(self, layer: Layer) -> None:
        """What takes from the rng and has no tensor."""

    def add_layer(
        self, listed: LayerSpec, parts: Mapping[str, TensorPlan], framework: Framework
    ) -> PlacedLayer:
        """A layer, of which these are the parts by their roles, in the form of a framework."""

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        """All tensors, with what only the end tells: the seed of another that one is tied to."""

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        """Of an rng that is one stream, what draws from it; else nothing."""


class OwnOrder:
    """Without an rng: each tensor is by itself."""

    def add_tensor(self, tensor: TensorPlan, _: TensorSpec) -> TensorPlan:
        return tensor

    def add_draw(self, _: Layer) -> None:
        raise SpecError(
            f"{DRAW} takes from the one stream of an rng; each tensor has its own here",
            ("layers",),
            hint="give the spec an rng, such as rng: torch-2.13",
        )

    def add_layer(
        self, listed: LayerSpec, parts: Mapping[str, TensorPlan], framework: Framework
    ) -> PlacedLayer:
        return place_parts(listed.layer, parts, framework)

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        return tensors

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        return ()


def make_order(spec: Spec) -> Order:
    """The order of a spec's rng."""
    if spec.rng.is_ours:
        return OwnOrder()
    return cast(Order, import_module(ORDERS[spec.rng.name]).make_order(spec))
