"""Sizes → dims with telling names, and every shape in terms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from xavinit.deriving.axes import AxisGuess
from xavinit.deriving.claims import Claims
from xavinit.deriving.counts import Counts, name_last, name_split, shorten
from xavinit.deriving.dims import NAME, Dim, DimTable
from xavinit.deriving.heads import add_heads
from xavinit.deriving.roles import (
    BY_HEADS,
    FORMS,
    INLINE,
    MEANINGS,
    MULTIPLES,
    PARTS,
    Claim,
)
from xavinit.deriving.scales import scale_shapes
from xavinit.deriving.units import find_unit, format_multiple
from xavinit.deriving.values import Family, Size

_MOST_VALUES = 3  # of a role in one tower, of which the usual one gets the dim
_LEAST_SHARE = 0.75  # of a role's tensors that have the usual value
_SMALLEST = 16  # of sizes that are taken for a dim by their value alone
_FACTORS = (2, 3, 4, 5, 6, 7, 8)
# Widths that sizes of no known role are compared with.
_WIDTHS = ("d", "ff", "inner", "moe_ff", "q", "kv", "hidden", "vocab", "emb", "context")


class Dims(Struct, frozen=True):
    """The dims of a spec in their order, and the shape of each family in terms of them."""

    dims: tuple[Dim, ...]
    shapes: tuple[tuple[Size, ...], ...]


def find_dims(
    families: Sequence[Family],
    guesses: Sequence[AxisGuess],
    counts: Counts,
    sizes: Mapping[str, int],
) -> Dims:
    """The dims of a model and the shapes of its families."""
    table = DimTable(sizes)
    claims = Claims(families, guesses, counts.towers)
    for stack in counts.stacks.values():
        role = "experts" if stack.dim.endswith("experts") else "blocks"
        table.add(stack.dim, role, stack.count)
        table.forms.setdefault((role, stack.tower if "_" in stack.dim else ""), stack.dim)
        if stack.dim in counts.split:
            table.add(name_split(stack.dim), "dense", counts.split[stack.dim])
        if stack.dim in counts.lasts:
            table.add(name_last(stack.dim), "last", stack.count - 1, f"{stack.dim} - 1")
            table.note(stack.dim, _say_least(stack.dim, counts))
    for role in _sort_roles(claims):
        _settle(role, claims, table)
        if role == "d":
            add_heads(claims, table)
    unit = None
    if not any(role == "d" for role, _ in table.forms):
        unit = find_unit(families, guesses)
        if unit is not None:
            table.forms["w", ""] = table.add("w", "w", unit)
    shapes = tuple(
        _write_shape(family, found, tower, table, unit)
        for family, found, tower in zip(families, claims.of, claims.towers, strict=True)
    )
    shapes = scale_shapes(families, shapes)
    return Dims(tuple(_list_used(table, shapes, counts)), shapes)


def _say_least(dim: str, counts: Counts) -> str:
    """How small the dim of a stack may be set and leave some of each kind of block."""
    start = counts.lasts[dim]
    if not start:
        return ""
    split = counts.split.get(dim)
    return f"more than {name_split(dim) if start == split else start}"


def _sort_roles(claims: Claims) -> list[str]:
    """The claimed roles, each after those that its forms are made of."""
    first = ("vocab", "ctx", "types", "d", "heads", "head", "q", "kv", "q_lora", "kv_lora", "rope",
             "ff", "moe_ff", "inner", "dt_rank", "state")  # fmt: skip
    claimed = {role for role, _ in claims.values}
    return [*(r for r in first if r in claimed or r == "d"), *sorted(claimed - {*first, "norm"})]


def _settle(role: str, claims: Claims, table: DimTable) -> None:
    """Find the value of a role: one for the whole model, or one for each tower."""
    names = {role}
    if role == "d" and not any(name == "d" for name, _ in claims.values):
        names = {"emb", "norm"}
    values = {
        tower: value
        for (name, tower), found in claims.values.items()
        if name in names and (value := _choose_value(found, role, claims, tower)) is not None
    }
    if not values:
        return
    if len(set(values.values())) == 1:
        _define(role, "", _name_role(role, claims, table), next(iter(values.values())), table)
        return
    for tower, value in sorted(values.items(), key=lambda item: not item[0]):
        if tower:
            _define(role, tower, f"{shorten(tower)}_{role}", value, table)
    if "" in values and values[""] not in [v for t, v in values.items() if t]:
        _define(role, "", role, values[""], table)


def _name_role(role: str, claims: Claims, table: DimTable) -> str:
    """The dim of a role: a plainer name where a model has nothing to tell it from."""
    if role == "moe_ff" and not any(at == "ff" for at, _ in table.forms):
        return "ff"
    claimed = {known for known, _ in claims.values}
    has_blocks = any(known == "blocks" for known, _ in table.forms)
    is_first = role == "ff" or (role == "d" and "ff" not in claimed)
    return "hidden" if is_first and not has_blocks and not claimed & {"emb", "norm"} else role


def _choose_value(found: Counter[int], role: str, claims: Claims, tower: str) -> int | None:
    """The usual value of a role in a tower, or None where there is none."""
    (value, count), *_ = found.most_common(1)
    if role == "d" and count < _LEAST_SHARE * found.total():
        found = found + claims.values.get(("norm", tower), Counter())
        (value, count), *_ = found.most_common(1)
    if (role != "d" and len(found) > _MOST_VALUES) or count < _LEAST_SHARE * found.total():
        return None
    return value


def _define(role: str, tower: str, name: str, value: int, table: DimTable) -> None:
    """Write a role in terms of those before it, or as a dim of its own."""
    for form in FORMS.get(role, ()):
        if role in BY_HEADS and "head" in form and table.find("head", tower) is None:
            continue
        expanded = table.expand(form, tower)
        if expanded is None or table.compute(expanded) != value:
            continue
        if form not in MEANINGS and role not in INLINE:
            expanded = table.add(name, role, value, expanded)
        table.forms[role, tower] = expanded
        return
    width = table.find("d", tower)
    form_of = None
    if width is not None and NAME.fullmatch(width):
        d = table.values[width]
        if role in MULTIPLES and value % d == 0 and value // d <= 16:
            form_of = f"{value // d}*{width}" if value > d else width
        elif role in PARTS and value > 1 and d % value == 0 and d > value:
            form_of = f"{width} // {d // value}"
    if form_of == width and width is not None:
        table.forms[role, tower] = width
        return
    table.forms[role, tower] = table.add(name, role, value, form_of)


def _write_shape(
    family: Family, claims: Sequence[Claim], tower: str, table: DimTable, unit: int | None
) -> tuple[Size, ...]:
    shape: list[Size] = list(family.shape)
    claimed = set()
    for claim in claims:
        form = table.find(claim.role, tower)
        if form is None:
            continue
        if claim.factor > 1:
            form = f"{claim.factor}*{form}" if NAME.fullmatch(form) else f"{claim.factor}*({form})"
        if table.compute(form) == family.shape[claim.axis]:
            shape[claim.axis] = form
            claimed.add(claim.axis)
    for axis, size in enumerate(family.shape):
        if axis not in claimed and size >= _SMALLEST:
            if unit is not None:
                shape[axis] = format_multiple("w", size, unit)
            else:
                shape[axis] = _write_size(size, tower, table)
    return tuple(shape)


def _write_size(size: int, tower: str, table: DimTable) -> Size:
    """A size of no known role, by its value."""
    widths = [
        (form, table.values[form])
        for at in dict.fromkeys((tower, "", *(t for _, t in table.forms)))
        for role in _WIDTHS
        if (form := table.forms.get((role, at))) is not None and form in table.values
    ]
    for form, value in widths:
        if value == size:
            return form
    for form, value in widths:
        if form.endswith(("d", "hidden")) and value >= _SMALLEST:
            for factor in _FACTORS:
                if size == factor * value:
                    return f"{factor}*{form}"
    return size


def _list_used(
    table: DimTable, shapes: Sequence[tuple[Size, ...]], counts: Counts
) -> Iterator[Dim]:
    """The dims that something needs, in the order of their roles."""
    needed = {stack.dim for stack in counts.stacks.values()}
    needed |= {name_split(dim) for dim in counts.split} | {name_last(dim) for dim in counts.lasts}
    sizes = {size for shape in set(shapes) for size in shape if isinstance(size, str)}
    needed |= {name for size in sizes for name in NAME.findall(size)}
    waiting = list(needed)
    while waiting:
        dim = table.dims.get(waiting.pop())
        if dim is not None and isinstance(dim.size, str):
            more = set(NAME.findall(dim.size)) - needed
            needed |= more
            waiting += more
    order = list(MEANINGS)

    def rank(name: str) -> int:
        return next((i for i, r in enumerate(order) if name == r or name.endswith("_" + r)), 99)

    yield from sorted(
        (table.dims[n] for n in table.dims if n in needed), key=lambda d: rank(d.name)
    )
