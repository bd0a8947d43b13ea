"""Output: a crew draws what files hold; they are published whole or not at all."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xavinit.output.apart import check_apart
from xavinit.output.disk import BinaryWriter
from xavinit.output.drawing import Drawing, fill_arrays
from xavinit.output.pipes import check_handle, check_pipe, is_pipe, open_pipe, write_pipe
from xavinit.output.publish import check_target
from xavinit.output.sets import check_set
from xavinit.output.texts import (
    check_text_target,
    check_texts_target,
    write_text,
    write_texts,
)
from xavinit.output.write import check_space, write_path

if TYPE_CHECKING:
    from xavinit.output.claims import ClaimedWork, find_claimed_work, write_claimed
    from xavinit.output.objects import check_object, write_object
    from xavinit.output.parts import (
        Share,
        Work,
        find_work,
        finish_set,
        list_standing,
        mark_home,
        take_share,
        write_shards,
        write_share,
    )
    from xavinit.output.sending import Sending, check_sizes, plan_sending

__all__ = [
    "BinaryWriter",
    "ClaimedWork",
    "Drawing",
    "Sending",
    "Share",
    "Work",
    "check_apart",
    "check_handle",
    "check_object",
    "check_pipe",
    "check_set",
    "check_sizes",
    "check_space",
    "check_target",
    "check_text_target",
    "check_texts_target",
    "fill_arrays",
    "find_claimed_work",
    "find_work",
    "finish_set",
    "is_pipe",
    "list_standing",
    "mark_home",
    "open_pipe",
    "plan_sending",
    "take_share",
    "write_claimed",
    "write_object",
    "write_path",
    "write_pipe",
    "write_shards",
    "write_share",
    "write_text",
    "write_texts",
]

# What only sets in parts and outputs in stores need, by the modules that have it.
_MODULES = {
    "ClaimedWork": "claims",
    "Sending": "sending",
    "Share": "parts",
    "Work": "parts",
    "check_object": "objects",
    "check_sizes": "sending",
    "find_claimed_work": "claims",
    "find_work": "parts",
    "finish_set": "parts",
    "list_standing": "parts",
    "mark_home": "parts",
    "plan_sending": "sending",
    "take_share": "parts",
    "write_claimed": "claims",
    "write_object": "objects",
    "write_shards": "parts",
    "write_share": "parts",
}


def __getattr__(name: str) -> Any:
    """Load the module of a name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"xavinit.output.{_MODULES[name]}"), name)
