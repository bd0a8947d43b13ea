"""Are the values of two tensors independent? Their first values, each pair's product summed.

For two independent tensors, one of which has a law that is symmetric about zero, the sum of
products Σ aᵢ·bᵢ is one of random signs: Hoeffding (1963) gives P(|Σ aᵢbᵢ| ≥ t·√(Σ aᵢ²bᵢ²)) ≤
2·exp(−t²/2), whatever the law, the dtype and the number of values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from xavinit.formats import Reader, StoredTensor
from xavinit.plan import TensorPlan
from xavinit.reading.faults import TestName
from xavinit.signals import hold_signals

_ELEMENTS = 1 << 20  # of all samples together
_MOST, _LEAST = 1 << 16, 512  # of one
_SHORTEST = 192  # a copy of fewer values cannot be told from chance, among many pairs
_BAND = 2048  # tensors that are compared with each other at once
_AT_ONCE = 64
_STEP = 1 << 20  # bytes read at once
_NEARLY_ONE = 0.9999


Pair = tuple[TensorPlan, StoredTensor]


class Likeness(Struct, frozen=True):
    """Two tensors, the first `size` values of which are not independent; `a` comes first.

    `ratio` is that of b's values to a's; `limit` is the correlation that is exceeded by chance with
    the probability asked for.
    """

    a: str
    b: str
    size: int
    correlation: float
    ratio: float
    limit: float


def select_samples(tensors: Sequence[TensorPlan]) -> list[TensorPlan]:
    """Those that are long enough to be compared."""
    return [tensor for tensor in tensors if tensor.size >= _SHORTEST]


def find_likenesses(pairs: Sequence[Pair], level: float) -> Iterator[Likeness]:
    """Each tensor with the first one before it that it is like, where that is none of its own.

    One pair or more of independent tensors is told with a probability of at most exp(level). Two
    that take the numbers of one stream or seed are left out: they are alike by the spec.
    """
    if len(pairs) < 2:
        return
    with hold_signals():
        import numpy as np

    half = _BAND // 2
    length = max(min(_MOST, _ELEMENTS // len(pairs)), _LEAST)
    length = min(length, max(plan.size for plan, _ in pairs))
    count = min(len(pairs), _BAND) * len(pairs)
    least = math.sqrt(2 * (math.log(2 * count) - level))
    with Reader() as reader:
        before: Any = np.zeros((0, length), np.float32)
        for first in range(0, len(pairs), half):
            here = _read_samples(reader, [s for _, s in pairs[first : first + half]], length)
            both = np.concatenate([before, here])
            squares = np.square(both)
            start = first - len(before)  # the number of both's first tensor
            for low in range(len(before), len(both), _AT_ONCE):
                chosen = slice(low, low + _AT_ONCE)
                sums = np.abs(both[chosen] @ both.T)
                alike = sums > least * np.sqrt(squares[chosen] @ squares.T)
                for place, row in enumerate(alike, low):
                    b = pairs[start + place]
                    for index in np.flatnonzero(row[:place]).tolist():
                        a = pairs[start + index]
                        if not _share_stream(a[0], b[0]):
                            yield _describe(reader, a, b, length, least)
                            break
            before = here


def _share_stream(a: TensorPlan, b: TensorPlan) -> bool:
    """Have they the same numbers by the spec: of one stream, or of one seed under an rng?"""
    if a.seed is not None and a.seed == b.seed:
        return True
    return a.stream == b.stream and a.view == b.view


def _read_samples(reader: Reader, tensors: Sequence[StoredTensor], length: int) -> Any:
    """The first values of each, divided by their largest magnitude; zeros after the last."""
    import numpy as np

    samples = np.zeros((len(tensors), length), np.float32)
    for row, tensor in zip(samples, tensors, strict=True):
        values = _read_values(reader, tensor, length)
        largest = np.abs(values).max(initial=0.0)
        row[: len(values)] = values / (largest or 1.0)
    return samples


def _read_values(reader: Reader, tensor: StoredTensor, length: int) -> Any:
    import numpy as np

    from xavinit.reading.decoding import decode

    count = min(tensor.size, length)
    with np.errstate(invalid="ignore"):
        values = decode(reader.read(tensor, 0, count), tensor.dtype, count).astype(np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def _describe(reader: Reader, first: Pair, second: Pair, length: int, least: float) -> Likeness:
    import numpy as np

    (a, stored_a), (b, stored_b) = first, second
    size = min(a.size, b.size, length)
    x, y = _read_values(reader, stored_a, size), _read_values(reader, stored_b, size)
    if np.array_equal(x, y):
        return Likeness(a.name, b.name, size, 1.0, 1.0, 0.0)
    x, scale_x = _scale(x)
    y, scale_y = _scale(y)
    product, squares = float(x @ y), (float(x @ x), float(y @ y))
    norm = math.sqrt(squares[0] * squares[1])
    limit = least * math.sqrt(float((x * x) @ (y * y))) / norm
    ratio = product / squares[0] * (scale_y / scale_x)
    return Likeness(a.name, b.name, size, product / norm, ratio, limit)


def _scale(values: Any) -> tuple[Any, float]:
    largest = max(float(values.max()), -float(values.min()))
    return values / largest, largest


def tell_likeness(likeness: Likeness) -> tuple[TestName, str]:
    """The name of the test, and what a person is told of the second tensor."""
    firsts = f"its first {likeness.size:,} values"
    if likeness.correlation == likeness.ratio == 1.0:
        return "repeated", f"{firsts} are those of {likeness.a}"
    if abs(likeness.correlation) > _NEARLY_ONE:
        return "repeated", f"{firsts} are those of {likeness.a} times {likeness.ratio:.4g}"
    return "correlation", (
        f"{firsts} correlate with those of {likeness.a}: r = {likeness.correlation:.3g}, "
        f"not at most {likeness.limit:.3g}"
    )


def are_equal(a: StoredTensor, b: StoredTensor) -> bool:
    """Have two tensors of one shape and dtype the same bytes?"""
    step = max(_STEP // a.dtype.itemsize // a.unit, 1) * a.unit
    with Reader() as first, Reader() as second:
        for start in range(0, a.size, step):
            stop = min(start + step, a.size)
            if first.read(a, start, stop) != second.read(b, start, stop):
                return False
    return True
