"""What `explain` answers: every decision behind one tensor of a spec, as values."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from xavinit.plan import Law
from xavinit.verbs.explained_keys import Key


class Axis(Struct, frozen=True):
    """An axis of a shape and what it is to the fans."""

    index: int
    size: int
    role: Literal["in", "out", "batch", "receptive field"]


class Product(Struct, frozen=True):
    """A fan: the product of sizes, over the number of blocks of which one counts."""

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    blocks: int
    value: int | float


class Scale(Struct, frozen=True):
    """A law's bound = gain·√(3/n), or its std = gain·√(1/n); of a law cut at ±2, also before."""

    name: Literal["bound", "std"]
    gain: float
    gain_name: str | None
    mode: str
    n: float
    value: float
    before_cut: float | None = None


class Explanation(Struct, frozen=True):
    """Every decision behind one tensor.

    `shape` is the file's; axes and fans are counted in `spec_shape`, of a layer PyTorch's or that
    of the rng's framework. `scale` is None where the initializer gives the law itself, or there is
    none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    stream: str
    tied: str | None
    module: str | None
    spec_shape: tuple[int, ...]
    keys: tuple[Key, ...]
    axes: tuple[Axis, ...]
    fan_in: Product | None
    fan_out: Product | None
    scale: Scale | None
    law: Law | None
    note: str | None = None
    rng: str | None = None  # whose numbers they are, if not ours
    word: int | None = None  # of its one stream, where the tensor begins
    seed: int | None = None  # of the tensor's own, under an rng that has one for each
    hint: str | None = None
