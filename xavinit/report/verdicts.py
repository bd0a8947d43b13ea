"""What a check of a spec found, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

from xavinit.errors import SpecError, escape
from xavinit.failures import JSON_VERSION, describe_error
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
    errors: list[dict[str, Any]] = []
    if verdict.error is not None:
        code = type(verdict.error).exit_code
        every = verdict.error.errors if isinstance(verdict.error, SpecError) else [verdict.error]
        errors = [describe_error(error, code) for error in every]
    content = {
        "version": JSON_VERSION,
        "spec": verdict.source,
        "ok": verdict.error is None,
        "errors": errors,
        "warnings": [str(warning) for warning in verdict.warnings],
        "tensors": verdict.tensors,
        "parameters": verdict.parameters,
        "bytes": verdict.nbytes,
    }
    return json.dumps(content)
