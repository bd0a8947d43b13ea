"""A key and an element's index → what JAX makes of them, by the native kernel: the bits of
jax_numpy.py.
"""

from __future__ import annotations

from xavinit.layers import View
from xavinit.plan import Key
from xavinit.streams import _kernel
from xavinit.streams.boxes import Strided, list_strided
from xavinit.streams.jax_laws import KINDS, Draw

__all__ = ["fill"]

_NUMBERS = {name: facts[0] for name, facts in _kernel.DTYPES.items()}


def fill(
    out: memoryview,
    key: Key,
    draw: Draw,
    dtype: str,
    start: int,
    stop: int,
    view: View | None = None,
) -> None:
    whole = Strided(start, 0, ((stop - start, 1, 1),))
    pieces = (whole,) if view is None else list_strided(view, start, stop)
    kind, number = KINDS.index(draw.kind), _NUMBERS[dtype]
    numbers = draw.first, draw.second, draw.scale
    for first, place, axes in pieces:
        _kernel.jax_fill(out, key, kind, number, numbers, first, place, axes)
