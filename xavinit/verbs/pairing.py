"""Which tensor of one file is compared with which of another: by names, by maps, by the spec."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.errors import InputError, SpecError, UsageError
from xavinit.formats import Index, StoredTensor, load_index, permute
from xavinit.reading import Pair
from xavinit.spec import Rename, parse_rename
from xavinit.verbs.arrays import PLACE, store_array
from xavinit.wording import explain_os_error, format_value

# The path of a weights file, or arrays by name.
Weights = str | os.PathLike[str] | Mapping[str, Any]


class Side(Struct, frozen=True):
    """One of the two: its tensors by name in their order, and the spec that it carries."""

    name: str
    tensors: Mapping[str, StoredTensor]
    spec: Mapping[str, Any] | None = None
    is_pipe: bool = False


class Suspect(Struct, frozen=True):
    """Two tensors that are the same where a mistake was made, and what the mistake is."""

    pair: Pair
    note: str


class Match(Struct, frozen=True):
    """Two tensors that are one and the same by their names or by the spec.

    `name` is A's, or PyTorch's where the spec tells it; `a` and `b` are the files' own (of several
    tensors that PyTorch has as one, all of them). `shape` is that in which elements are counted.
    `pair` is None where their elements cannot be compared one by one, and `fault` says why.
    `stored` are the tensors as they lie in the files, where each is one. `suspects` are mistakes
    to look for where they differ.
    """

    name: str
    a: tuple[StoredTensor, ...]
    b: tuple[StoredTensor, ...]
    shape: tuple[int, ...]
    pair: Pair | None
    fault: str | None = None
    stored: Pair | None = None
    suspects: tuple[Suspect, ...] = ()


class Pairing(Struct, frozen=True):
    """What is compared, and what is in one of the two alone; `by` says how it was found."""

    matches: tuple[Match, ...]
    only_a: tuple[StoredTensor, ...]
    only_b: tuple[StoredTensor, ...]
    by: str = "names"  # "names" | "maps" | "spec"
    warnings: tuple[str, ...] = ()


def load_side(source: Weights) -> Side:
    """The tensors of a weights file, or arrays by name."""
    if isinstance(source, Mapping):
        return Side(PLACE, {name: store_array(name, array) for name, array in source.items()})
    if not isinstance(source, str | bytes | os.PathLike):
        raise UsageError(f"diff takes paths, or arrays by name; got {format_value(source)}")
    index = load_index(os.fsdecode(source))
    tensors = {tensor.name: tensor for tensor in index.tensors}
    return Side(index.path, tensors, _find_spec(index), index.is_pipe)


def _find_spec(index: Index) -> Mapping[str, Any] | None:
    recipe = index.parse_recipe()
    return None if recipe is None else {**recipe.spec, "seed": recipe.seed}


def pair_by_names(a: Side, b: Side) -> Pairing:
    """Tensors of one name."""
    matches = tuple(match(a.tensors[n], b.tensors[n]) for n in a.tensors if n in b.tensors)
    return Pairing(
        matches,
        tuple(stored for name, stored in a.tensors.items() if name not in b.tensors),
        tuple(stored for name, stored in b.tensors.items() if name not in a.tensors),
    )


def match(a: StoredTensor, b: StoredTensor, axes: Sequence[int] | None = None) -> Match:
    """Two tensors, the axes of B's in this order."""
    stored = Pair(a, b)
    if axes is not None and not b.dtype.itemsize:
        return Match(a.name, (a,), (b,), a.shape, None, f"{b.dtype.name} is not transposed")
    moved = b if axes is None else permute(b, axes)
    shape = b.shape if axes is None else tuple(b.shape[axis] for axis in axes)
    if a.shape == shape:
        return Match(a.name, (a,), (b,), a.shape, Pair(a, moved), stored=stored)
    told = list(b.shape) if axes is None else f"{list(shape)} (transposed)"
    fault = f"shape {list(a.shape)} in A, {told} in B"
    return Match(a.name, (a,), (b,), a.shape, None, fault, stored)


def parse_maps(texts: str | Sequence[str]) -> tuple[Rename, ...]:
    """The maps in texts; `UsageError` otherwise."""
    texts = (texts,) if isinstance(texts, str) else texts
    try:
        return tuple(map(parse_rename, texts))
    except SpecError as error:
        raise error.blame_caller() from None


def load_maps(texts: Sequence[str]) -> tuple[str, ...]:
    """Maps, and for `@FILE` those of a file: one on each line, but for blank ones and `#`."""
    maps: list[str] = []
    for text in texts:
        if not text.startswith("@"):
            maps.append(text)
            continue
        try:
            with open(text[1:], encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except OSError as error:
            raise InputError(f"cannot read {text[1:]}: {explain_os_error(error)}") from error
        except UnicodeDecodeError:
            raise InputError(f"{text[1:]} must be text in UTF-8") from None
        maps += [line for line in lines if line and not line.startswith("#")]
    return tuple(maps)


def pair_by_maps(a: Side, b: Side, maps: Sequence[Rename]) -> Pairing:
    """Each tensor of A with that of B whose name the last map gives that is for A's, or its own."""
    matches: list[Match] = []
    only_a: list[StoredTensor] = []
    taken: dict[str, str] = {}  # names of B, each with that of A
    used: set[str] = set()
    led: set[str] = set()
    lost: dict[str, str] = {}  # of maps that led to no tensor of B: the first such name
    for name, stored in a.tensors.items():
        found = ((rename, rename.apply(name)) for rename in reversed(maps))
        rename, other = next(
            ((rename, other) for rename, other in found if other is not None), (None, name)
        )
        if rename is not None:
            used.add(rename.text)
        if other not in b.tensors:
            only_a.append(stored)
            if rename is not None:
                lost.setdefault(rename.text, other)
            continue
        if other in taken:
            raise UsageError(
                f"maps must give each tensor of B to one of A; got {format_value(other)} for "
                f"{format_value(taken[other])} and {format_value(name)}"
            )
        taken[other] = name
        if rename is not None:
            led.add(rename.text)
        target = b.tensors[other]
        try:
            axes = None if rename is None else rename.find_axes(len(target.shape))
        except SpecError as error:
            raise error.blame_caller() from None
        matches.append(match(stored, target, axes))
    warnings = tuple(
        f"the map {format_value(rename.text)} is for no tensor of A"
        for rename in maps
        if rename.text not in used
    )
    warnings += tuple(
        f"the map {format_value(text)} leads to no tensor of B, such as {format_value(other)} "
        "(axes are T, or numbers such as 3,2,0,1)"
        for text, other in lost.items()
        if text not in led
    )
    only_b = tuple(stored for name, stored in b.tensors.items() if name not in taken)
    return Pairing(tuple(matches), tuple(only_a), only_b, "maps", warnings)
