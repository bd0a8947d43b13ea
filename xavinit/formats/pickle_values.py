"""What a pickle is read as: plain data, and values of ours in the place of what it would make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct


class RefusedError(Exception):
    """The pickle asks for what plain data does not need. `fact` names it."""


class Pairs:
    """A dict as a pickle makes it: its pairs in order. Nothing is hashed, so no key is slow."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []


class Global(Struct, frozen=True):
    """A global of the closed table, by its name; nothing was imported."""

    name: str


class Plain(Struct, frozen=True):
    """A value that holds no tensors, such as bytes: what it is does not matter."""


PLAIN = Plain()

# What a global makes of the arguments that it is called with; None where it is not to be called.
# Raises `ValueError` for other arguments.
Constructors = Mapping[str, Callable[[tuple[Any, ...]], Any] | None]
