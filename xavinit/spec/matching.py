"""Which rules match a name.

Most globs start or end with plain text. Looking that up finds the few rules worth a closer look.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.spec.globs import Glob

MOST_STEPS = 5 * 10**9  # of comparing names with globs: two seconds
# A step is the time of one comparison of a character of the name with one of the glob, of which
# looking for a text takes at worst as many as the product of both lengths. What other work takes
# was measured in the same unit.
STEPS_OF_A_LOOKUP = 200  # of a name's start or end
STEPS_OF_A_TEST = 60  # of whether a name holds a text
STEPS_OF_A_MATCH = 1500
STEPS_OF_A_HIT = 400  # of each rule that a name follows beyond a few, to be kept and merged
FEW_HITS = 16
STEPS_OF_A_SEGMENT = 500  # between two stars
WILDCARD_STEPS = 6  # for each pair of characters, where such a segment has a ? or a set
LONGEST_KEY = 32  # characters of a glob's start or end that are looked up


class _Try(Struct, frozen=True):
    """A rule that may match: what the name must hold, and its glob where that is not all."""

    index: int
    needed: str
    glob: Glob | None
    steps: int = 0  # of the glob
    steps_by_length: int = 0  # for each character of the name


class _Group:
    """The rules to try on names that share a start or an end, and how many steps that takes."""

    __slots__ = ("steps", "steps_by_length", "tries")

    def __init__(self) -> None:
        self.tries: list[_Try] = []
        self.steps = 0
        self.steps_by_length = 0

    def add(self, index: int, glob: Glob, key: str) -> None:
        segments = [glob.first, *glob.between, *([glob.last] if glob.last else [])]
        texts = [text for segment in segments for text in segment.texts]
        needed = max((text for text in texts if not key or key not in text), key=len, default="")
        self.steps += STEPS_OF_A_TEST
        self.steps_by_length += len(needed)
        if _is_told(glob, key):
            self.tries.append(_Try(index, needed, None))
            return
        steps = STEPS_OF_A_MATCH + STEPS_OF_A_SEGMENT * len(glob.between)
        steps_by_length = sum(
            segment.width * (WILDCARD_STEPS if segment.literal is None else 1)
            for segment in glob.between
        )
        self.tries.append(_Try(index, needed, glob, steps, steps_by_length))


class Matcher:
    """The globs of all rules, ready to be asked for one name after another.

    It counts the steps that the names take, and refuses a spec of too many.
    """

    def __init__(self, globs: Sequence[Glob]) -> None:
        self._names: dict[str, list[int]] = {}
        self._starts: dict[int, dict[str, _Group]] = {}  # by the length of the text
        self._ends: dict[int, dict[str, _Group]] = {}
        self._rest = _Group()
        self._steps = 0
        for index, glob in enumerate(globs):
            if glob.last is None and glob.first.literal is not None:
                self._names.setdefault(glob.first.literal, []).append(index)
                continue
            start, end = _find_ends(glob)
            tables, key = (self._ends, end) if len(end) >= len(start) else (self._starts, start)
            group = self._rest
            if key:
                group = tables.setdefault(len(key), {}).setdefault(key, _Group())
            group.add(index, glob, key)
        self._lookups = STEPS_OF_A_LOOKUP * (len(self._starts) + len(self._ends))

    def find(self, name: str) -> tuple[int, ...]:
        """The numbers of the rules that match a name, in their order."""
        groups = [self._rest] if self._rest.tries else []
        for length, table in self._ends.items():
            if group := table.get(name[-length:]):
                groups.append(group)
        for length, table in self._starts.items():
            if group := table.get(name[:length]):
                groups.append(group)
        self._count(self._lookups)
        found = list(self._names.get(name, ()))
        for group in groups:
            self._count(group.steps + group.steps_by_length * len(name))
            for trial in [trial for trial in group.tries if trial.needed in name]:
                if trial.glob is not None:
                    self._count(trial.steps + trial.steps_by_length * len(name))
                    if not trial.glob.matches(name):
                        continue
                found.append(trial.index)
        self._count(STEPS_OF_A_HIT * max(0, len(found) - FEW_HITS))
        if len(found) > 1:
            found.sort()
        return tuple(found)

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise SpecError(
                f"must take at most {MOST_STEPS:,} steps to compare with all names; got more",
                ("rules",),
                hint="a glob that starts or ends with text, as *.bias, is compared with few names",
            )


def _find_ends(glob: Glob) -> tuple[str, str]:
    """The text that a name starts with if it matches, and the text that it ends with."""
    last = glob.first if glob.last is None else glob.last
    return glob.first.texts[0][:LONGEST_KEY], last.texts[-1][-LONGEST_KEY:]


def _is_told(glob: Glob, key: str) -> bool:
    """Does a glob ask for nothing but the key, or nothing but the text that a name must hold?"""
    segments = [glob.first, *glob.between]
    if glob.last is None or any(segment.literal is None for segment in (*segments, glob.last)):
        return False
    return glob.width == len(key) if key else len(glob.between) <= 1
