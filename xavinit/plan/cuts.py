"""A part of one tensor, as an index asks for it, and as a tensor of its own that can be drawn."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from types import EllipsisType

from msgspec import Struct, structs

from xavinit.errors import UsageError
from xavinit.layers import cut_view
from xavinit.plan.laws import Constant
from xavinit.plan.tensor import TensorPlan
from xavinit.wording import format_value

# NumPy's basic indexing: a slice keeps an axis, an integer takes one place of it.
Place = int | slice | EllipsisType
Index = Place | tuple[Place, ...]


class Cut(Struct, frozen=True):
    """The places along each axis of a tensor, and the shape without the axes of an integer."""

    places: tuple[range, ...]
    shape: tuple[int, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(map(len, self.places))


def parse_index(index: object, shape: Sequence[int]) -> Cut:
    """What NumPy's basic indexing takes of an array of this shape; `UsageError` for another index.

    >>> parse_index((2, slice(None, None, -1)), (4, 3))
    Cut(places=(range(2, 3), range(2, -1, -1)), shape=(3,))
    """
    given = list(index) if isinstance(index, tuple) else [index]
    if sum(item is ... for item in given) > 1:
        raise UsageError(f"an index must have at most one Ellipsis; got {format_value(index)}")
    missing = len(shape) - sum(item is not ... for item in given)
    if missing < 0:
        raise UsageError(
            f"an index must have at most {len(shape)} items for shape {list(shape)}; "
            f"got {format_value(index)}"
        )
    place = next((n for n, item in enumerate(given) if item is ...), len(given))
    given[place : place + 1] = [slice(None)] * missing
    places = [_parse_place(item, length) for item, length in zip(given, shape, strict=True)]
    kept = zip(given, places, strict=True)
    return Cut(tuple(places), tuple(len(found) for item, found in kept if isinstance(item, slice)))


def _parse_place(item: object, length: int) -> range:
    if isinstance(item, slice):
        try:
            return range(*item.indices(length))
        except (TypeError, ValueError) as error:  # no integers; a step of 0
            raise UsageError(f"{error}; got {format_value(item)}") from None
    try:
        place = operator.index(item)  # type: ignore[arg-type]  # asked here
    except TypeError:
        place = None
    if place is None or isinstance(item, bool):
        raise UsageError(
            f"an index must be of integers, slices and one Ellipsis; got {format_value(item)}"
        )
    if not -length <= place < length:
        raise UsageError(f"an index must be from {-length} to {length - 1}; got {place}")
    return range(place % length, place % length + 1)


def cut_tensor(tensor: TensorPlan, cut: Cut) -> TensorPlan | None:
    """The part as a tensor whose elements are those of the whole; an integer's axis has length 1.

    None where only the whole can be drawn: its law sees all elements, or zeros of a framework's
    own follow them.
    """
    shape = cut.lengths
    if math.prod(shape) == 0:
        return structs.replace(tensor, shape=shape, law=None, view=None, zero_rows=())
    if tensor.law is None or tensor.law.is_whole or (tensor.view and tensor.view.zeros):
        return None
    zeros = set(tensor.zero_rows)
    rows = tuple(n for n, row in enumerate(cut.places[0]) if row in zeros) if zeros else ()
    view = None  # a plain constant is the same everywhere
    if type(tensor.law) is not Constant:
        view = cut_view(tensor.view, tensor.shape, cut.places)
    return structs.replace(tensor, shape=shape, view=view, zero_rows=rows)
