"""What `diff` answers: each tensor that both files have, and what is in one of them alone."""

from __future__ import annotations

import math

from msgspec import Struct

from xavinit.formats import StoredTensor
from xavinit.reading import Number, Place, Tally
from xavinit.verbs.pairing import Match


class FileTensor(Struct, frozen=True):
    """A tensor as one of the files has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Spot(Struct, frozen=True):
    """Two elements at one index, and how far they are apart; None where one is not finite."""

    index: tuple[int, ...]
    a: Number
    b: Number
    amount: Number | None


class ComparedTensor(Struct, frozen=True):
    """What became of a tensor that both files have.

    `name` is A's, or PyTorch's where the spec tells it; `a` and `b` are what the files have:
    several where PyTorch has one tensor, none where the framework lacks one that is zero. Indices
    are those of a tensor of `shape`. `unequal` counts the elements that are not the same number,
    `different` those that the tolerance does not let pass, `nonfinite` those of these where one is
    NaN or an infinity. `first` is the first that is different; `absolute`, `relative` and `ulps`
    are the greatest of all unequal ones (None without any; ulps also of integers). `fault` says why
    elements could not be compared, `note` what is probably wrong.
    """

    name: str
    a: tuple[FileTensor, ...]
    b: tuple[FileTensor, ...]
    shape: tuple[int, ...]
    is_same: bool
    same_dtype: bool = True
    unequal: int = 0
    different: int = 0
    nonfinite: int = 0
    first: Spot | None = None
    absolute: Spot | None = None
    relative: Spot | None = None
    ulps: Spot | None = None
    fault: str | None = None
    note: str | None = None

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)


class Difference(Struct, frozen=True):
    """How two weights files differ; `is_same` where they do not.

    `paired_by` is "names", "maps" or "spec". `same_spec`: both carry one spec, but for framework
    and seed.
    """

    a: str
    b: str
    only_in_a: tuple[FileTensor, ...]
    only_in_b: tuple[FileTensor, ...]
    tensors: tuple[ComparedTensor, ...]
    atol: float
    rtol: float
    paired_by: str
    same_spec: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Is nothing different, within the tolerance?"""
        return not (self.only_in_a or self.only_in_b or self.different)

    @property
    def different(self) -> tuple[ComparedTensor, ...]:
        """The tensors in both that are not the same."""
        return tuple(tensor for tensor in self.tensors if not tensor.is_same)

    @property
    def parameters(self) -> int:
        """The elements of all tensors in both."""
        return sum(tensor.size for tensor in self.tensors)


def describe_stored(stored: StoredTensor) -> FileTensor:
    return FileTensor(stored.name, stored.shape, stored.dtype.name)


def describe_match(found: Match, tally: Tally, ignore_dtype: bool) -> ComparedTensor:
    dtypes = {stored.dtype.name for stored in (*found.a, *found.b)}
    same_dtype = len(dtypes) == 1
    is_right = found.fault is None and not tally.different
    first, absolute, relative, ulps = (
        _find_spot(place, found.shape)
        for place in (tally.first, tally.absolute, tally.relative, tally.ulps)
    )
    return ComparedTensor(
        found.name,
        tuple(describe_stored(stored) for stored in found.a),
        tuple(describe_stored(stored) for stored in found.b),
        found.shape,
        is_same=is_right and (same_dtype or ignore_dtype),
        same_dtype=same_dtype or ignore_dtype,
        unequal=tally.unequal,
        different=tally.different,
        nonfinite=tally.nonfinite,
        first=first,
        absolute=absolute,
        relative=relative,
        ulps=ulps,
        fault=found.fault,
    )


def _find_spot(place: Place | None, shape: tuple[int, ...]) -> Spot | None:
    if place is None:
        return None
    index, left = [], place.index
    for size in reversed(shape):
        left, position = divmod(left, size)
        index.append(position)
    return Spot(tuple(reversed(index)), place.a, place.b, place.amount)
