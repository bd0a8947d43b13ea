"""How often a model's parts repeat: the numbers in names that are a dim of the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from xavinit.deriving.runs import find_step
from xavinit.deriving.values import Family, Run

# The word before a number that counts a part; others, such as the stages of a ResNet, are few and
# each of its own kind.
_COUNTED = {
    "experts": r"experts?",
    # The last ones are XLM's.
    "blocks": r"(\w+_)?(layers?|blocks?)|h|resblocks|attentions|ffns|layer_norm[12]",
}
_LEAST_SHARE = 0.2  # of a stack's families that all of its numbers have
_FEW = 8  # parts, of which a family with all of them may be by chance
MOST_STACKS = 3  # of different heights that get dims

Place = tuple[str, ...]  # the texts of a name up to a number


class Stack(Struct, frozen=True):
    """A part that repeats: the dim that counts it, and its number."""

    dim: str
    count: int
    tower: str = ""  # what tells it from other stacks of the model


class Counts(Struct, frozen=True):
    """All stacks by their place in names, and the words that tell the model's towers apart.

    `split` is, for a stack whose first blocks lack the experts of the others, how many they are.
    `lasts` has the dims of which a name needs the last number, with the highest number that what
    goes up to it begins with.
    """

    stacks: Mapping[Place, Stack]
    towers: tuple[str, ...] = ()
    split: Mapping[str, int] = {}
    lasts: Mapping[str, int] = {}

    def format_run(self, family: Family, number: int) -> str:
        """What stands for a family's number: a brace, or the number itself."""
        run = family.runs[number]
        stack = self.stacks.get(family.texts[: number + 1])
        if stack is None:
            return format_run(run)
        text = self._format_counted(run, stack)
        return format_run(run) if text is None else text

    def _format_counted(self, run: Run, stack: Stack) -> str | None:
        """A run in terms of its stack's dim, where it reaches the stack's end; None elsewhere."""
        dim, split = stack.dim, self.split.get(stack.dim)
        if not reaches_end(run, stack):
            return f"{{{name_split(dim)}}}" if len(run) == split and is_start(run) else None
        if is_start(run):
            return f"{{{dim}}}"
        if dim not in self.lasts:
            return None
        last, step = name_last(dim), find_step(run) or 1
        if len(run) == 1:
            return f"{{{last}..{last}}}"
        start = name_split(dim) if run[0] == split else str(run[0])
        return f"{{{start}..{last}}}" if step == 1 else f"{{{start}..{last}..{step}}}"


def is_start(run: Run) -> bool:
    """Is it 0, 1, 2 … ?"""
    return run[0] == 0 and run[-1] == len(run) - 1


def reaches_end(run: Run, stack: Stack) -> bool:
    """Is a run a range that goes as far as a stack does?"""
    step = find_step(run)
    return step is not None and run[-1] < stack.count <= run[-1] + step


def name_split(dim: str) -> str:
    """The dim that counts a stack's blocks without experts."""
    return dim.replace("blocks", "dense")


def name_last(dim: str) -> str:
    """The dim that is a stack's last number."""
    return dim.replace("blocks", "last")


def format_run(run: Run) -> str:
    """A run in numbers alone."""
    if len(run) == 1:
        return str(run[0])
    step = find_step(run)
    few = len(run) == 2 and step is not None and (step > 1 or run[0] > 0)
    if step is None or few:
        return f"{{{','.join(map(str, run))}}}"
    if step > 1:
        return f"{{{run[0]}..{run[-1]}..{step}}}"
    return f"{{{run[0]}..{run[-1]}}}" if run[0] else f"{{{len(run)}}}"


def find_counts(families: Sequence[Family]) -> Counts:
    """The stacks of a model."""
    numbers: dict[Place, set[int]] = {}
    for family in families:
        for index, run in enumerate(family.runs):
            numbers.setdefault(family.texts[: index + 1], set()).update(run)
    found: dict[Place, tuple[str, int]] = {}
    for place, seen in numbers.items():
        role = _find_role("1".join(place))
        if role is not None and len(seen) > 1 and len(seen) == max(seen) + 1:
            found[place] = role, len(seen)
    whole: dict[Place, list[int]] = {place: [0, 0] for place in found}
    for family in families:
        for index, run in enumerate(family.runs):
            place = family.texts[: index + 1]
            if place in found and family.shape:
                whole[place][0] += 1
                whole[place][1] += len(run) == found[place][1]
    found = {
        place: stack
        for place, stack in found.items()
        if whole[place][1] >= _LEAST_SHARE * whole[place][0]
        or (whole[place][1] and stack[1] > _FEW)
    }
    return _name_stacks(families, found)


def _find_role(text: str) -> str | None:
    """What a number counts, by the text before it."""
    match = re.search(r"(?:^|[./])([A-Za-z_]+[0-9]?)[./]\Z", text)
    if match is None:
        return None
    return next((role for role, word in _COUNTED.items() if re.fullmatch(word, match[1])), None)


def _name_stacks(families: Sequence[Family], found: Mapping[Place, tuple[str, int]]) -> Counts:
    stacks: dict[Place, Stack] = {}
    towers: tuple[str, ...] = ()
    for role in _COUNTED:
        places = {place: count for place, (name, count) in found.items() if name == role}
        tellers = _find_tellers(list(places))
        counts = set(places.values())
        if role == "blocks" and len(places) > 1 and all(tellers.values()):
            towers = tuple(tellers[place] for place in places)
        if len(counts) == 1:
            stacks |= {p: Stack(role, count, tellers[p]) for p, count in places.items()}
        elif len(places) <= MOST_STACKS and all(tellers.values()):
            stacks |= {
                p: Stack(f"{shorten(tellers[p])}_{role}", count, tellers[p])
                for p, count in places.items()
            }
    placed = [
        (run, stack)
        for family in families
        for index, run in enumerate(family.runs)
        if (stack := stacks.get(family.texts[: index + 1])) is not None
    ]
    lasts: dict[str, int] = {}
    for run, stack in placed:
        if stack.dim.endswith("blocks") and not is_start(run) and reaches_end(run, stack):
            least = 0 if len(run) == 1 else run[0]
            lasts[stack.dim] = max(lasts.get(stack.dim, 0), least)
    return Counts(stacks, towers, _find_splits(families, stacks), lasts)


def _find_tellers(places: Sequence[Place]) -> dict[Place, str]:
    """For each place the first word that no other has, or nothing."""
    words = {place: re.split(r"[./]", "#".join(place)) for place in places}
    tellers = {}
    for place in places:
        others = {word for other in places if other != place for word in words[other]}
        own = [word for word in words[place] if word not in others and shorten(word)]
        tellers[place] = own[0] if own else ""
    return tellers


def shorten(word: str) -> str:
    """A word of a name as the first word of a dim: text of text_model; nothing where it is none."""
    short = re.sub(r"_?(model|tower|layers?|blocks?|stack)\Z", "", word).lower()
    return short if re.fullmatch(r"[a-z_][a-z0-9_]*", short) else ""


def _find_splits(families: Sequence[Family], stacks: Mapping[Place, Stack]) -> dict[str, int]:
    """How many blocks of a stack come before those with experts, all of which have some."""
    starts: dict[str, set[int]] = {}
    heads: dict[str, set[int]] = {}
    for family in families:
        for index, run in enumerate(family.runs):
            stack = stacks.get(family.texts[: index + 1])
            if stack is None or not stack.dim.endswith("blocks"):
                continue
            if is_start(run):
                heads.setdefault(stack.dim, set()).add(len(run))
            elif "expert" in "".join(family.texts):
                is_rest = find_step(run) == 1 and reaches_end(run, stack)
                starts.setdefault(stack.dim, set()).add(run[0] if is_rest else -1)
    return {
        dim: start
        for dim, found in starts.items()
        if len(found) == 1 and (start := found.pop()) in heads.get(dim, ())
    }
