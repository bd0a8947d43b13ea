"""The zeros among the values of a tensor that is drawn: rows for padding, what a view lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator

from xavinit.formats import Reader, StoredTensor
from xavinit.plan import TensorPlan
from xavinit.reading.exact import format_element
from xavinit.reading.faults import Fault, find_place

_STEP = 1 << 18  # bytes read at once


def count_zeros(tensor: TensorPlan) -> int:
    """How many of its elements must be zero."""
    rows = len(tensor.zero_rows) * math.prod(tensor.shape[1:])
    return rows + (tensor.view.zeros if tensor.view is not None else 0)


def find_other(tensor: TensorPlan, stored: StoredTensor) -> Fault | None:
    """The fault of a tensor one of whose zeros is another number."""
    size, first, count = tensor.dtype.itemsize, None, 0
    got = b""
    with Reader() as reader:
        for start, stop in _list_ranges(tensor):
            for low in range(start, stop, _STEP // size):
                block = reader.read(stored, low, min(low + _STEP // size, stop))
                if not any(block):
                    continue
                places = [i for i in range(0, len(block), size) if any(block[i : i + size])]
                count += len(places)
                if first is None:
                    first = low + places[0] // size
                    got = bytes(block[places[0] : places[0] + size])
    if first is None:
        return None
    return Fault(
        kind="values",
        path=stored.source.path,
        tensor=tensor.name,
        stored_name=stored.name if stored.name != tensor.name else None,
        index=find_place(first, tensor.shape),
        expected=format_element(bytes(size), tensor.dtype),
        got=format_element(got, tensor.dtype),
        different=count,
        size=tensor.size,
    )


def _list_ranges(tensor: TensorPlan) -> Iterator[tuple[int, int]]:
    """The elements [start, stop) that must be zero, neighbors together."""
    row, start, stop = math.prod(tensor.shape[1:]), 0, 0
    for index in tensor.zero_rows:
        if index * row != stop and start < stop:
            yield start, stop
        if index * row != stop:
            start = index * row
        stop = (index + 1) * row
    if start < stop:
        yield start, stop
    if tensor.view is not None and tensor.view.zeros:
        yield tensor.view.count, tensor.size
