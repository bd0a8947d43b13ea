"""The unit of a convolutional network: the width of which its channels are multiples."""

from __future__ import annotations

from collections.abc import Sequence

from xavinit.deriving.axes import AxisGuess
from xavinit.deriving.values import Family

_LEAST_SHARE = 0.8  # of the channels that are multiples
_LARGEST = 64  # of multiples
_SMALLEST = 16  # of units
_FEWEST = 8  # weights that tell a unit


def find_unit(families: Sequence[Family], guesses: Sequence[AxisGuess]) -> int | None:
    """The outputs of the first convolution, where nearly all channels are multiples of them."""
    pairs = [(f.shape, g.out) for f, g in zip(families, guesses, strict=True) if g.out is not None]
    outs = [shape[out] for shape, out in pairs if len(shape) > 2]
    every = [shape[out] for shape, out in pairs if len(shape) > 1 and shape[out] >= _SMALLEST]
    if not outs or len(every) < _FEWEST:
        return None
    unit = min(outs[:1] + [size for size in outs if size >= _SMALLEST and outs[0] % size == 0])
    if unit < _SMALLEST:
        return None
    factors = [size // unit for size in every if size % unit == 0 and size // unit <= _LARGEST]
    is_told = len(set(factors)) > 2 and len(factors) >= _LEAST_SHARE * len(every)
    return unit if is_told else None


def format_multiple(name: str, size: int, unit: int) -> int | str:
    """A size as a multiple of the unit, or as it is."""
    factor, rest = divmod(size, unit)
    if rest or factor > _LARGEST or factor == 0:
        return size
    return name if factor == 1 else f"{factor}*{name}"
