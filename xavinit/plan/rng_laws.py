"""The laws of each rng: what its framework makes of an initializer, fans and a dtype."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from xavinit import inits
from xavinit.dtypes import DType
from xavinit.layers import Axes
from xavinit.plan.fans import Fans
from xavinit.plan.laws import Law
from xavinit.rngs import Rng

# The module of each, loaded when a spec asks for it.
LAWS = {
    "torch-2.13": "xavinit.plan.torch_laws",
    "keras-3.15": "xavinit.plan.keras_laws",
    "jax-0.10": "xavinit.plan.jax_laws",
}


class Laws(Protocol):
    """What such a module has."""

    def compute_fans(self, shape: tuple[int, ...], axes: Axes) -> Fans | None:
        """The fans of a shape as the framework holds it; None where it has none."""

    def compute_law(
        self,
        init: inits.Init,
        fans: Fans | None,
        shape: tuple[int, ...],
        dtype: DType,
        rng: Rng,
    ) -> Law:
        """The law of an initializer; `SpecError` where the rng does not know it, or the dtype."""


def find_laws(rng: Rng) -> Laws:
    """The laws of an rng that is not ours."""
    return cast(Laws, import_module(LAWS[rng.name]))
