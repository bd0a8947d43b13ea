"""What is in a weights file, as one page for a browser: it holds all it needs, and loads nothing.

`template.html` is the page's frame, filled here: the summary, the spec, and a plain table for
browsers without JavaScript. The script `page.js` makes the table that sorts, and all charts, from
the same JSON that `xavinit inspect --json` prints, which the page holds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any

from xavinit.errors import MissingLibraryError, escape
from xavinit.reading import Summary
from xavinit.report.guesses import format_guess
from xavinit.report.inspections import inspection_to_data
from xavinit.report.page.figures import format_count, format_figure, format_share
from xavinit.signals import hold_signals
from xavinit.verbs.inspect import InspectedTensor, Inspection
from xavinit.wording import cut, format_bytes, plural

_LONGEST_NAME = 300  # characters of a name in the table; its detail has all
_LONGEST_TEXT = 20_000  # characters of a value of the metadata
_LARGEST_EXACT = 2**53  # of the integers that JavaScript knows
_EXACT = ("min", "max")  # the figures of integer tensors that can be larger


def format_page(inspection: Inspection) -> str:
    """The page as HTML: the same for the same inspection.

    Raises `MissingLibraryError` without Jinja2.
    """
    jinja2 = _import_jinja2()
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_read("template.html"))
    style, script = _read("page.css"), _read("page.js")
    data = inspection_to_data(inspection)
    html: str = template.render(
        style=style,
        script=script,
        policy=_make_policy(style, script),
        data=_embed(data),
        texts=_embed(_make_texts(inspection)),
        path=escape(inspection.path),
        title=escape(re.split(r"[/\\]", inspection.path.rstrip("/\\"))[-1] or inspection.path),
        facts=list(_list_facts(inspection)),
        metadata=[(escape(key), _cut_text(text)) for key, text in inspection.metadata.items()],
        spec=None if data["spec"] is None else _format_spec(data["spec"]),
        rows=map(_make_row, inspection.tensors),
    )
    return html


def is_page(head: bytes) -> bool:
    """Does a file that begins so hold a page, of ours or another's?"""
    return head.lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _import_jinja2() -> Any:
    """Jinja2, or an error that says what to do."""
    try:
        with hold_signals():
            import jinja2
    except Exception as error:  # not installed, or broken
        raise MissingLibraryError(
            f"a page needs a working Jinja2 ({cut(' '.join(str(error).split()))}): "
            "pip install Jinja2"
        ) from error
    return jinja2


def _read(name: str) -> str:
    """A file of this package."""
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _make_policy(style: str, script: str) -> str:
    """The content security policy: this style, this script, pictures within the page, no more."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _embed(data: Any) -> str:
    """JSON that can stand within a script element: ASCII, without `<`, which could end it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _make_texts(inspection: Inspection) -> dict[str, Any]:
    """What the script shows as it is: the words of laws, and what differs from the JSON.

    Names and labels with characters that are not seen, and integers beyond those of JavaScript, by
    the index of the tensor.
    """
    names, labels, exact = {}, {}, {}
    for index, tensor in enumerate(inspection.tensors):
        if (name := escape(tensor.name)) != tensor.name:
            names[index] = name
        if tensor.label is not None and (label := escape(tensor.label)) != tensor.label:
            labels[index] = label
        figures = {key: getattr(tensor.summary, key) for key in _EXACT}
        if long := {
            key: str(figure)
            for key, figure in figures.items()
            if isinstance(figure, int) and abs(figure) > _LARGEST_EXACT
        }:
            exact[index] = long
    guesses = [tensor.summary.guess for tensor in inspection.tensors]
    laws = [None if guess is None else format_guess(guess) for guess in guesses]
    return {"laws": laws, "names": names, "labels": labels, "exact": exact}


def _list_facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """The summary: what, and its text."""
    yield "Format", inspection.format
    shown = format_count(len(inspection.tensors))
    if inspection.match is not None:
        shown += (
            f" of {format_count(inspection.whole)}, those that match {escape(inspection.match)}"
        )
    yield "Tensors", shown
    yield "Parameters", format_count(inspection.parameters)
    yield "Bytes", f"{inspection.nbytes:,} ({format_bytes(inspection.nbytes)})"
    dtypes = Counter(tensor.dtype for tensor in inspection.tensors)
    if dtypes:
        yield "Dtypes", ", ".join(f"{name} ×{dtypes[name]:,}" for name in sorted(dtypes))
    summaries = [tensor.summary for tensor in inspection.tensors]
    nans = sum(summary.nans for summary in summaries)
    infinities = sum(_count_infinities(summary) for summary in summaries)
    if bad := sum(1 for summary in summaries if summary.nans or _count_infinities(summary)):
        yield "Not finite", f"{nans:,} NaN, {infinities:,} inf in {plural(bad, 'tensor')}"
    else:
        yield "Not finite", "none"
    if inspection.seed is not None:
        yield "Seed", str(inspection.seed)
    if inspection.stream is not None:
        yield "Stream", escape(inspection.stream)
    if inspection.skipped:
        yield "Skipped", f"{plural(inspection.skipped, 'value')} that are no tensors"


def _count_infinities(summary: Summary) -> int:
    return summary.positive_infinities + summary.negative_infinities


def _make_row(tensor: InspectedTensor) -> tuple[str, ...]:
    """A row of the plain table, in the order of the template's columns."""
    summary = tensor.summary
    name = escape(tensor.name)
    return (
        name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…",
        "×".join(map(str, tensor.shape)) or "scalar",
        tensor.dtype,
        format_count(tensor.size),
        *map(format_figure, (summary.mean, summary.std, summary.min, summary.max)),
        format_share(summary.zeros, summary.size),
        format_count(summary.nans + _count_infinities(summary)),
        "" if summary.guess is None else format_guess(summary.guess),
    )


def _cut_text(text: str) -> str:
    """A value of the metadata, escaped line by line."""
    shown = _escape_lines(text[:_LONGEST_TEXT])
    return shown if len(text) <= _LONGEST_TEXT else f"{shown}… ({len(text):,} characters)"


def _escape_lines(text: str) -> str:
    return "\n".join(map(escape, text.split("\n")))


def _format_spec(spec: dict[str, Any]) -> str:
    """The spec as JSON for readers: what fits on a line is on one."""
    try:
        text = json.dumps(spec, indent=2, ensure_ascii=False)
    except RecursionError:  # of Python's own encoder, where the other one goes deeper
        text = json.dumps(spec, ensure_ascii=False)
    return _escape_lines(_NARROW.sub(_join_lines, text))


# An innermost list or object over several lines. No string has a line's end in it.
_NARROW = re.compile(r"([\[{])\n([^\[\]{}]*)\n *([\]}])")
_WIDEST_LINE = 88


def _join_lines(found: re.Match[str]) -> str:
    opening, inner, closing = found.groups()
    joined = opening + " ".join(line.strip(" ") for line in inner.split("\n")) + closing
    return joined if len(joined) <= _WIDEST_LINE else found[0]
