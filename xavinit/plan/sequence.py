"""Where each tensor stands in a stream that is one sequence over all of them, as PyTorch's is.

A tensor takes words of 32 bits from the stream: how many is known from its size, dtype and law, and
from whether a normal is kept from the small tensors before it. Only PyTorch's truncated normal
takes as many as its values need; so what follows one has no number here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xavinit.plan.laws import FEW, CutNormal, Law, Normal, NormalAround
from xavinit.plan.tensor import TensorPlan
from xavinit.plan.torch_laws import is_drawn


def count_words(law: Law | None, size: int, dtype: str) -> int:
    """The words that a tensor takes, if it draws no pairs and is not truncated.

    An element takes one, of float64 two. Of normals, the last 16 elements of what no block fills
    are drawn once more; float16 and bfloat16 do not draw them the first time.

    >>> from xavinit.plan import Normal
    >>> count_words(Normal(1.0), 20, "float32"), count_words(Normal(1.0), 20, "bfloat16")
    (36, 32)
    """
    if not is_drawn(law):
        return 0
    words = 2 if dtype == "float64" else 1
    if not isinstance(law, Normal | NormalAround | CutNormal) or size % FEW == 0:
        return size * words
    return ((size if dtype in ("float64", "float32") else size // FEW * FEW) + FEW) * words


def has_pairs(law: Law | None, size: int) -> bool:
    """Are its values drawn in pairs, of which the last may be kept?"""
    return isinstance(law, Normal | NormalAround | CutNormal) and size < FEW


def list_places(sequence: Iterable[TensorPlan]) -> Iterator[tuple[str, int | None]]:
    """The stream name of each tensor, and the words before it; None where no one can know."""
    place: int | None = 0
    kept = 0
    for tensor in sequence:
        yield tensor.stream, place
        law, size = tensor.law, tensor.size
        if place is None:
            continue
        if isinstance(law, CutNormal):
            place = None
        elif has_pairs(law, size):
            pairs = (size - kept + 1) // 2
            kept = kept + 2 * pairs - size
            place += 4 * pairs
        else:
            place += count_words(law, size, tensor.dtype.name)
