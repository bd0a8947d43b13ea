"""What was written, or would be, as text and as JSON."""

from __future__ import annotations

import json

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.verbs.generate import PartReport, Report
from xavinit.wording import format_bytes, plural


def format_report(report: Report, dry_run: bool) -> str:
    """One line on what was written, or would be."""
    if report.part is not None and not _is_as_on_a_disk(report, report.part):
        return _format_part(report, report.part, dry_run)
    verb = "would write" if dry_run else "wrote"
    size = f"{plural(report.tensors, 'tensor')}, {format_bytes(report.nbytes)}"
    took = "" if dry_run else f" in {report.seconds:.2f} s"
    path = "to standard output" if report.path == "-" else escape(report.path)
    shards = "" if report.shards is None else f", {plural(report.shards, 'shard')}"
    sent = _format_sending(report) if dry_run else ""
    by_path = report.framework == "keras" and report.format != "keras"
    loading = "; Keras loads it by variable path (docs/frameworks.md)" if by_path else ""
    return (
        f"{verb} {path} ({report.format}{shards}): {size}, seed {report.seed}{took}{loading}{sent}"
    )


def _is_as_on_a_disk(report: Report, part: PartReport) -> bool:
    """Has one run written a whole set to a store? There all sets are written as parts are."""
    is_remote = report.sending is not None
    return is_remote and part.part == "1/1" and part.is_complete and not part.left


def _format_part(report: Report, part: PartReport, dry_run: bool) -> str:
    """The same of a set that several runs write."""
    verb = "would write" if dry_run else "wrote"
    which = "" if part.part == "1/1" else f"part {part.part} of "
    left = f" ({part.left:,} there already)" if part.left else ""
    size = f"{plural(part.written, 'shard')}{left}, {format_bytes(part.nbytes)}"
    took = "" if dry_run else f" in {report.seconds:.2f} s"
    whole = "; the set is whole" if part.is_complete else ""
    if not (part.is_complete or dry_run):
        whole = "; the index waits for shards of other parts"
    if part.passed:
        runs = "runs" if dry_run else "ran"
        whole = f"; the generator {runs} over {part.passed:,} words of others{whole}"
    path = escape(report.path)
    sent = _format_sending(report) if dry_run else ""
    return f"{verb} {which}{path} ({report.format}): {size}, seed {report.seed}{took}{whole}{sent}"


def _format_sending(report: Report) -> str:
    """How it would be sent to a store."""
    if report.sending is None:
        return ""
    from xavinit.report.sendings import format_sending

    return f"; {format_sending(report.sending)}"


def report_to_json(report: Report, dry_run: bool) -> str:
    """The report as a JSON object on one line."""
    from xavinit.report.sendings import sending_to_data

    content = {
        "version": JSON_VERSION,
        "path": report.path,
        "format": report.format,
        "framework": report.framework,
        "shards": report.shards,
        "tensors": report.tensors,
        "parameters": report.parameters,
        "bytes": report.nbytes,
        "stream": report.stream,
        "seed": report.seed,
        "seconds": round(report.seconds, 6),
        "dry_run": dry_run,
        "part": None if report.part is None else _part_to_data(report.part),
        "sending": None if report.sending is None else sending_to_data(report.sending),
        "warnings": [str(warning) for warning in report.warnings],
    }
    return json.dumps(content)


def _part_to_data(part: PartReport) -> dict[str, object]:
    return {
        "part": part.part,
        "written": part.written,
        "left": part.left,
        "bytes": part.nbytes,
        "complete": part.is_complete,
        **({} if part.passed is None else {"passed": part.passed}),
    }
