"""All changes that make a configuration small: sizes, lists by block, tables, special tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from xavinit.configs.small_sizes import (
    COUNTED_EXPERTS,
    EXPERTS,
    INDEX_LISTS,
    STAGES,
    VOCAB,
    WIDTH_LISTS,
    WIDTHS,
    Change,
    Scale,
    Tower,
    is_size,
)
from xavinit.configs.small_sizes import DEPTH as STAGE_DEPTH

_TOKEN = re.compile(r"(token_ids?|token_index|token_idx|_id|eos_token|tokens)\Z")
_ROPE = ("rope_parameters", "rope_scaling")
_LABELS = ("id2label", "label2id", "pruned_heads", "task_specific_params")

Path = tuple[str, ...]


def list_changes(
    data: Mapping[str, Any], kinds: Mapping[int, int], scale: Scale
) -> tuple[Change, ...]:
    """The changes that make a configuration small.

    `kinds` gives for a number of blocks how many of the first ones have each kind among them.
    """
    widths = frozenset(_list_widths(data))
    changes = [*_walk(data, (), kinds, scale, widths), *_change_tokens(data)]
    return tuple(changes)


def _list_widths(data: Mapping[str, Any]) -> Iterator[int]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _list_widths(value)
        elif is_size(value) and WIDTHS.fullmatch(key):
            yield value


def _walk(
    data: Mapping[str, Any],
    path: Path,
    kinds: Mapping[int, int],
    scale: Scale,
    widths: frozenset[int],
) -> Iterator[Change]:
    tower = Tower(data, scale, kinds, widths)
    for key, value in data.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            if key in _ROPE:
                yield from _change_rope(here, value, data, tower)
            elif value and all(str(name).isdigit() for name in value) and tower.layers:
                yield from _cut_table(here, value, tower)
            elif key not in _LABELS:
                yield from _walk(value, here, kinds, scale, widths)
            continue
        found: tuple[str, Any] | None = None
        if isinstance(value, list):
            found = _change_list(key, value, tower)
        elif is_size(value):
            found = tower.shrink(key, value)
        if found is not None and found[1] != value:
            yield Change(here, found[1], found[0])


def _cut_table(path: Path, table: Mapping[str, Any], tower: Tower) -> Iterator[Change]:
    """What a table says of blocks by their number, of those that are left."""
    count = tower.count_blocks(max(tower.layers))
    kept = {name: value for name, value in table.items() if int(name) < count}
    if kept != table:
        yield Change(path, kept, "layers")


def _change_list(key: str, value: list[Any], tower: Tower) -> tuple[str, Any] | None:
    if not value:
        return None
    are_sizes = all(map(is_size, value))
    if STAGES.fullmatch(key) and are_sizes:
        return "layers", [min(size, STAGE_DEPTH) for size in value]
    if key == "mrope_section" and are_sizes:
        return "width", scale_sections(value, tower.head // 2)
    if tower.layers:
        small = tower.count_blocks(max(tower.layers))
        if key in ("out_features", "stage_names") and all(isinstance(v, str) for v in value):
            return "layers", _cut_stages(value, small)
        if key == "out_indices" and are_sizes:
            return "layers", list(dict.fromkeys(min(v, small) for v in value))
        if len(value) in tower.layers and len(value) > STAGE_DEPTH:
            cut = value[: tower.count_blocks(len(value))]
            return "layers", [_shrink_item(key, item, tower) for item in cut]
        are_numbers = all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        if INDEX_LISTS.fullmatch(key) and are_numbers:
            return "layers", [v for v in value if v < small] or [small - 1]
    if WIDTH_LISTS.fullmatch(key) and are_sizes:
        return "stages", scale_widths(value)
    if COUNTED_EXPERTS.fullmatch(key) and are_sizes:
        return "experts", [min(v, EXPERTS) for v in value]
    return None


def _shrink_item(key: str, item: Any, tower: Tower) -> Any:
    """The size of one block, where each has its own."""
    found = tower.shrink(key, item) if is_size(item) else None
    return item if found is None else found[1]


def _cut_stages(names: list[str], count: int) -> list[str]:
    """The blocks that a backbone gives, by name; instead of those beyond, the last."""
    cut = (
        f"stage{min(int(name[5:]), count)}" if re.fullmatch(r"stage\d+", name) else name
        for name in names
    )
    return list(dict.fromkeys(cut))


def _change_rope(
    path: Path, rope: Mapping[str, Any], data: Mapping[str, Any], tower: Tower
) -> Iterator[Change]:
    """Tables of positions, which have a number for each pair of a head's."""
    share = rope.get("partial_rotary_factor", data.get("partial_rotary_factor"))
    share = share if isinstance(share, int | float) and not isinstance(share, bool) else 1
    half = int(tower.head * share) // 2
    for key, value in rope.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            yield from _change_rope(here, value, data, tower)
        elif key in ("short_factor", "long_factor") and isinstance(value, list):
            yield Change(here, value[:half], "width")
        elif key == "mrope_section" and isinstance(value, list) and all(map(is_size, value)):
            yield Change(here, scale_sections(value, half), "width")


def scale_sections(sections: list[int], total: int) -> list[int]:
    """Sections in about the same shares, each at least 1, of another total.

    >>> scale_sections([16, 24, 24], 8)
    [2, 3, 3]
    """
    whole = sum(sections)
    made = [max(section * total // whole, 1) for section in sections]
    made[-1] += total - sum(made)
    return made


def scale_widths(widths: list[int]) -> list[int]:
    """Widths of stages, all divided by the same power of two.

    >>> scale_widths([32, 64, 160, 256]), scale_widths([512, 512])
    ([8, 16, 40, 64], [8, 8])
    """
    common = math.gcd(*widths)
    divisors = (d for d in (64, 32, 16, 8, 4, 2) if common % d == 0 and min(widths) // d >= 8)
    divisor = next(divisors, 1)
    return [width // divisor for width in widths]


def _change_tokens(data: Mapping[str, Any]) -> Iterator[Change]:
    """Special tokens that a small vocabulary has no place for become its last ones."""
    found = list(_list_tokens(data, ()))
    ids = sorted(
        {
            number
            for _, value in found
            for number in (value if isinstance(value, list) else [value])
            if is_size(number) and number >= VOCAB
        }
    )
    places = {n: max(VOCAB - len(ids) + rank, VOCAB // 2) for rank, n in enumerate(ids)}

    def move(value: Any) -> Any:
        return places.get(value, value) if is_size(value) else value

    for path, value in found:
        new = list(map(move, value)) if isinstance(value, list) else move(value)
        if new != value:
            yield Change(path, new, "vocab")


def _list_tokens(data: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _list_tokens(value, (*path, key))
        elif _TOKEN.search(key) and "type" not in key:
            yield (*path, key), value
