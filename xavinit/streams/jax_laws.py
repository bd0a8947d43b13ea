"""What JAX makes of a law: a unit number, and what it is multiplied with."""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("uniform", "normal", "truncated")


class Draw(NamedTuple):
    """How the bits of an element become its value, every step rounded to the dtype.

    uniform: on [first, second), times scale. normal and truncated: the inverse error function times
    `first`, then times scale; a truncated one is held within ±2 between the two.
    """

    kind: str
    first: float
    second: float
    scale: float
