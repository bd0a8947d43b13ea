"""What the rng of a framework makes of families: fans are those of the shape, nothing is split."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from xavinit.errors import Faults, SpecError
from xavinit.layers import Axes
from xavinit.rngs import Rng
from xavinit.spec.families import OF_AXES, Family

PYTORCH = Axes()  # out, in, then the spatial axes; one block

_ONE_STREAM = "is one stream in the spec's order: a tensor cannot draw the numbers of another name"
_SHAPE = "takes the fans of the shape as PyTorch does (out, in, then the spatial axes)"


def adapt_families(families: Sequence[Family], rng: Rng) -> tuple[Family, ...]:
    """The families as an rng has them; `SpecError` where a tensor has a key that means nothing."""
    faults = Faults()
    for family in families:
        for key in ("stream", *OF_AXES):
            if key in family.places and not (key == "layout" and family.axes.layout == "out_in"):
                why = _ONE_STREAM if key == "stream" else _SHAPE
                fact = f"{rng.name} {why}; got {key}"
                faults.add(SpecError(fact, family.places[key], at_key=True))
    faults.check()
    return tuple(structs.replace(family, axes=PYTORCH) for family in families)
