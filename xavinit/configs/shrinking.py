"""A configuration → its tiny twin, found by trial: small sizes, and fewer where a class refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.configs.building import BuildError, build_model, make_config
from xavinit.configs.library import Library
from xavinit.configs.small_sizes import GROUPS, Change, list_changes
from xavinit.configs.trying import try_model

MOST_PARAMETERS = 20_000_000  # of a model that is tried with numbers
_NUMBER = re.compile(r"(?:^|\.)(\d+)\.")


def count_kinds(model: Any, data: Mapping[str, Any]) -> dict[int, int]:
    """For a number of blocks: how many of the first ones have every kind among them."""
    blocks: dict[str, dict[int, set[object]]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        for match in _NUMBER.finditer(name):
            prefix, number = name[: match.start(1)], int(match[1])
            inside = re.sub(r"\.\d+\.", ".N.", name[match.end(1) :])
            blocks.setdefault(prefix, {}).setdefault(number, set()).add((inside, tuple(tensor.shape)))
    found: dict[int, int] = {}

    def add(kinds: Sequence[object]) -> None:
        last = max(kinds.index(kind) for kind in kinds) + 1
        found[len(kinds)] = max(found.get(len(kinds), 0), last)

    for stack in blocks.values():
        if sorted(stack) == list(range(len(stack))):
            add([frozenset(stack[n]) for n in range(len(stack))])
    for values in _list_lists(data):
        if len(values) > 1 and all(isinstance(v, str | bool | int) for v in values):
            if len(set(values)) <= max(len(values) // 2, 1):
                add(values)
    return found


def _list_lists(data: Any) -> list[list[Any]]:
    lists = []
    for value in data.values() if isinstance(data, Mapping) else ():
        if isinstance(value, list):
            lists.append(value)
        lists += _list_lists(value)
    return lists


class Trial(Struct, frozen=True):
    """A configuration that was tried, its model without numbers, and what is wrong with a pass."""

    data: dict[str, Any]
    model: Any
    reason: str | None


def shrink(
    library: Library, cls: Any, data: Mapping[str, Any], model: Any, *, keep_vocab: bool
) -> Trial:
    """The tiny twin of a configuration, given as all of its data, with the model of it.

    Raises `BuildError` where not even the configuration itself can be built.
    """
    changes = list_changes(data, count_kinds(model, data))
    if keep_vocab:
        changes = [change for change in changes if change.group != "vocab"]
    best = _try(library, cls, data, changes)
    if isinstance(best, Trial) and best.reason is None:
        return best
    kept: list[Change] = []
    for group in GROUPS:
        wanted = [change for change in changes if change.group == group]
        if not wanted:
            continue
        found = _try(library, cls, data, [*kept, *wanted])
        if isinstance(found, Trial) and found.reason is None:
            kept += wanted
            best = found
            continue
    if isinstance(best, Trial):
        return best
    raise best


def apply_changes(data: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    made = copy.deepcopy(dict(data))
    for change in changes:
        part = made
        for key in change.path[:-1]:
            part = part[key]
        part[change.path[-1]] = change.value
    return made


def _try(
    library: Library, cls: Any, data: Mapping[str, Any], changes: Sequence[Change]
) -> Trial | BuildError:
    made = apply_changes(data, changes)
    try:
        config = make_config(library, made)
        model = build_model(library, cls, config)
        count = sum(parameter.numel() for parameter in model.parameters())
        if count > MOST_PARAMETERS:
            return Trial(made, model, f"{count:,} parameters")
        real = build_model(library, cls, make_config(library, made), device="cpu", seed=0)
    except BuildError as error:
        return error
    return Trial(made, model, try_model(library, real))
