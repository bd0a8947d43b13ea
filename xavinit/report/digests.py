"""Digests as JSON, and what comes of checking a list of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.verbs.digest_lists import Entry, Outcome


def digest_to_json(path: str, entries: Sequence[Entry], *, each: bool) -> str:
    """The digest of a file, or those of its tensors, as a JSON object on one line."""
    content: dict[str, object] = {"version": JSON_VERSION, "path": path}
    if each:
        content["tensors"] = {entry.tensor: entry.digest for entry in entries}
    else:
        content["digest"] = entries[0].digest
    return json.dumps(content)


def format_outcome(outcome: Outcome) -> str:
    """As `sha256sum -c` says it."""
    entry = outcome.entry
    name = entry.path if entry.tensor is None else f"{entry.path}: {entry.tensor}"
    if outcome.error is not None:
        return f"{escape(name)}: FAILED to read"
    return f"{escape(name)}: {'OK' if outcome.is_same else 'FAILED'}"
