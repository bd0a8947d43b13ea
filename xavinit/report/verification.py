"""What a comparison of a file with a spec found, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.reading import Fault
from xavinit.verbs.verdict import Verdict
from xavinit.wording import format_bytes, plural

_SCOPES = {
    "every_byte": "every byte",
    "tensors_and_attributes": "tensors and attributes",
    "tensors": "tensors alone",
}


def format_verdict(verdict: Verdict) -> str:
    """One line on a file that is right; else a line a fault, twenty at most."""
    path = escape(verdict.path)
    counts = f"{plural(verdict.tensors, 'tensor')}, {plural(verdict.parameters, 'parameter')}"
    if verdict.false_alarms is not None:
        return _format_judgment(verdict, path, counts)
    if not verdict.is_same:
        return "\n".join(verdict.list_lines())
    source = f"seed {verdict.seed}, spec {verdict.spec_digest[:12]}"
    verified = f"{path}: verified: {counts}, {_SCOPES[verdict.scope]}"
    if verdict.is_own_spec:
        return f"{verified}; it is what it says: {source} (--spec compares it with yours)"
    return f"{verified}, {source}"


def _format_judgment(verdict: Verdict, path: str, counts: str) -> str:
    """The same of values that were judged by laws, with the rate of false alarms."""
    alarms = f"false alarms at most {verdict.false_alarms:.0e} a file".replace("e-0", "e-")
    if not verdict.is_same:
        return "\n".join([*verdict.list_lines(), f"{path}: {alarms}"])
    source = "its own spec" if verdict.is_own_spec else "the spec"
    return f"{path}: fits the laws of {source}: {counts}, {alarms}, spec {verdict.spec_digest[:12]}"


def format_verified(verdict: Verdict) -> str:
    """One line on an output that is there as it would be written."""
    shards = "" if verdict.shards is None else f", {plural(verdict.shards, 'shard')}"
    size = f"{plural(verdict.tensors, 'tensor')}, {format_bytes(verdict.nbytes)}"
    return (
        f"verified {escape(verdict.path)} ({verdict.format}{shards}): {size}, "
        f"seed {verdict.seed} in {verdict.seconds:.2f} s"
    )


def verdict_to_json(verdict: Verdict) -> str:
    """The verdict as a JSON object on one line, with every fault."""
    content = {
        "version": JSON_VERSION,
        "path": verdict.path,
        "same": verdict.is_same,
        "format": verdict.format,
        "scope": verdict.scope,
        "framework": verdict.framework,
        "shards": verdict.shards,
        "tensors": verdict.tensors,
        "parameters": verdict.parameters,
        "bytes": verdict.nbytes,
        "stream": verdict.stream,
        "seed": verdict.seed,
        "spec_digest": verdict.spec_digest,
        "own_spec": verdict.is_own_spec,
        "false_alarms": verdict.false_alarms,
        "seconds": round(verdict.seconds, 6),
        "faults": [_describe(fault) for fault in verdict.faults],
        "warnings": [str(warning) for warning in verdict.warnings],
    }
    return json.dumps(content)


def _describe(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "message": str(fault),
        "path": fault.path,
        "tensor": fault.tensor,
        "stored_name": fault.stored_name,
        "key": fault.key,
        "index": None if fault.index is None else list(fault.index),
        "expected": fault.expected,
        "got": fault.got,
        "different": fault.different,
        "size": fault.size,
        "offset": fault.offset,
        "test": fault.test,
        "note": fault.note,
    }
