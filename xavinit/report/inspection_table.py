"""An inspection as a table, with histograms of blocks, for a terminal or for `grep`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import structs

from xavinit.choices import SortKey
from xavinit.errors import escape
from xavinit.reading import Histogram
from xavinit.report.guesses import format_guess
from xavinit.report.tables import NOTHING, format_rows, wrap
from xavinit.verbs.inspect import InspectedTensor, Inspection
from xavinit.widths import measure
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
_SMALL_HISTOGRAM = 24  # columns of one in a row
_WIDEST_HISTOGRAM = 128
_ROWS = 8  # of a large one
_USUAL_NAME = 20  # columns that a name may take before the count is left out
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


def sort_inspection(inspection: Inspection, key: SortKey, *, ascending: bool = False) -> Inspection:
    """The inspection with its tensors sorted: names as people count, figures descending.

    With `ascending`, the least figures are first.
    """
    find, tensors = _KEYS[key], inspection.tensors
    if key == "name":
        return structs.replace(inspection, tensors=tuple(sorted(tensors, key=find)))
    known = [tensor for tensor in tensors if find(tensor) is not None]
    unknown = [tensor for tensor in tensors if find(tensor) is None]
    ordered = (*sorted(known, key=find, reverse=not ascending), *unknown)
    return structs.replace(inspection, tensors=ordered)


def _split_numbers(name: str) -> list[tuple[int, str]]:
    """A name's parts, so that h.2 comes before h.10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


def compute_share(count: int, size: int) -> float:
    return count / size if size else 0.0


def format_inspection(
    inspection: Inspection, *, width: int | None = None, with_histograms: bool = False
) -> Iterator[str]:
    """The lines of a table of the tensors, and those that sum up.

    Without a width each row is one line with all columns. On a terminal, columns of which there is
    nothing to tell are left out, and the count, which the shape tells too, where that helps.
    With histograms, each row has a small one; a tensor alone also a large one below.
    """
    tensors = inspection.tensors
    columns, rights = [*_COLUMNS], [*_RIGHTS]
    rows = [[*_format_row(tensor, is_wide=width is None)] for tensor in tensors]
    if with_histograms:
        columns.append("HISTOGRAM")
        rights.append(False)
        for row, tensor in zip(rows, tensors, strict=True):
            found = tensor.summary.histogram
            row.append(NOTHING if found is None else draw_line(found))
    kept = [
        index
        for index, column in enumerate(columns)
        if width is None or _is_told(column, index, rows)
    ]
    if width is not None and not _fits(columns, rows, kept, width):
        kept.remove(columns.index("COUNT"))
        for row in rows:  # a line for each tensor, where it still does not fit: no word of nothing
            for index in (columns.index(column) for column in _RARE):
                row[index] = NOTHING if row[index] == "0" else row[index]
    cells = [tuple(row[index] for index in kept) for row in (columns, *rows)]
    yield from format_rows(cells, [rights[index] for index in kept], width)
    if with_histograms and len(tensors) == 1 and tensors[0].summary.histogram is not None:
        yield ""
        yield from format_histogram(tensors[0].summary.histogram, width)
        yield ""
    yield from wrap("", format_totals(inspection), 0, width)
    yield from _format_facts(inspection, width)


def _is_told(column: str, index: int, rows: Sequence[Sequence[str]]) -> bool:
    return column not in _RARE or any(row[index] not in (NOTHING, "0") for row in rows)


def _fits(
    columns: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], width: int
) -> bool:
    """Do all rows fit into lines of a width, but for a long name?"""
    _, *others = kept
    widths = (max(measure(row[index]) for row in (columns, *rows)) + 2 for index in others)
    return sum(widths) + _USUAL_NAME <= width


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
    if inspection.match is not None:
        whole = plural(inspection.whole, "tensor")
        tensors = f"{len(inspection.tensors):,} of {whole} ({escape(inspection.match)})"
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


def draw_line(histogram: Histogram) -> str:
    """A histogram as one line of blocks, of the values from the first edge to the last."""
    (line,) = _draw(_join_bins(histogram, _SMALL_HISTOGRAM), 1)
    return line


def format_histogram(histogram: Histogram, width: int | None) -> Iterator[str]:
    """A histogram drawn with blocks, and below it its first and last edge."""
    counts = _join_bins(histogram, min(_WIDEST_HISTOGRAM, (width or 80) - len(_INDENT)))
    for line in _draw(counts, _ROWS):
        yield f"{_INDENT}{line}".rstrip()
    left, right = format_figure(histogram.edges[0]), format_figure(histogram.edges[-1])
    yield f"{_INDENT}{left}{right.rjust(max(len(counts) - len(left), len(right) + 1))}"


def _join_bins(histogram: Histogram, room: int) -> list[int]:
    """The counts of bins, the same number of neighbors put together, so that they fit."""
    counts, together = histogram.counts, -(-len(histogram.counts) // max(room, 1))
    return [sum(counts[start : start + together]) for start in range(0, len(counts), together)]


def _draw(counts: Sequence[int], height: int) -> Iterator[str]:
    """Columns of blocks, the highest line first; rounded up, so that what there is is seen."""
    most, steps = max(counts), len(_BLOCKS) - 1
    for level in reversed(range(height)):
        filled = (-(-count * height * steps // most) - level * steps for count in counts)
        yield "".join(_BLOCKS[min(max(full, 0), steps)] for full in filled)
