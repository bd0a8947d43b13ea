"""A configuration → its tiny twin, found by trial: small sizes, and fewer where a class refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.configs.building import BuildError, build_model, make_config
from xavinit.configs.changes import list_changes
from xavinit.configs.library import Library
from xavinit.configs.small_sizes import GROUPS, SCALES, Change
from xavinit.configs.trying import UNDECIDED, try_model

MOST_PARAMETERS = 50_000_000  # of a model that is tried with numbers
MOST_ALONE = 8  # changes of a refused group that are tried one by one
_NUMBER = re.compile(r"(?:^|\.)(\d+)\.")


class Trial(Struct, frozen=True):
    """A configuration that could be built, and what is wrong with running it."""

    data: dict[str, Any]
    reason: str | None


def shrink(
    library: Library, cls: Any, data: Mapping[str, Any], model: Any, *, keep_vocab: bool
) -> dict[str, Any]:
    """The data of the tiny twin of a configuration whose model this is.

    Of a model that cannot be run with made-up inputs, what can be built is taken.
    """
    kinds = count_kinds(model, data)
    plans = [
        [
            change
            for change in list_changes(data, kinds, scale)
            if not (keep_vocab and is_vocab(change))
        ]
        for scale in SCALES
    ]
    built: list[Trial] = []
    for changes in plans:
        found = _try(library, cls, data, changes)
        if found is not None and found.reason is None:
            return found.data
        built += [found] if found is not None else []
    own = try_model(library, model)
    if built and own not in (None, UNDECIDED):
        return built[0].data  # not even the model itself runs so
    kept: list[Change] = []
    best = Trial(dict(data), own)
    for group in GROUPS:
        for wanted in _list_wanted(plans, group):
            found = _try(library, cls, data, [*kept, *wanted])
            if found is not None and found.reason in (None, UNDECIDED):
                kept += wanted
                best = found
                if len(wanted) > 1 or len(plans[0]) == 1:
                    break  # all of the group
    is_better = best.reason is None or own is None
    return best.data if is_better or not built else built[0].data


def is_vocab(change: Change) -> bool:
    return change.group == "vocab"


def _list_wanted(plans: Sequence[Sequence[Change]], group: str) -> Iterator[list[Change]]:
    """What is tried of a group: all of it in each way, then one after another."""
    groups = [[change for change in changes if change.group == group] for changes in plans]
    for number, changes in enumerate(groups):
        if changes and changes not in groups[:number]:
            yield changes
    if 1 < len(groups[0]) <= MOST_ALONE:
        yield from ([change] for change in groups[0])


def apply_changes(data: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """The data with new values."""
    made = copy.deepcopy(dict(data))
    for change in changes:
        part = made
        for key in change.path[:-1]:
            part = part[key]
        part[change.path[-1]] = change.value
    return made


def _try(
    library: Library, cls: Any, data: Mapping[str, Any], changes: Sequence[Change]
) -> Trial | None:
    """Build and run; None where not even the first goes. A large model runs without numbers."""
    made = apply_changes(data, changes)
    try:
        model = build_model(library, cls, make_config(library, made))
        count = sum(parameter.numel() for parameter in model.parameters())
        if count <= MOST_PARAMETERS:
            config = make_config(library, made)
            model = build_model(library, cls, config, device="cpu", seed=0)
    except BuildError:
        return None
    return Trial(made, try_model(library, model))


def count_kinds(model: Any, data: Mapping[str, Any]) -> dict[int, int]:
    """For a number of blocks: how many of the first ones have each kind of block among them."""
    found: dict[int, int] = {}
    for kinds in (*_list_stacks(model), *_list_patterns(data)):
        last = max(kinds.index(kind) for kind in set(kinds)) + 1
        found[len(kinds)] = max(found.get(len(kinds), 0), last)
    return found


def _list_stacks(model: Any) -> Iterator[Sequence[object]]:
    """The blocks of each stack, each as what is in it."""
    stacks: dict[str, dict[int, set[object]]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        for match in _NUMBER.finditer(name):
            inside = re.sub(r"\.\d+\.", ".N.", name[match.end(1) :])
            blocks = stacks.setdefault(name[: match.start(1)], {})
            blocks.setdefault(int(match[1]), set()).add((inside, tuple(tensor.shape)))
    for blocks in stacks.values():
        if sorted(blocks) == list(range(len(blocks))):
            yield [frozenset(blocks[number]) for number in range(len(blocks))]


def _list_patterns(data: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Lists that have the same few values again and again, as layer_types."""
    for value in data.values():
        if isinstance(value, Mapping):
            yield from _list_patterns(value)
        elif isinstance(value, list) and len(value) > 1:
            is_plain = all(isinstance(v, str | bool | int) for v in value)
            if is_plain and len(set(value)) <= max(len(value) // 2, 1):
                yield value
