"""What tensors say of each other by name: a tensor's stream, ties, whose fans it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from xavinit.errors import Path, SpecError, format_path
from xavinit.spec.entries import Entry
from xavinit.spec.families import Family, Sorter
from xavinit.spec.names import MOST_NAME_BYTES
from xavinit.wording import MOST_SUGGESTED, format_value, suggest


class Tie(Struct, frozen=True):
    """Of which tensor another is the copy, and where the spec says so."""

    target: str
    place: Path


class TensorSpec(Struct, frozen=True):
    """One tensor: its name, the name of its stream, and the number of its family."""

    name: str
    stream: str
    family: int
    tie: Tie | None = None


class _Tie(Struct, frozen=True):
    name: str
    target: str
    entry: Entry
    places: Mapping[str, Path]


class NamedTensors:
    """Every name so far, with its tensor or tie; then every tie with the tensor that it copies."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families
        self._ends: dict[str, TensorSpec] = {}
        self._ties: dict[str, _Tie] = {}
        self._referred = 0  # bytes of all streams and targets
        self._fans_of: dict[str, tuple[str, Path]] = {}  # whose fans a tensor takes

    @property
    def has_fans_of(self) -> bool:
        return bool(self._fans_of)

    def add(self, name: str, words: tuple[str, ...], sorter: Sorter) -> None:
        """A name of an entry, whose braces stand for these words."""
        entry = sorter.entry
        if not name or name == "__metadata__" or "\0" in name:
            raise _refuse_name(name, entry)
        if name in self._ends or name in self._ties:
            raise _refuse_twice(name, entry, self._find_place(name))
        draft = sorter.find(name)
        other = name
        if draft.reference is not None:
            other = draft.reference.fill(words)
            key = "tied" if draft.number is None else "stream"
            self._count_reference(other, draft.places.get(key, entry.path))
        if draft.fans_of is not None:
            target, place = draft.fans_of.fill(words), draft.places["fans_of"]
            self._count_reference(target, place)
            self._fans_of[name] = target, place
        if draft.number is None:
            self._ties[name] = _Tie(name, other, entry, draft.places)
        else:
            self._ends[name] = TensorSpec(name, other, draft.number)

    def _find_place(self, name: str) -> Path:
        """Where the entry of a name stands."""
        if name in self._ties:
            return self._ties[name].entry.path
        return self._families[self._ends[name].family].places[""]

    def _count_reference(self, text: str, place: Path) -> None:
        self._referred += len(text) if text.isascii() else len(text.encode())
        if self._referred > MOST_NAME_BYTES:
            raise SpecError(
                f"streams and targets of ties must be at most {MOST_NAME_BYTES:,} bytes together",
                place,
            )

    def follow_ties(self) -> dict[str, TensorSpec]:
        """Each tie replaced by the tensor at the end of its chain, under the tie's name."""
        ties, ends = self._ties, dict(self._ends)
        for start, first in ties.items():
            chain: dict[str, _Tie] = {}
            name, tie = start, first
            while name not in ends:
                if name in chain:
                    raise _refuse_circle([*chain, name], tie)
                chain[name] = tie
                name = tie.target
                if name not in ends:
                    if name not in ties:
                        raise self._refuse_target(tie.target, tie.places["tied"])
                    tie = ties[name]
            for other in reversed(chain):
                ends[other] = self._copy_tensor(ends[name], chain[other])
        return ends

    def take_fans(self, ends: Mapping[str, TensorSpec]) -> None:
        """Give each tensor with `fans_of` the family that takes its target's fans.

        The targets of one family's tensors may be of several, and then so is it.
        """
        numbers: dict[tuple[int, int], int] = {}
        for name, (target, place) in self._fans_of.items():
            if target not in ends:
                raise self._refuse_target(target, place)
            tensor, other = ends[name], ends[target].family
            _check_fans_of(self._families[other], target, place)
            pair = tensor.family, other
            if pair not in numbers:
                family = self._families[tensor.family]
                changed = structs.replace(family, fans_of=other)
                if family.fans_of is None:
                    numbers[pair] = tensor.family
                    self._families[tensor.family] = changed
                else:
                    numbers[pair] = len(self._families)
                    self._families.append(structs.replace(changed, example=name))
            self._ends[name] = structs.replace(tensor, family=numbers[pair])

    def _copy_tensor(self, tensor: TensorSpec, tie: _Tie) -> TensorSpec:
        """The tensor under a tie's name; a layer's part takes only one of its own shape."""
        shape, wanted = self._families[tensor.family].shape, tie.entry.shape
        if tie.entry.axes is not None and wanted != shape:
            raise SpecError(
                f"a layer's tensor must be tied to one of its shape, {list(wanted or ())} of "
                f"{format_value(tie.name)}; got {format_value(tensor.name)}: {list(shape)}",
                tie.places["tied"],
            )
        told = Tie(tie.target, tie.places["tied"])
        return TensorSpec(tie.name, tensor.stream, tensor.family, told)

    def _refuse_target(self, target: str, place: Path) -> SpecError:
        names = [*self._ends, *self._ties]
        return SpecError(
            f"must be the name of a tensor; got {format_value(target)}",
            place,
            hint=suggest(target, names) if len(names) <= MOST_SUGGESTED else None,
        )


def _check_fans_of(target: Family, name: str, place: Path) -> None:
    """Refuse a target that has no fans of its own to give."""
    got = f"got {format_value(name)}"
    if "fans_of" in target.places:
        raise SpecError(f"must be a tensor that has no fans_of itself; {got}", place)
    if len(target.shape) < 2 or 0 in target.shape:
        raise SpecError(f"must be a tensor with fans; {got}: {list(target.shape)}", place)


def _refuse_name(name: str, entry: Entry) -> SpecError:
    """The error for a name that no format can hold."""
    return SpecError(
        "the name of a tensor must not be empty, hold a NUL or be __metadata__; "
        f"got {format_value(name)}",
        entry.path,
        at_key=True,
    )


def _refuse_twice(name: str, entry: Entry, other: Path) -> SpecError:
    """The error for a name that two entries give."""
    where = format_value(other[-1]) if other[0] == "tensors" else format_path(other)
    return SpecError(
        f"two tensors must not have one name; got {format_value(name)}, also from {where}",
        entry.path,
        at_key=True,
    )


def _refuse_circle(names: Sequence[str], tie: _Tie) -> SpecError:
    circle = " → ".join(map(format_value, names[names.index(names[-1]) :][-8:]))
    return SpecError(f"ties must not go in a circle; got {circle}", tie.places["tied"])
