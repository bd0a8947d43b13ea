"""How far the elements of two tensors are apart: pure accumulators that merge in any order.

For a (of A) and b (of B, the reference), both finite: absolute |a − b|, relative |a − b| / |b|
where b is not 0, ulps |a − b| / u. Here u is the step from |b| to the next number away from 0 of
the dtype that is the coarser of the two. In float64, but exactly for two integers; what is over
float64's largest number counts as that. A complex number's ulps are those of the part farther off.
"""

from __future__ import annotations

from msgspec import Struct

Number = int | float | complex


class Tolerance(Struct, frozen=True):
    """a is near enough to b where |a − b| ≤ atol + rtol·|b|, as in `numpy.allclose`."""

    atol: float = 0.0
    rtol: float = 0.0


class Place(Struct, frozen=True):
    """Two elements at one index, counted in C order, and how far they are apart.

    `amount` is None where one is NaN, or an infinity of which the other is not the same.
    """

    index: int
    a: Number
    b: Number
    amount: Number | None


class Tally(Struct, frozen=True):
    """What is known of the elements compared so far.

    `unequal` counts those that are not the same number (NaN is the same as NaN, 0 as −0),
    `different` those of them that the tolerance does not let pass, `nonfinite` those of these where
    one is NaN or an infinity. `first` is the first that is different. The greatest are those of the
    unequal ones, within the tolerance or not, at their first place.
    """

    size: int = 0
    unequal: int = 0
    different: int = 0
    nonfinite: int = 0
    first: Place | None = None
    absolute: Place | None = None
    relative: Place | None = None
    ulps: Place | None = None

    def __add__(self, other: Tally) -> Tally:
        """The tally of both; the order does not matter."""
        return Tally(
            self.size + other.size,
            self.unequal + other.unequal,
            self.different + other.different,
            self.nonfinite + other.nonfinite,
            _choose_first(self.first, other.first),
            _choose_greatest(self.absolute, other.absolute),
            _choose_greatest(self.relative, other.relative),
            _choose_greatest(self.ulps, other.ulps),
        )


def _choose_first(one: Place | None, other: Place | None) -> Place | None:
    places = [place for place in (one, other) if place is not None]
    return min(places, key=lambda place: place.index, default=None)


def _choose_greatest(one: Place | None, other: Place | None) -> Place | None:
    places = [place for place in (one, other) if place is not None]
    return max(places, key=lambda place: (place.amount, -place.index), default=None)
