"""What a check of a spec found, as text and as JSON."""

from __future__ import annotations

import json

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION, describe_errors
from xavinit.verbs.check import CheckResult
from xavinit.wording import format_bytes, plural


def format_check(result: CheckResult) -> str:
    """One line on a spec; what is wrong with it is a message of its own."""
    source = escape(result.source)
    if result.error is not None:
        return f"{source}: failed"
    warnings = f", {plural(len(result.warnings), 'warning')}" if result.warnings else ""
    return (
        f"{source}: ok{warnings}: {plural(result.tensors, 'tensor')}, "
        f"{plural(result.parameters, 'parameter')}, {format_bytes(result.nbytes)}"
    )


def check_to_json(result: CheckResult) -> str:
    """The result as a JSON object on one line."""
    error = result.error
    content = {
        "version": JSON_VERSION,
        "spec": result.source,
        "ok": error is None,
        "errors": [] if error is None else describe_errors(error, error.exit_code),
        "warnings": [str(warning) for warning in result.warnings],
        "tensors": result.tensors,
        "parameters": result.parameters,
        "bytes": result.nbytes,
    }
    return json.dumps(content)
