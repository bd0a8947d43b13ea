"""What the rng of a framework makes of families: fans are those of the shape, nothing is split."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from xavinit.errors import Faults, SpecError
from xavinit.layers import Axes
from xavinit.rngs import Rng
from xavinit.spec.families import OF_AXES, Family
from xavinit.wording import format_power, format_value

# Where each framework has the axes of a tensor, and in words. One block: nothing is split.
_AXES = {
    "pytorch": (Axes(), "PyTorch does (out, in, then the spatial axes)"),
    "keras": (Axes("in_out"), "Keras does (the spatial axes, in, out)"),
    "flax": (Axes("in_out"), "JAX does (the spatial axes, in, out)"),
}
_ONE_STREAM = "is one stream in the spec's order: a tensor cannot draw the numbers of another name"
_NO_NAMES = "draws from seeds, not from names: two tensors of one seed have the same numbers"


def adapt_families(families: Sequence[Family], rng: Rng) -> tuple[Family, ...]:
    """The families as an rng has them; `SpecError` where a tensor has a key that means nothing."""
    axes, shape = _AXES[rng.kind.framework]
    stream = _NO_NAMES if rng.kind.has_own_seeds else _ONE_STREAM
    faults = Faults()
    for family in families:
        for key in ("stream", *OF_AXES):
            is_its_own = key == "layout" and family.axes.layout == axes.layout
            if key in family.places and not is_its_own:
                why = stream if key == "stream" else f"takes the fans of the shape as {shape}"
                fact = f"{rng.name} {why}; got {key}"
                faults.add(SpecError(fact, family.places[key], at_key=True))
    faults.check()
    if rng.kind.has_own_seeds and rng.own_seeds is not None:
        _check_seeds(families, *rng.own_seeds)
    else:
        refuse_seeds(families, rng)
    return tuple(structs.replace(family, axes=axes) for family in families)


def refuse_seeds(families: Sequence[Family], rng: Rng) -> None:
    """Refuse a seed of a tensor's own under an rng that has one for all."""
    faults = Faults()
    for family in families:
        if family.seed is not None:
            fact = f"{rng} has one seed, the spec's; got {format_value(family.seed)}"
            hint = "a tensor has a seed of its own under an rng such as keras-3.15"
            if rng.kind.has_own_seeds:
                hint = f"a tensor has a seed of its own under {rng.name} with keys: plain"
            faults.add(SpecError(fact, family.places["seed"], hint=hint, at_key=True))
    faults.check()


def _check_seeds(families: Sequence[Family], least: int, largest: int) -> None:
    faults = Faults()
    for family in families:
        if family.seed is not None and not least <= family.seed <= largest:
            ends = f"from {format_power(least)} to {format_power(largest)}"
            fact = f"must be an integer {ends}; got {format_value(family.seed)}"
            faults.add(SpecError(fact, family.places["seed"]))
    faults.check()
