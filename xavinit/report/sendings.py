"""How objects are sent to a store, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xavinit.wording import format_bytes, plural

if TYPE_CHECKING:
    from xavinit.verbs.sending import Sending


def format_sending(sending: Sending) -> str:
    """One line: objects, parts, requests and memory."""
    objects = f"{plural(sending.objects, 'object')} of {format_bytes(sending.nbytes)}"
    parts = f"{plural(sending.parts, 'upload part')} of at most {format_bytes(sending.part_size)}"
    requests = f"at most {plural(sending.requests, 'request')} that write"
    at_once = f", {sending.senders} at once" if sending.senders > 1 else ""
    return (
        f"{objects} in {parts}{at_once}: {requests}; the parts take at most "
        f"{format_bytes(sending.memory)} of memory"
    )


def sending_to_data(sending: Sending | None) -> dict[str, int] | None:
    """What `--json` has of it."""
    if sending is None:
        return None
    return {
        "objects": sending.objects,
        "bytes": sending.nbytes,
        "part_bytes": sending.part_size,
        "parts": sending.parts,
        "requests": sending.requests,
        "at_once": sending.senders,
        "memory": sending.memory,
    }
