"""Streams: (seed, stream name, element, law, dtype) → value, the number contract in code.

A `Stream` cuts tensors into pieces and fills them, in any order or one after another.
`xavinit-1` has two kernels that give the same bits: `reference`, written in NumPy to be read, and
`native`, in C, where it was built.

To add one: a module with `make_stream`, and a line in `STREAMS`. The stream of another library,
which an rng asks for, has a line in `RNGS`; its `make_stream` also takes its name with variants,
and the plan's sequence of tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from xavinit.errors import UsageError
from xavinit.plan import TensorPlan
from xavinit.streams.kernels import CHOICE, KERNELS, Filler, choose_kernel
from xavinit.streams.keys import make_key
from xavinit.streams.stream import Fill, Piece, Stream, split_tensor
from xavinit.streams.tries import Tries
from xavinit.wording import format_choices, format_value

# The module of each stream, loaded when it is asked for. Its `make_stream` takes the seed.
STREAMS = {"xavinit-1": "xavinit.streams.xavinit1"}
# The same of each rng, by its name without variants.
RNGS = {
    "torch-2.13": "xavinit.streams.torch213",
    "keras-3.15": "xavinit.streams.keras315",
    "jax-0.10": "xavinit.streams.jax010",
}
# What tries many seeds of each at once.
TRIES = {
    "torch-2.13": "xavinit.streams.tries_torch",
    "keras-3.15": "xavinit.streams.tries_keras",
    "jax-0.10": "xavinit.streams.tries_jax",
}


def make_tries(rng: str, seeds: Sequence[int], *numbers: int) -> Tries:
    """Many seeds of an rng; of PyTorch's so many words on, of JAX's with these folded in."""
    tries: Tries = import_module(TRIES[rng]).make_tries(seeds, *numbers)
    return tries


def make_stream(name: str, seed: int, sequence: Sequence[TensorPlan]) -> Stream:
    """The stream of this name under a seed, or `UsageError`; an rng's takes the plan's sequence."""
    rng = name.partition(",")[0]
    if rng in RNGS:
        rngs: Stream = import_module(RNGS[rng]).make_stream(name, seed, sequence)
        return rngs
    if name not in STREAMS:
        raise UsageError(f"stream must be {format_choices(STREAMS)}; got {format_value(name)}")
    stream: Stream = import_module(STREAMS[name]).make_stream(seed)
    return stream


__all__ = [
    "CHOICE",
    "KERNELS",
    "RNGS",
    "STREAMS",
    "TRIES",
    "Fill",
    "Filler",
    "Piece",
    "Stream",
    "Tries",
    "choose_kernel",
    "make_key",
    "make_stream",
    "make_tries",
    "split_tensor",
]
