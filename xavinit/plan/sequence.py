"""Where each tensor stands in a stream that is one sequence over all of them, as PyTorch's is.

A tensor takes words of 32 bits from the stream: how many is known from its size, dtype and law, and
from whether a normal is kept from the small tensors before it. Only PyTorch's truncated normal
takes as many as its values need; so what follows one has no number here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from xavinit.plan.laws import FEW, CutNormal, Law, Normal, NormalAround
from xavinit.plan.tensor import TensorPlan
from xavinit.plan.torch_laws import is_drawn

STATE_BYTES = 2512  # of a generator's state
MOST_KEPT = 1 << 14  # beginnings of tensors, 41 MB at most; beyond, every second one is given up
# Bytes of viewed tensors that all threads together draw at once: for each such piece the generator
# runs over the whole tensor.
VIEWED_BYTES = 12 << 20


class Costs(Struct, frozen=True):
    """What one stream over all tensors takes: words of 32 bits, and bytes of memory at most."""

    words: int
    is_least: bool  # are there truncated normals, which take more words than are counted?
    state_bytes: int
    view_bytes: int


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
    for tensor, words in _list_counts(sequence):
        yield tensor.stream, place
        if isinstance(tensor.law, CutNormal):
            place = None
        elif place is not None:
            place += words


def measure_costs(sequence: Sequence[TensorPlan], tensors: Iterable[TensorPlan]) -> Costs:
    """The costs of a sequence, from which a file's tensors are drawn."""
    drawn = [tensor for tensor in sequence if is_drawn(tensor.law)]
    has_views = any(tensor.view is not None and is_drawn(tensor.law) for tensor in tensors)
    return Costs(
        sum(words for _, words in _list_counts(sequence)),
        any(isinstance(tensor.law, CutNormal) for tensor in drawn),
        min(len(drawn), MOST_KEPT) * STATE_BYTES,
        VIEWED_BYTES if has_views else 0,
    )


def count_passed(sequence: Iterable[TensorPlan], own: Collection[str]) -> int:
    """The words before the last tensor of these stream names that are not of these: a part runs
    over them and draws nothing. Of a truncated normal, the least that it takes.
    """
    passed = last = 0
    for tensor, words in _list_counts(sequence):
        if tensor.stream in own:
            last = passed
        else:
            passed += words
    return last


def _list_counts(sequence: Iterable[TensorPlan]) -> Iterator[tuple[TensorPlan, int]]:
    """Each tensor, and the words that it takes; of a truncated normal, those of one round."""
    kept = 0
    for tensor in sequence:
        if has_pairs(tensor.law, tensor.size):
            pairs = (tensor.size - kept + 1) // 2
            kept = kept + 2 * pairs - tensor.size
            yield tensor, 4 * pairs
        else:
            yield tensor, count_words(tensor.law, tensor.size, tensor.dtype.name)
