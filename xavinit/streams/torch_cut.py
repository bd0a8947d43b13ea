"""PyTorch's truncated normal in constant memory.

`trunc_normal_` draws a whole tensor of normals, then a further one, until each place has had one
within the bounds, which stays. How many rounds that takes is known when all are drawn; so they are
drawn twice: once to count them, and once in pieces, each from its state in every round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from xavinit.plan import CutNormal, TensorPlan
from xavinit.stopping import check_stop

_AT_ONCE = 1 << 17  # elements; whole blocks of 16


class Normals(Protocol):
    """What draws the rounds: `torch_values.Values`."""

    def fill_normal(
        self, state: bytearray, out: memoryview, source: TensorPlan, start: int, stop: int
    ) -> None: ...

    def skip_part(self, state: bytearray, source: TensorPlan, start: int, stop: int) -> int: ...


def find_rounds(values: Normals, state: bytearray, source: TensorPlan) -> list[bytes]:
    """The states at the beginning of each round; the state moves to the end of the last."""
    begins, running = [bytes(state)], [bytearray(state)]
    for start in range(0, source.size, _AT_ONCE):
        check_stop()
        stop = min(start + _AT_ONCE, source.size)
        number, outside = 0, np.ones(stop - start, bool)
        while outside.any():
            if number == len(running):
                begin = bytearray(begins[-1])
                values.skip_part(begin, source, 0, source.size)
                begins.append(bytes(begin))
                values.skip_part(begin, source, 0, start)
                running.append(begin)
            drawn = _draw(values, running[number], source, start, stop)
            outside &= ~_find_inside(drawn, source)
            number += 1
        for place in running:
            values.skip_part(place, source, start, stop)
    state[:] = running[-1]
    return begins


def move_rounds(
    values: Normals, states: list[bytearray], source: TensorPlan, start: int, stop: int
) -> None:
    """Move each round's state over the elements [start, stop)."""
    for state in states:
        values.skip_part(state, source, start, stop)


def fill_rounds(
    values: Normals,
    states: Iterator[bytes],
    out: memoryview,
    source: TensorPlan,
    start: int,
    stop: int,
) -> None:
    """Fill `out` with the elements [start, stop), from the states before them in each round."""
    target: Any = np.frombuffer(out, f"<f{source.dtype.itemsize}")
    target[:] = _draw(values, bytearray(next(states)), source, start, stop)
    outside = np.flatnonzero(~_find_inside(target, source))
    while len(outside):
        drawn = _draw(values, bytearray(next(states)), source, start, stop)[outside]
        target[outside] = drawn
        outside = outside[~_find_inside(drawn, source)]


def fill_at_once(values: Normals, state: bytearray, out: memoryview, source: TensorPlan) -> None:
    """Fill `out` with a whole tensor; the state moves over all rounds."""
    target: Any = np.frombuffer(out, f"<f{source.dtype.itemsize}")
    values.fill_normal(state, out, source, 0, source.size)
    outside = np.flatnonzero(~_find_inside(target, source))
    while len(outside):
        again = bytearray(source.nbytes)
        values.fill_normal(state, memoryview(again), source, 0, source.size)
        drawn = np.frombuffer(again, target.dtype)[outside]
        target[outside] = drawn
        outside = outside[~_find_inside(drawn, source)]


def _draw(values: Normals, state: bytearray, source: TensorPlan, start: int, stop: int) -> Any:
    """The normals of a round, in its own dtype; the state stays as it is."""
    out = bytearray((stop - start) * source.dtype.itemsize)
    values.fill_normal(bytearray(state), memoryview(out), source, start, stop)
    return np.frombuffer(out, f"<f{source.dtype.itemsize}")


def _find_inside(drawn: Any, source: TensorPlan) -> Any:
    law = source.law
    if not isinstance(law, CutNormal):
        raise TypeError(f"no truncated normal: {law}")
    with np.errstate(over="ignore"):  # a bound beyond the dtype is infinite
        low, high = np.array([law.low, law.high], drawn.dtype)
    return (drawn >= low) & (drawn <= high)
