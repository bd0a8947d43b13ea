"""Which role each axis of each family has, and the values that a role has in each tower."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from xavinit.deriving.axes import AxisGuess
from xavinit.deriving.roles import Claim, list_claims
from xavinit.deriving.values import Family
from xavinit.deriving.words import split_words


class Claims:
    """The claims of each family, its tower, and how many families give a role a value."""

    def __init__(
        self, families: Sequence[Family], guesses: Sequence[AxisGuess], towers: tuple[str, ...]
    ) -> None:
        self.of: list[list[Claim]] = []
        self.towers = [_find_tower(family, towers) for family in families]
        self.values: dict[tuple[str, str], Counter[int]] = {}
        for family, guess, tower in zip(families, guesses, self.towers, strict=True):
            words = split_words(family.first)
            claims = list_claims(words, family.shape, guess.out, guess.into)
            self.of.append(claims)
            for claim in claims:
                size, rest = divmod(family.shape[claim.axis], claim.factor)
                if not rest and size > 0:
                    self.values.setdefault((claim.role, tower), Counter())[size] += 1


def _find_tower(family: Family, towers: tuple[str, ...]) -> str:
    if not towers:
        return ""
    words = re.split(r"[./]", "#".join(family.texts))
    return next((tower for tower in towers if tower in words), "")


def find_only(values: Counter[int] | None) -> int | None:
    """The value, where there is one alone."""
    return next(iter(values)) if values and len(values) == 1 else None
