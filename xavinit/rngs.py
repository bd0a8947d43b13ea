"""Whose numbers a spec asks for: ours, or those that a framework draws from the same seed.

An rng is named by the oldest version of the framework that was run against it. What else changes
its bits is a variant: a key beside the name, with a closed choice whose first is the default. So
Keras's is `keras-3.15` with `backend: tensorflow`, and not `keras-3.15/tensorflow-2.21`: a name is
what people write and remember, a misspelled key is told, and the versions of a backend are facts
that docs/same-seed.md keeps, not choices.

To add one: a line in `RNGS` and in `choices.py`, a line in `LAWS` (plan/rng_laws.py) and in
`ORDERS` (plan/orders.py), and a line in `RNGS` of `streams/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from xavinit.errors import SpecError
from xavinit.wording import format_choices, format_value, suggest

OURS = "xavinit-1"
LARGEST_SEED = 2**64 - 1
SWITCH = ("false", "true")  # the choices of a variant that a table gives as true or false


class Kind(Struct, frozen=True):
    """What is known of an rng before anything is planned."""

    # Each variant's choices; the first is the default.
    variants: Mapping[str, tuple[str, ...]] = {}
    # In whose form it holds tensors: their shapes, fans and the order of elements.
    framework: str = "pytorch"
    # May a tensor have a seed of its own? If so, each is random access; if not, all of them are
    # one stream in the spec's order.
    has_own_seeds: bool = True
    # Is what the plan knows of a tensor the key that came of a seed? Two words, the first high.
    has_keys: bool = False
    # The spec's seed. Below 0 it is counted back from 2⁶⁴.
    least_seed: int = 0
    largest_seed: int = LARGEST_SEED
    # The least and the largest seed of a tensor's own, by the choice of the first variant; a choice
    # that is left out has none.
    own_seeds: Mapping[str, tuple[int, int]] = {}


# PyTorch on a processor with AVX2 or AVX-512, or without both (as under
# ATEN_CPU_CAPABILITY=default). And with `construction: drawn` every layer first draws what its
# module draws when it is made, before the spec's initializers draw.
_TORCH = Kind(
    {"cpu": ("avx2", "plain"), "construction": ("skipped", "drawn")},
    has_own_seeds=False,
    least_seed=-(2**63),
)
# Keras on the library that makes its numbers. The seed is that of keras.utils.set_random_seed,
# which hands it to NumPy's seed of 32 bits.
_KERAS = Kind(
    {"backend": ("tensorflow", "jax", "torch", "numpy")},
    "keras",
    largest_seed=2**32 - 1,
    own_seeds={
        "tensorflow": (-(2**63), 2**63 - 1),
        "jax": (0, 2**32 - 1),
        "torch": (-(2**63), 2**63 - 1),
        "numpy": (0, 2**32 - 1),
    },
)

# JAX on a processor. `keys` is how a tensor's key comes of a seed: its own, as Linen's `init` or as
# NNX's `Rngs` makes it. JAX itself knows no more than keys, so plain is the default. `jit` and
# `x64` are whether the initializers run under jax.jit, and whether JAX's 64-bit numbers are on.
_JAX = Kind(
    {"keys": ("plain", "linen", "nnx"), "jit": SWITCH, "x64": SWITCH},
    "flax",
    least_seed=-(2**63),
    largest_seed=2**63 - 1,
    own_seeds={"plain": (-(2**63), 2**63 - 1)},
    has_keys=True,
)

RNGS: Final[Mapping[str, Kind]] = {
    OURS: Kind(has_own_seeds=False),
    "torch-2.13": _TORCH,
    "keras-3.15": _KERAS,
    "jax-0.10": _JAX,
}


class Rng(Struct, frozen=True):
    """An rng and its variants, those that are the default's left out."""

    name: str = OURS
    variants: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.name == OURS

    def get(self, key: str) -> str:
        """The choice of a variant."""
        return dict(self.variants).get(key, self.kind.variants[key][0])

    @property
    def kind(self) -> Kind:
        return RNGS[self.name]

    @property
    def own_seeds(self) -> tuple[int, int] | None:
        """The least and the largest seed that a tensor may have of its own; None where it may not
        have one.
        """
        return self.kind.own_seeds.get(self.get(next(iter(self.kind.variants))))

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
        if key not in RNGS[name].variants:
            known = ", ".join(RNGS[name].variants) or "no key but type"
            raise SpecError(
                f"{name} does not take the key {format_value(key)}",
                (key,) if path else (),
                hint=f"it takes {known}",
                at_key=bool(path),
            )
        choices = RNGS[name].variants[key]
        if choices == SWITCH and isinstance(value, bool):
            value = SWITCH[value]
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
