"""Tensors of two frameworks, paired through the spec that one of the files carries, or both.

The spec says how each framework names its tensors and how they lie in PyTorch's; so both files'
tensors are put into PyTorch's names and order of elements, and compared there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from msgspec import Struct, structs

from xavinit.choices import FrameworkName
from xavinit.errors import SpecError
from xavinit.formats import (
    Portion,
    StoredTensor,
    assemble,
    cut_tensor,
    make_zeros,
    name_keras_datasets,
)
from xavinit.layers import split_index
from xavinit.plan import PlacedTensor, list_parts_of, list_placed, plan_spec
from xavinit.reading import Pair
from xavinit.spec import Overrides, copy_plain, resolve_spec
from xavinit.verbs.pairing import Match, Pairing, Side, Suspect, pair_by_names

FRAMEWORKS = get_args(FrameworkName)

Shape = tuple[int, ...]


class Form(Struct, frozen=True):
    """A file's tensors as a framework has those of a spec: each with its place, by its name there.

    `parts` are all that PyTorch has, `held` those of them that the framework has.
    """

    framework: str
    placed: Mapping[str, PlacedTensor]
    parts: Mapping[str, Shape]
    held: frozenset[str]


class Part(Struct, frozen=True):
    """A tensor of PyTorch's, as a file has it; None, and why, where it cannot be put together.

    Where it is one tensor in another order than PyTorch's, `moved` is the framework, and `axes` are
    PyTorch's in its order, if that is all.
    """

    shape: Shape
    pieces: tuple[StoredTensor, ...]
    whole: StoredTensor | None
    fault: str | None = None
    moved: str | None = None
    axes: Shape | None = None


class Parts(Struct, frozen=True):
    """All of a file in PyTorch's form; `zeros` is what PyTorch does not have, `others` no spec."""

    parts: Mapping[str, Part]
    zeros: tuple[StoredTensor, ...]
    others: Mapping[str, StoredTensor]


def pair_by_spec(a: Side, b: Side) -> Pairing:
    """The pairing by the spec that A or B carries, where it leaves less alone than the names do."""
    by_names = pair_by_names(a, b)
    if not _count_rest(by_names):
        return by_names
    found = _pair_by_forms(a, b)
    if found is None:
        told = "the spec that a file carries is not valid here: tensors are paired by names"
        return structs.replace(by_names, warnings=(told,))
    return found if _count_rest(found) < _count_rest(by_names) else by_names


def find_suspects(a: Side, b: Side) -> dict[str, tuple[Suspect, ...]]:
    """What may be wrong with each of A's tensors by the spec, although names alone pair it."""
    found = None if a.spec is None and b.spec is None else _pair_by_forms(a, b)
    if found is None:
        return {}
    return {one.stored.a.name: one.suspects for one in found.matches if one.stored is not None}


def _pair_by_forms(a: Side, b: Side) -> Pairing | None:
    """The pairing by the spec that A or B carries; None where no framework can have it."""
    forms = []
    for own, peer in ((a, b), (b, a)):
        spec = own.spec if own.spec is not None else peer.spec
        form = None if spec is None else _choose_form(own, spec)
        if form is None:
            return None
        forms.append(form)
    one, other = forms
    return _pair_parts(_collect(a, one, "A"), _collect(b, other, "B"), one, other)


def _count_rest(pairing: Pairing) -> int:
    """How many tensors are in one of the files alone."""
    return len(pairing.only_a) + len(pairing.only_b)


def is_same_spec(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Are two specs the same but for framework and seed?"""
    beside = {"framework": None, "seed": None}
    return {**a, **beside} == {**b, **beside}


def _choose_form(side: Side, spec: Mapping[str, Any]) -> Form | None:
    """The framework's form of a spec that a file's names are those of; None where there is none."""
    best, most = None, -1
    first = spec.get("framework", "pytorch")
    for framework in sorted(FRAMEWORKS, key=lambda name: name != first):
        for form in _list_forms(spec, framework):
            hits = sum(name in form.placed for name in side.tensors)
            if hits > most:
                best, most = form, hits
    return best


def _list_forms(spec: Mapping[str, Any], framework: str) -> Iterator[Form]:
    """A spec in the form of a framework: by its own names, and by those of Keras's file."""
    try:
        resolved = resolve_spec(copy_plain(spec), Overrides(framework=framework))
        placed = list(list_placed(resolved))
        plan = plan_spec(resolved)
    except SpecError:  # one that this framework cannot have, or of another version
        return
    parts = list_parts_of(resolved)
    held = frozenset(tensor.part for tensor in placed if tensor.part is not None)
    yield Form(framework, {tensor.name: tensor for tensor in placed}, parts, held)
    datasets = name_keras_datasets(plan)
    if datasets is not None:
        yield Form(framework, dict(zip(datasets, placed, strict=True)), parts, held)


def _collect(side: Side, form: Form, label: str) -> Parts:
    """A file's tensors in PyTorch's form."""
    found: dict[str, list[tuple[PlacedTensor, StoredTensor]]] = {}
    wanted: dict[str, int] = {}  # how many pieces each part has
    for placed in form.placed.values():
        if placed.part is not None:
            wanted[placed.part] = wanted.get(placed.part, 0) + 1
    zeros: list[StoredTensor] = []
    others: dict[str, StoredTensor] = {}
    for name, stored in side.tensors.items():
        place = form.placed.get(name)
        if place is None:
            others[name] = stored
        elif place.part is None:
            zeros.append(stored)
        else:
            found.setdefault(place.part, []).append((place, stored))
            if place.view is not None and place.view.zeros and stored.shape == place.shape:
                zeros.append(cut_tensor(stored, place.view.count))
    parts = {
        part: _put_together(part, form, found[part], wanted[part], label)
        for part in form.parts
        if part in found
    }
    return Parts(parts, tuple(zeros), others)


def _put_together(
    part: str,
    form: Form,
    found: list[tuple[PlacedTensor, StoredTensor]],
    wanted: int,
    label: str,
) -> Part:
    shape = form.parts[part]
    pieces = tuple(stored for _, stored in found)
    fault = None
    for place, stored in found:
        if stored.shape != place.shape:
            fault = (
                f"shape {list(stored.shape)} in {label}, where {form.framework}'s is "
                f"{list(place.shape)}"
            )
    if len(found) < wanted:
        fault = f"{label} has {len(found)} of the {wanted} tensors that it is made of"
    if len({stored.dtype for stored in pieces}) > 1:
        fault = f"{label} has it in several dtypes"
    if any(place.view is not None and not stored.dtype.itemsize for place, stored in found):
        fault = f"{pieces[0].dtype.name} is not transposed"
    whole = None
    if fault is None:
        whole = assemble(part, shape, [Portion(stored, place.view) for place, stored in found])
    place = found[0][0]
    if len(found) == wanted == 1 and place.view is not None:
        return Part(shape, pieces, whole, fault, form.framework, _find_axes(place, shape))
    return Part(shape, pieces, whole, fault)


def _find_axes(place: PlacedTensor, shape: Shape) -> Shape | None:
    """The axes of PyTorch's tensor in the order of the framework's, where it is only that."""
    if place.view is None or math.prod(place.shape) != math.prod(shape):
        return None
    # The step of each axis of the framework's in PyTorch's; a view joins neighbors that it can.
    steps: list[int] = []
    sizes = [size for size in place.shape if size > 1]
    for axis in place.view.axes:
        joined: list[int] = []
        while sizes and math.prod(joined) < len(axis):
            joined.append(sizes.pop(0))
        if not isinstance(axis, range) or axis.start or math.prod(joined) != len(axis):
            return None
        steps += [axis.step * inner.step for inner in split_index(joined)]
    # An axis of one element has no step; it lies anywhere.
    wide = {axis.step: n for n, axis in enumerate(split_index(shape)) if shape[n] > 1}
    singles = iter([n for n, size in enumerate(shape) if size == 1])
    rest = iter([wide.get(step, -1) for step in steps])
    axes = tuple(next(singles if size == 1 else rest, -1) for size in place.shape)
    return axes if sorted(axes) == list(range(len(shape))) else None


def _pair_parts(a: Parts, b: Parts, form_a: Form, form_b: Form) -> Pairing:
    matches: list[Match] = []
    only_a: list[StoredTensor] = []
    only_b: list[StoredTensor] = []
    for name, part in a.parts.items():
        if name in b.parts:
            matches.append(_match_parts(name, part, b.parts[name]))
        elif name in form_b.parts and name not in form_b.held:
            matches += _match_zeros(name, part, is_a=True)
        else:
            only_a += part.pieces
    for name, part in b.parts.items():
        if name in a.parts:
            continue
        if name in form_a.parts and name not in form_a.held:
            matches += _match_zeros(name, part, is_a=False)
        else:
            only_b += part.pieces
    # What PyTorch does not have is zero, in one file or in both.
    for parts, is_a in ((a, True), (b, False)):
        for stored in parts.zeros:
            part = Part(stored.shape, (stored,), stored)
            matches += _match_zeros(stored.name, part, is_a=is_a)
    rest = pair_by_names(Side("A", a.others), Side("B", b.others))
    return Pairing(
        (*matches, *rest.matches), (*only_a, *rest.only_a), (*only_b, *rest.only_b), "spec"
    )


def _match_parts(name: str, a: Part, b: Part) -> Match:
    stored = None
    if len(a.pieces) == len(b.pieces) == 1:
        stored = Pair(a.pieces[0], b.pieces[0])
    suspects = tuple(_list_suspects(a, b))
    fault = a.fault or b.fault
    if fault is None and a.shape != b.shape:
        fault = f"shape {list(a.shape)} by A's spec, {list(b.shape)} by B's"
    if fault is not None or a.whole is None or b.whole is None:
        return Match(name, a.pieces, b.pieces, a.shape, None, fault, stored, suspects)
    pair = Pair(a.whole, b.whole)
    return Match(name, a.pieces, b.pieces, a.shape, pair, None, stored, suspects)


def _list_suspects(a: Part, b: Part) -> Iterator[Suspect]:
    """A file's tensor as if it lay in PyTorch's order already."""
    for part, other, label in ((a, b, "A"), (b, a, "B")):
        raw = part.pieces[0]
        if part.moved is None or other.whole is None or raw.size != other.whole.size:
            continue
        axes = "" if part.axes is None else f" order {part.axes}"
        pair = Pair(raw, other.whole) if label == "A" else Pair(other.whole, raw)
        yield Suspect(
            pair,
            f"the values in {label} still lie in PyTorch's axis order: the transposition to "
            f"{part.moved}'s{axes} was left out",
        )


def _match_zeros(name: str, part: Part, *, is_a: bool) -> list[Match]:
    """A tensor that the other framework does not have, with zeros; but not a counter."""
    if part.whole is None or not part.whole.dtype.is_float:
        return []
    whole = part.whole
    zeros = make_zeros(name, whole.dtype, part.shape)
    pair = Pair(whole, zeros) if is_a else Pair(zeros, whole)
    a, b = (part.pieces, ()) if is_a else ((), part.pieces)
    return [Match(name, a, b, part.shape, pair)]
