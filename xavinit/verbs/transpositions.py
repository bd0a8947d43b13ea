"""Tensors whose values are right but for the order of their axes: a transposition left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from xavinit.formats import permute
from xavinit.reading import Pair, Tolerance, begins_alike, compare, find_axes
from xavinit.verbs.difference import ComparedTensor
from xavinit.verbs.pairing import Match, Suspect

_MOST_TRIED = 100  # tensors of which other orders of axes are looked for


def add_notes(
    matches: Sequence[Match],
    tensors: Sequence[ComparedTensor],
    find_suspects: Callable[[], Mapping[str, tuple[Suspect, ...]]],
    tolerance: Tolerance,
    jobs: int | None,
    *,
    has_maps: bool,
) -> list[ComparedTensor]:
    """The same, those that differ in the order of their axes alone with a note of it.

    `find_suspects` gives more mistakes to look for, by the name in A; called where any differ.
    `has_maps`: could a map mend it? One takes the place of pairing by the spec.
    """
    noted = list(tensors)
    tried = [
        number
        for number, tensor in enumerate(tensors)
        if tensor.fault is not None or 2 * tensor.different >= max(tensor.size, 1)
    ][:_MOST_TRIED]
    more = find_suspects() if tried else {}
    for number in tried:
        found = matches[number]
        suspects = found.suspects or more.get(found.name, ())
        note = _find_note(found, suspects, tolerance, jobs, has_maps=has_maps)
        noted[number] = structs.replace(noted[number], note=note)
    return noted


def _find_note(
    found: Match,
    suspects: Sequence[Suspect],
    tolerance: Tolerance,
    jobs: int | None,
    *,
    has_maps: bool,
) -> str | None:
    for suspect in suspects:
        if begins_alike(suspect.pair, tolerance) and _is_same(suspect.pair, tolerance, jobs):
            return suspect.note
    if found.stored is None:
        return None
    a, b = found.stored.a, found.stored.b
    for axes in find_axes(a, b, tolerance):
        if _is_same(Pair(permute(a, axes) if axes else a, b), tolerance, jobs):
            return _explain(axes, has_maps=has_maps)
    return None


def _is_same(pair: Pair, tolerance: Tolerance, jobs: int | None) -> bool:
    (tally,) = compare([pair], tolerance, jobs=jobs, advance=lambda _: None)
    return not tally.different


def _explain(axes: tuple[int, ...], *, has_maps: bool) -> str:
    same = tuple(range(len(axes)))
    if axes in ((), same):
        return "the values lie in the same order in both files"
    if not has_maps:
        return (
            f"the values are those of A's other axis order {axes}: a transposition was left out, "
            "or is not the one that the spec means"
        )
    back = ",".join(str(axes.index(axis)) for axis in same)  # B's axes in A's order
    return (
        f"the values are those of A's other axis order {axes}: a transposition was left out "
        f"(--map with :{back} pairs them)"
    )
