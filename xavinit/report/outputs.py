"""What was written, or would be, as text and as JSON."""

from __future__ import annotations

import json

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.verbs.generate import Report
from xavinit.wording import format_bytes, plural


def format_report(report: Report, dry_run: bool) -> str:
    """One line on what was written, or would be."""
    verb = "would write" if dry_run else "wrote"
    size = f"{plural(report.tensors, 'tensor')}, {format_bytes(report.nbytes)}"
    took = "" if dry_run else f" in {report.seconds:.2f} s"
    path = "to standard output" if report.path == "-" else escape(report.path)
    shards = "" if report.shards is None else f", {plural(report.shards, 'shard')}"
    by_path = report.framework == "keras" and report.format != "keras"
    loading = "; Keras loads it by variable path (docs/frameworks.md)" if by_path else ""
    return f"{verb} {path} ({report.format}{shards}): {size}, seed {report.seed}{took}{loading}"


def report_to_json(report: Report, dry_run: bool) -> str:
    """The report as a JSON object on one line."""
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
        "warnings": [str(warning) for warning in report.warnings],
    }
    return json.dumps(content)
