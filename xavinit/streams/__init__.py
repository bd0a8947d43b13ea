"""Streams: (seed, stream name, element, law, dtype) → value, the number contract in code.

A `Stream` cuts tensors into pieces and fills them, in any order or one after another.
`xavinit-1` has two kernels that give the same bits: `reference`, written in NumPy to be read, and
`native`, in C, where it was built.

To add one: a module with `make_stream`, and a line in `STREAMS`.
"""

from __future__ import annotations

from importlib import import_module

from xavinit.errors import UsageError
from xavinit.streams.kernels import CHOICE, KERNELS, Filler, choose_kernel
from xavinit.streams.keys import make_key
from xavinit.streams.stream import Fill, Piece, Stream, split_tensor
from xavinit.wording import format_choices, format_value

# The module of each stream, loaded when it is asked for. Its `make_stream` takes the seed.
STREAMS = {"xavinit-1": "xavinit.streams.xavinit1"}


def make_stream(name: str, seed: int) -> Stream:
    """The stream of this name under a seed, or `UsageError`."""
    if name not in STREAMS:
        raise UsageError(f"stream must be {format_choices(STREAMS)}; got {format_value(name)}")
    stream: Stream = import_module(STREAMS[name]).make_stream(seed)
    return stream


__all__ = [
    "CHOICE",
    "KERNELS",
    "STREAMS",
    "Fill",
    "Filler",
    "Piece",
    "Stream",
    "choose_kernel",
    "make_key",
    "make_stream",
    "split_tensor",
]
