"""Tensors that repeat, as one row: `model.layers.{0..31}.mlp.up_proj.weight`, ×32.

Names are cut at their numbers into a tree. Two numbers fold where all that follows them is alike:
the same names with the same shapes, dtypes, fans and laws. So a row with {0..31} says that 32 whole
blocks are alike in this tensor and in every other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from xavinit.plan import TensorPlan

MOST_NUMBERS = 8  # of a name; what follows has to be the same

# As a spec's braces write it, and not within a word or number, as in conv2d or 1e5.
_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,8})(?![0-9A-Za-z])")


class Row(Struct, frozen=True):
    """Tensors that are alike but for the numbers in their names; `first` is one of them."""

    name: str  # with braces where it stands for several
    count: int
    first: TensorPlan


class _Node:
    """What names go on with: text that is their end, or text before a number."""

    __slots__ = ("branches", "leaves")

    def __init__(self) -> None:
        self.leaves: dict[str, tuple[int, int]] = {}  # the tensor's index, and what it is alike in
        self.branches: dict[str, dict[int, _Node]] = {}


def list_rows(tensors: Sequence[TensorPlan]) -> Iterator[Row]:
    """A row for each tensor."""
    return (Row(tensor.name, 1, tensor) for tensor in tensors)


def fold(tensors: Sequence[TensorPlan]) -> list[Row]:
    """The rows of tensors, each at the place of its first."""
    kinds: dict[Any, int] = {}
    root = _Node()
    for index, tensor in enumerate(tensors):
        node = root
        *pairs, rest = _split(tensor.name)
        for text, number in zip(pairs[::2], pairs[1::2], strict=True):
            node = node.branches.setdefault(text, {}).setdefault(int(number), _Node())
        kind = _find_kind(tensor)
        node.leaves[rest] = (index, kinds.setdefault(kind, len(kinds)))
    rows = sorted(_list_rows(root), key=lambda row: row[0])
    return [
        # Braces of its own are those of a spec only where the others are too.
        Row(name if count > 1 else tensors[index].name, count, tensors[index])
        for index, name, count in rows
    ]


def _split(name: str) -> list[str]:
    """Text and numbers by turns."""
    return _NUMBER.split(name, maxsplit=MOST_NUMBERS)


def _find_kind(tensor: TensorPlan) -> Any:
    """What rows of one kind show alike; streams are, which differ in numbers alone."""
    stream = "" if tensor.stream == tensor.name else _NUMBER.sub("0", tensor.stream)
    zeros = tensor.view is not None and (tensor.view.zeros, tensor.view.count)
    number = type(getattr(tensor.law, "value", None))  # to Python, true is 1
    law = (type(tensor.law), tensor.law, number)
    return tensor.shape, tensor.dtype.name, tensor.fans, law, zeros, tensor.zero_rows, stream


def _sign(node: _Node, signs: dict[Any, int], memory: dict[int, int]) -> int:
    """A number that nodes share whose contents are alike."""
    if id(node) not in memory:
        content = (
            tuple(sorted((text, kind) for text, (_, kind) in node.leaves.items())),
            tuple(
                (
                    text,
                    tuple((n, _sign(child, signs, memory)) for n, child in sorted(found.items())),
                )
                for text, found in sorted(node.branches.items())
            ),
        )
        memory[id(node)] = signs.setdefault(content, len(signs))
    return memory[id(node)]


def _list_rows(root: _Node) -> Iterator[tuple[int, str, int]]:
    """(the first tensor's index, the name, how many) of each row."""
    signs: dict[Any, int] = {}
    memory: dict[int, int] = {}

    def walk(node: _Node, prefix: str, count: int) -> Iterator[tuple[int, str, int]]:
        for text, (index, _) in node.leaves.items():
            yield index, prefix + _double(text), count
        for text, children in node.branches.items():
            by_sign: dict[int, list[int]] = {}
            for number in sorted(children):
                by_sign.setdefault(_sign(children[number], signs, memory), []).append(number)
            for numbers in by_sign.values():
                for run in _split_runs(numbers):
                    shown = f"{prefix}{_double(text)}{_format_run(run)}"
                    yield from walk(children[run[0]], shown, count * len(run))

    return walk(root, "", 1)


def _split_runs(numbers: list[int]) -> Iterator[range]:
    """Rising numbers as ranges; a step of more than 1 takes three numbers."""
    start = 0
    while start < len(numbers):
        stop = start + 1
        if stop < len(numbers):
            step = numbers[stop] - numbers[start]
            while stop < len(numbers) and numbers[stop] - numbers[stop - 1] == step:
                stop += 1
            if step > 1 and stop - start < 3:
                stop = start + 1
        first = numbers[start]
        step = numbers[start + 1] - first if stop - start > 1 else 1
        yield range(first, numbers[stop - 1] + 1, step)
        start = stop


def _format_run(run: range) -> str:
    if len(run) == 1:
        return str(run[0])
    step = f"..{run.step}" if run.step > 1 else ""
    return f"{{{run[0]}..{run[-1]}{step}}}"


def _double(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
