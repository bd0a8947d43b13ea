"""Tensors → the text of a spec: the stages one after another, and the check of what they made.

A stage may be wrong about a name: two rules that meet, a word that a brace takes for something
else. So the text is read again and planned. What comes out otherwise is written out plainly, a
tensor a line, and the rest once more; where that is not enough, everything is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from xavinit.deriving.axes import AxisGuess, find_axes
from xavinit.deriving.check import find_differing, list_inits
from xavinit.deriving.counts import Counts, find_counts
from xavinit.deriving.entries import Entry, find_kin, fold_words, make_parts, sort_entries
from xavinit.deriving.folding import MOST_FAMILIES, fold_tensors
from xavinit.deriving.laws import Start, choose_start, needs_axes
from xavinit.deriving.rules import make_rules
from xavinit.deriving.sizes import Dims, find_dims
from xavinit.deriving.text import Draft, measure_entry, write_draft
from xavinit.deriving.values import Family, Model, NamedTensor
from xavinit.deriving.yaml_text import WIDTH
from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, SpecError
from xavinit.wording import format_value, plural

MOST_PLAIN = 3  # times that what came out wrong is written out plainly
LARGEST_TEXT = 4 * 2**20  # bytes of YAML that are read


def derive_text(model: Model) -> str:
    """The text of a spec that gives the tensors of a model: their names, shapes and dtypes.

    Raises `InputError` where no spec can, or one is larger than what is read.
    """
    model = structs.replace(model, tensors=_settle_ties(model.tensors))
    plain: frozenset[str] = frozenset()
    families = fold_tensors(model.tensors, plain)
    if sum(len(text) for family in families for text in family.texts) > LARGEST_TEXT:
        raise _refuse_size(model)
    for _ in range(MOST_PLAIN if len(families) <= MOST_FAMILIES else 0):
        try:
            text, inits = _write(model, families, plain, 0)
            differing = find_differing(text, model.tensors, inits)
        except SpecError:
            break
        if not differing:
            return text
        plain |= frozenset(differing)
        families = fold_tensors(model.tensors, plain)
    every = frozenset(tensor.name for tensor in model.tensors)
    try:
        families = fold_tensors(model.tensors, frozenset())
        text, inits = _write(model, families, frozenset(), 1)
        if not find_differing(text, model.tensors, inits):
            return text
    except SpecError:
        pass  # and so not even this
    try:
        families = fold_tensors(model.tensors, every)
        text, inits = _write(model, families, every, 2)
        differing = find_differing(text, model.tensors, inits)
    except SpecError as error:
        raise InputError(f"no spec can hold these tensors: {error.describe()}") from error
    if differing:
        raise InputError(f"no spec can hold the tensor {format_value(differing[0])}")
    return text


def _settle_ties(tensors: Sequence[NamedTensor]) -> tuple[NamedTensor, ...]:
    """The tensors, each tied to one that is not tied itself; ties that a spec cannot say are none.

    What a tensor is tied to must be there, of the same shape and dtype, and at the end of a chain.
    """
    if all(tensor.tied is None for tensor in tensors):
        return tuple(tensors)
    by_name = {tensor.name: tensor for tensor in tensors}
    settled = []
    for tensor in tensors:
        end, seen = tensor, {tensor.name}
        while end.tied is not None and end.tied in by_name and end.tied not in seen:
            end = by_name[end.tied]
            seen.add(end.name)
        is_same = (end.shape, end.dtype) == (tensor.shape, tensor.dtype)
        is_told = end is not tensor and end.tied is None and is_same
        settled.append(structs.replace(tensor, tied=end.name if is_told else None))
    return tuple(settled)


def _write(
    model: Model, families: Sequence[Family], plain: frozenset[str], level: int
) -> tuple[str, dict[str, Any]]:
    """The text, and the initializers that its tensors should have.

    Above level 0 each entry says all of its keys and sizes itself.
    """
    shapes = {tensor.name: tensor.shape for tensor in model.tensors}
    guesses = find_axes(families, shapes, model.layout)
    starts = [choose_start(f, g) for f, g in zip(families, guesses, strict=True)]
    counts = Counts({}) if level > 0 else find_counts(families)
    dims = Dims((), tuple(f.shape for f in families))
    if level == 0:
        dims = find_dims(families, guesses, counts, model.sizes)
    defaults = _choose_defaults(model)
    wanted = [_list_keys(*each, defaults) for each in zip(families, guesses, starts, strict=True)]
    fixed = frozenset(
        n for n, f in enumerate(families) if level > 0 or f.tied is not None or f.first in plain
    )
    is_alone = [level == 0 and f.tied is None and f.first in plain for f in families]
    own = [
        {**_list_all(starts[n], families[n], model.default_init), **keys} if is_alone[n] else keys
        for n, keys in enumerate(wanted)
    ]
    notes = [
        {**(guess.notes if needs_axes(start.init) else {}), "init": start.note}
        for guess, start in zip(guesses, starts, strict=True)
    ]
    settled = make_rules(families, own, notes, fixed)
    kin = find_kin(families)
    entries = [
        _make_entry(family, counts, dims.shapes[n], settled.own[n], notes[n], kin[n])
        for n, family in enumerate(families)
    ]
    folded = entries if level > 0 else fold_words(entries, measure_entry, WIDTH)
    text = write_draft(
        Draft(
            _list_comments(model),
            dims.dims,
            defaults,
            settled.rules,
            tuple(sort_entries(folded)),
        )
    )
    if len(text) > LARGEST_TEXT:
        raise _refuse_size(model)
    return text, dict(list_inits(families, [start.init for start in starts]))


def _refuse_size(model: Model) -> InputError:
    return InputError(
        f"the names of {plural(len(model.tensors), 'tensor')} have too little in common: "
        f"a spec of them would be over {LARGEST_TEXT // 2**20} MiB"
    )


def _choose_defaults(model: Model) -> dict[str, Any]:
    """The initializer of what has fans, and the dtype of most numbers; a float one where any is."""
    counts: Counter[str] = Counter()
    for tensor in model.tensors:
        if tensor.tied is None:
            counts[tensor.dtype] += math.prod(tensor.shape)
    floats = {name: count for name, count in counts.items() if DTYPES[name].is_float}
    most = max(floats or counts, key=lambda name: counts[name], default="float32")
    layout = {} if model.layout in (None, "out_in") else {"layout": model.layout}
    return {"init": model.default_init, "dtype": most, **layout}


def _list_keys(
    family: Family, guess: AxisGuess, start: Start, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """What a family says beyond its shape and the defaults."""
    if family.tied is not None:
        return {"tied": family.tied}
    keys: dict[str, Any] = {}
    if start.init is not None and (start.init != defaults["init"] or family.note):
        keys["init"] = start.init
    if family.dtype != defaults["dtype"]:
        keys["dtype"] = family.dtype
    if not needs_axes(start.init):
        return keys
    axes = {key: value for key, value in guess.keys.items() if defaults.get(key) != value}
    return {**keys, **axes}


def _list_all(start: Start, family: Family, default_init: Any) -> dict[str, Any]:
    """What a family says itself, so that no rule changes it."""
    return {"init": start.init or default_init, "dtype": family.dtype}


def _make_entry(
    family: Family,
    counts: Counts,
    shape: Sequence[int | str],
    keys: Mapping[str, Any],
    notes: Mapping[str, str],
    kin: object,
) -> Entry:
    said = [note for key, note in notes.items() if note and (not key or key in keys)]
    braces = [counts.format_run(family, number) for number in range(len(family.runs))]
    parts, literal = make_parts(family.texts, braces)
    if "tied" in keys:
        tied = keys["tied"]
        pieces, _ = make_parts([tied], []) if isinstance(tied, str) else make_parts(tied, braces)
        keys = {"tied": "".join(pieces)}
    return Entry(
        tuple(parts), tuple(literal), tuple(shape), keys, "; ".join(said), family.index, kin
    )


def _list_comments(model: Model) -> tuple[str, ...]:
    count = len(model.tensors)
    parameters = sum(math.prod(tensor.shape) for tensor in model.tensors if tensor.tied is None)
    of = f" from {model.title}" if model.title else ""
    return (
        f"Derived{of}: {plural(count, 'tensor')}, {plural(parameters, 'parameter')}.",
        "Names, shapes and dtypes are the source's, the numbers are new. A comment with a question",
        "mark is a guess.",
        *model.comments,
    )
