"""An inspection as a table, with histograms of blocks, for a terminal or for `grep`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from xavinit.choices import SortKey
from xavinit.errors import escape
from xavinit.reading import Histogram
from xavinit.report.guesses import format_guess
from xavinit.report.tables import NOTHING, format_rows, wrap
from xavinit.verbs.inspect import InspectedTensor, Inspection
from xavinit.wording import format_bytes, plural

_COLUMNS = (
    *("NAME", "SHAPE", "DTYPE", "COUNT", "MEAN", "STD", "MIN", "MAX"),
    *("ZEROS", "NAN", "-INF", "+INF", "LAW"),
)
_RIGHTS = (False, False, False, *(True,) * 9, False)
# On a terminal these are left out where no tensor has any.
_RARE = ("ZEROS", "NAN", "-INF", "+INF")
_WIDEST_SHAPE = 20
_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDEST_HISTOGRAM = 64
_ROWS = 3  # of a histogram among others; of a single one:
_MOST_ROWS = 8
_INDENT = "    "
_LABEL = 10


# What a table can be sorted by; figures descend, and what has none comes last.
_KEYS: dict[SortKey, Callable[[InspectedTensor], Any]] = {
    "name": lambda tensor: _split_numbers(tensor.name),
    "count": lambda tensor: tensor.size,
    "bytes": lambda tensor: tensor.nbytes,
    "mean": lambda tensor: tensor.summary.mean,
    "std": lambda tensor: tensor.summary.std,
    "min": lambda tensor: tensor.summary.min,
    "max": lambda tensor: tensor.summary.max,
    "zeros": lambda tensor: compute_share(tensor.summary.zeros, tensor.summary.size),
    "nan": lambda tensor: tensor.summary.nans,
    "inf": lambda tensor: tensor.summary.positive_infinities + tensor.summary.negative_infinities,
}


def sort_tensors(
    tensors: Iterable[InspectedTensor], key: SortKey, *, ascending: bool = False
) -> list[InspectedTensor]:
    """The tensors by a key: names in the order people count, figures descending.

    With `ascending`, the least figures are first.
    """
    find = _KEYS[key]
    if key == "name":
        return sorted(tensors, key=find)
    known = [tensor for tensor in tensors if find(tensor) is not None]
    unknown = [tensor for tensor in tensors if find(tensor) is None]
    return sorted(known, key=find, reverse=not ascending) + unknown


def _split_numbers(name: str) -> list[tuple[int, str]]:
    """A name's parts, so that h.2 comes before h.10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


def compute_share(count: int, size: int) -> float:
    return count / size if size else 0.0


def format_inspection(
    inspection: Inspection,
    tensors: Sequence[InspectedTensor] | None = None,
    *,
    width: int | None = None,
    with_histograms: bool = False,
) -> Iterator[str]:
    """The lines of a table of the tensors in their order, and those that sum up.

    Without a width each row is one line with all columns. On a terminal, columns of which there is
    nothing to tell are left out.
    """
    tensors = inspection.tensors if tensors is None else tensors
    rows = [_format_row(tensor, is_wide=width is None) for tensor in tensors]
    kept = [
        index
        for index, column in enumerate(_COLUMNS)
        if width is None
        or column not in _RARE
        or any(row[index] not in (NOTHING, "0") for row in rows)
    ]
    cells = [tuple(row[index] for index in kept) for row in (_COLUMNS, *rows)]
    rights = [_RIGHTS[index] for index in kept]
    if not with_histograms:
        yield from format_rows(cells, rights, width)
    else:
        yield from _interleave(cells, rights, width, tensors)
    yield from wrap("", format_totals(inspection), 0, width)
    yield from _format_facts(inspection, width)


def _interleave(
    cells: Sequence[Sequence[str]],
    rights: Sequence[bool],
    width: int | None,
    tensors: Sequence[InspectedTensor],
) -> Iterator[str]:
    """Each row with its histogram below it."""
    height = _MOST_ROWS if len(tensors) == 1 else _ROWS
    for row, tensor in zip(cells[1:], tensors, strict=True):
        # A row alone would have columns of its own width: each is given as a table of one.
        yield from format_rows([cells[0], row], rights, width)
        yield ""
        if tensor.summary.histogram is not None:
            yield from format_histogram(tensor.summary.histogram, width, height)
            yield ""


def _format_row(tensor: InspectedTensor, *, is_wide: bool) -> tuple[str, ...]:
    summary = tensor.summary
    name, shape = escape(tensor.name), "×".join(map(str, tensor.shape)) or "scalar"
    if tensor.label is not None:
        name = f"{name}  ({escape(tensor.label)})"
    if len(shape) > _WIDEST_SHAPE and not is_wide:
        name, shape = f"{name}  {shape}", ""
    return (
        name,
        shape,
        tensor.dtype,
        f"{tensor.size:,}",
        *(format_figure(x) for x in (summary.mean, summary.std, summary.min, summary.max)),
        format_share(summary.zeros, summary.size),
        *(
            f"{count:,}"
            for count in (summary.nans, summary.negative_infinities, summary.positive_infinities)
        ),
        NOTHING if summary.guess is None else format_guess(summary.guess),
    )


def format_figure(figure: float | int | None) -> str:
    """A figure with the digits that a person reads; an integer whole.

    >>> format_figure(0.0357142), format_figure(None), format_figure(-128)
    ('0.03571', '-', '-128')
    """
    if figure is None:
        return NOTHING
    return f"{figure:.4g}" if isinstance(figure, float) else str(int(figure))


def format_share(count: int, size: int) -> str:
    """A share in percent; what is not nothing does not look like it, nor what is not all like all.

    >>> format_share(1, 3), format_share(1, 10**6), format_share(999_999, 10**6), format_share(0, 5)
    ('33.3%', '<0.1%', '>99.9%', '0')
    """
    if not count:
        return "0"
    if count == size:
        return "100%"
    percent = 100 * count / size
    return "<0.1%" if percent < 0.1 else ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def format_totals(inspection: Inspection) -> str:
    tensors = plural(len(inspection.tensors), "tensor")
    parameters = plural(inspection.parameters, "parameter")
    nbytes = inspection.nbytes
    return f"{tensors}, {parameters}, {nbytes:,} bytes ({format_bytes(nbytes)})"


def _format_facts(inspection: Inspection, width: int | None) -> Iterator[str]:
    """What the file says of itself."""
    facts = [("format", inspection.format)]
    if inspection.seed is not None:
        facts.append(("spec", "carried; xavinit generate takes the file for it"))
        facts.append(("seed", f"{inspection.seed} (stream {inspection.stream})"))
    facts += [
        ("metadata", f"{escape(key)}: {escape(text)}")
        for key, text in inspection.metadata.items()
        if not (key == "xavinit" and inspection.seed is not None)
    ]
    if inspection.skipped:
        facts.append(("skipped", f"{plural(inspection.skipped, 'value')} that are no tensors"))
    for label, text in facts:
        yield from wrap(label, text, _LABEL, width)


def format_histogram(histogram: Histogram, width: int | None, height: int) -> Iterator[str]:
    """A histogram drawn with blocks, and below it the ends and zero.

    Neighboring bins are put together, the same number in each column, until they fit.
    """
    room = min(_WIDEST_HISTOGRAM, (width or 80) - len(_INDENT))
    together = -(-len(histogram.counts) // max(room, 1))
    # The edges stay multiples of a power of two: what does not fill a column is at the end.
    counts = [
        sum(histogram.counts[start : start + together])
        for start in range(0, len(histogram.counts), together)
    ]
    most = max(counts)
    steps = len(_BLOCKS) - 1
    for level in reversed(range(height)):
        line = ""
        for count in counts:
            # Rounded up: a bin that holds anything is seen.
            full = -(-count * height * steps // most) - level * steps
            line += _BLOCKS[min(max(full, 0), steps)]
        yield f"{_INDENT}{line}".rstrip()
    first, last = histogram.edges[0], histogram.edges[-1]
    left, right = format_figure(first), format_figure(last)
    yield f"{_INDENT}{left}{right.rjust(max(len(counts) - len(left), len(right) + 1))}"
