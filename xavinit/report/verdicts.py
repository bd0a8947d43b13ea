"""What a check of a spec found, as text and as JSON."""

from __future__ import annotations

import json

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION, describe_errors
from xavinit.verbs.check import Verdict
from xavinit.wording import format_bytes, plural


def format_verdict(verdict: Verdict) -> str:
    """One line on a spec; what is wrong with it is a message of its own."""
    source = escape(verdict.source)
    if verdict.error is not None:
        return f"{source}: failed"
    warnings = f", {plural(len(verdict.warnings), 'warning')}" if verdict.warnings else ""
    return (
        f"{source}: ok{warnings}: {plural(verdict.tensors, 'tensor')}, "
        f"{plural(verdict.parameters, 'parameter')}, {format_bytes(verdict.nbytes)}"
    )


def verdict_to_json(verdict: Verdict) -> str:
    """The verdict as a JSON object on one line."""
    error = verdict.error
    content = {
        "version": JSON_VERSION,
        "spec": verdict.source,
        "ok": error is None,
        "errors": [] if error is None else describe_errors(error, error.exit_code),
        "warnings": [str(warning) for warning in verdict.warnings],
        "tensors": verdict.tensors,
        "parameters": verdict.parameters,
        "bytes": verdict.nbytes,
    }
    return json.dumps(content)
