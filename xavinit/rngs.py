"""Whose numbers a spec asks for: ours, or those that a framework draws from the same seed.

An rng is named by the oldest version of the framework that was run against it. What else changes
its bits is a variant: a key beside the name, with a closed choice whose first is the default.

To add one: a line in `RNGS`, its seeds in `SEEDS`, its laws in `plan/`, its stream in `streams/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.wording import format_choices, format_value, suggest

OURS = "xavinit-1"

# The name of each rng, and its variants.
RNGS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    OURS: {},
    # PyTorch on a processor with AVX2 or AVX-512, or without both (as under
    # ATEN_CPU_CAPABILITY=default). And with `construction: drawn` every layer first draws what its
    # module draws when it is made, before the spec's initializers draw.
    "torch-2.13": {"cpu": ("avx2", "plain"), "construction": ("skipped", "drawn")},
}
# The least seed of each that takes less than 0; it is counted back from 2⁶⁴, as PyTorch does.
LEAST_SEEDS: Final[Mapping[str, int]] = {"torch-2.13": -(2**63)}


class Rng(Struct, frozen=True):
    """An rng and its variants, those that are the default's left out."""

    name: str = OURS
    variants: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.name == OURS

    def get(self, key: str) -> str:
        """The choice of a variant."""
        return dict(self.variants).get(key, RNGS[self.name][key][0])

    def __str__(self) -> str:
        """One word, as `--rng` and a file's metadata have it.

        >>> str(parse_rng({"type": "torch-2.13", "cpu": "plain"}))
        'torch-2.13,cpu=plain'
        """
        return ",".join((self.name, *(f"{key}={value}" for key, value in self.variants)))


def parse_rng(given: Any) -> Rng:
    """The rng of a name, of a name with variants (`NAME,KEY=VALUE`), or of a table with its type.

    Raises `SpecError` with the bare fact and the path within the table.

    >>> parse_rng("torch-2.13,cpu=avx2")
    Rng(name='torch-2.13', variants=())
    """
    table = _split_text(given) if isinstance(given, str) else given
    if not isinstance(table, dict):
        raise SpecError(f"must be an rng, or a table with its type; got {format_value(given)}")
    if "type" not in table:
        raise SpecError('must have the key "type"')
    path = () if isinstance(given, str) else ("type",)
    name = table["type"]
    if not isinstance(name, str) or name not in RNGS:
        raise SpecError(
            f"must be {format_choices(RNGS)}; got {format_value(name)}",
            path,
            hint=suggest(name, RNGS),
        )
    variants = []
    for key, value in table.items():
        if key == "type":
            continue
        if key not in RNGS[name]:
            known = ", ".join(RNGS[name]) or "no key but type"
            raise SpecError(
                f"{name} does not take the key {format_value(key)}",
                (key,) if path else (),
                hint=f"it takes {known}",
                at_key=bool(path),
            )
        choices = RNGS[name][key]
        if value not in choices:
            raise SpecError(
                f"{'' if path else f'{key} of {name} '}must be {format_choices(choices)}; "
                f"got {format_value(value)}",
                (key,) if path else (),
            )
        if value != choices[0]:
            variants.append((key, value))
    return Rng(name, tuple(sorted(variants)))


def _split_text(text: str) -> dict[str, str]:
    name, *pairs = text.split(",")
    table = {"type": name}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in table:
            raise SpecError(f"must be NAME,KEY=VALUE; got {format_value(text)}")
        table[key] = value
    return table
