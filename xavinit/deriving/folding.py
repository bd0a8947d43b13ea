"""Tensors → families: names that differ in their numbers alone, folded.

A name is cut at its numbers. All names with the same text between, and the same shape and dtype,
are points of a grid, which is covered with boxes: each is one family, whose numbers run freely.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from xavinit.deriving.runs import split_runs
from xavinit.deriving.values import Family, NamedTensor, Run

MOST_NUMBERS = 8  # of a name that may fold
MOST_FAMILIES = 10_000  # that are compared with each other; a large model has some hundred

# As a spec's braces write it, and not within a word or a number, as in conv2d or 1e5. Nor what
# Keras numbers the variables of a layer by: what they are hangs on it.
_NUMBER = re.compile(r"(?<![0-9])(?<!/vars/)(0|[1-9][0-9]{0,5})(?![0-9A-Za-z])")

Point = tuple[int, ...]


class _Group:
    """Tensors with the same text, shape and dtype: their points, each with its place."""

    __slots__ = ("dtype", "init", "note", "points", "shape", "texts", "tied")

    def __init__(
        self, texts: tuple[str, ...], tensor: NamedTensor, tied: str | tuple[str, ...] | None
    ) -> None:
        self.texts = texts
        self.shape = tensor.shape
        self.dtype = tensor.dtype
        self.init = tensor.init
        self.note = tensor.note
        self.tied = tied
        self.points: dict[Point, int] = {}

    def list_families(self) -> Iterator[Family]:
        points = list(self.points)
        boxes = [tuple((n,) for n in points[0])] if len(points) == 1 else _cover(points)
        for box in boxes:
            yield Family(
                texts=self.texts,
                runs=box,
                shape=self.shape,
                dtype=self.dtype,
                index=self.points[tuple(run[0] for run in box)],
                count=math.prod(map(len, box)),
                tied=self.tied,
                init=self.init,
                note=self.note,
            )

    def split(self, number: int) -> Iterator[_Group]:
        """A group for each value of one of the numbers, which becomes a part of the text."""
        found: dict[int, _Group] = {}
        before, after = self.texts[:number], self.texts[number + 2 :]
        for point, index in self.points.items():
            value = point[number]
            group = found.get(value)
            if group is None:
                text = f"{self.texts[number]}{value}{self.texts[number + 1]}"
                group = found[value] = _Group.__new__(_Group)
                group.texts = (*before, text, *after)
                group.shape, group.dtype, group.init = self.shape, self.dtype, self.init
                group.note, group.tied, group.points = self.note, self.tied, {}
            group.points[point[:number] + point[number + 1 :]] = index
        yield from found.values()


def fold_tensors(tensors: Sequence[NamedTensor], plain: frozenset[str]) -> list[Family]:
    """The families of the tensors, by their first ones; those of the names in `plain` are single.

    >>> [f.runs for f in fold_tensors([NamedTensor(f"h.{n}.w", (3,), "float32") for n in (0, 1)],
    ...                               frozenset())]
    [((0, 1),)]
    """
    groups: dict[Any, _Group] = {}
    for index, tensor in enumerate(tensors):
        name = tensor.name
        parts = [name] if name in plain else _NUMBER.split(name, MOST_NUMBERS)
        texts, numbers = tuple(parts[::2]), parts[1::2]
        tied = None if tensor.tied is None else _split_tie(tensor.tied, numbers)
        key: Any = (texts, tensor.shape, tensor.dtype)
        if tensor.init is not None or tied is not None or name in plain:
            init = json.dumps(tensor.init, sort_keys=True)
            key = (*key, tied, init, tensor.note, index if name in plain else None)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(texts, tensor, tied)
        group.points[tuple(map(int, numbers))] = index
    families = _fold_groups(list(groups.values()))
    return sorted(families, key=lambda family: family.index)


def _fold_groups(groups: list[_Group]) -> list[Family]:
    """The families of groups, where numbers that mostly stand for what differs do not fold.

    The stages of a ResNet are each of their own kind: that a counter in two of them is alike is no
    reason to write it before their weights.
    """
    folded = [(group, list(group.list_families())) for group in groups]
    is_bounded = sum(len(families) for _, families in folded) <= MOST_FAMILIES
    for number in range(MOST_NUMBERS if is_bounded else 0):
        shares: dict[tuple[str, ...], list[int]] = {}
        for _, families in folded:
            for family in families:
                if len(family.runs) > number:
                    share = shares.setdefault(family.texts[: number + 1], [0, 0])
                    share[len(family.runs[number]) > 1] += family.count
        apart = {place for place, (single, several) in shares.items() if several <= single}
        if apart:
            folded = [
                (part, list(part.list_families()) if part is not group else families)
                for group, families in folded
                for part in (
                    group.split(number)
                    if len(group.texts) > number + 1 and group.texts[: number + 1] in apart
                    else (group,)
                )
            ]
    return [family for _, families in folded for family in families]


def _split_tie(target: str, numbers: list[str]) -> str | tuple[str, ...]:
    """The target of a tie: its pieces, where its numbers are those of the name, else itself."""
    parts = _NUMBER.split(target, MOST_NUMBERS)
    return tuple(parts[::2]) if numbers and parts[1::2] == numbers else target


def _cover(points: list[Point]) -> list[tuple[Run, ...]]:
    """Boxes that hold each point once, and nothing else."""
    forward = _cover_from_first(points)
    if len(forward) == 1 or len(points[0]) < 2:
        return forward
    backward = _cover_from_first([point[::-1] for point in points])
    return [box[::-1] for box in backward] if len(backward) < len(forward) else forward


def _cover_from_first(points: list[Point]) -> list[tuple[Run, ...]]:
    if not points[0]:
        return [()]
    rests: dict[int, list[Point]] = {}
    for point in points:
        rests.setdefault(point[0], []).append(point[1:])
    alike: dict[tuple[Point, ...], list[int]] = {}
    for number in sorted(rests):
        alike.setdefault(tuple(sorted(rests[number])), []).append(number)
    boxes: list[tuple[Run, ...]] = []
    for rest, numbers in alike.items():
        inner = _cover_from_first(list(rest))
        boxes += [(run, *box) for run in split_runs(numbers) for box in inner]
    return boxes
