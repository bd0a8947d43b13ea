"""What `derive --rng auto` tries, and how it is told."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import Struct

from xavinit.errors import SpecError, UsageError
from xavinit.formats import Index
from xavinit.plan import TensorPlan
from xavinit.verbs.load import load_stored
from xavinit.verbs.prepare import make_plan
from xavinit.wording import format_value

# Those that people write, beside the small ones.
LIKELY = (
    *range(129), 256, 321, 333, 420, 512, 666, 777, 888, 999, 1000, 1024, 1111, 1234, 1337, 1984,
    1999, *range(2000, 2031), 2048, 3407, 4096, 4242, 4321, 5678, 9999, 10000, 12345, 31337, 31415,
    54321, 65535, 65536, 123456, 271828, 314159, 654321, 1234567, 12345678, 42424242, 123456789,
    987654321, 0xDEADBEEF, 0xCAFEBABE, 2**31 - 1, 2**32 - 1,
)  # fmt: skip
MOST_SEEDS = 10**6
MOST_TRIED = 8  # tensors
AFTER_MAKING = "torch.manual_seed, after the making of all modules"
OWN_SEED = "the initializer's own"
_OF_NEGATIVES = (
    "a negative seed of PyTorch or JAX is the one that is 2⁶⁴ more: −1 is 18446744073709551615"
)
LEAST, LARGEST = 16, 1 << 28  # elements of each

_UNIFORM = ("glorot_uniform", "he_uniform", "lecun_uniform")
_NORMAL = ("glorot_normal", "he_normal", "lecun_normal")
_CUT = ("glorot_truncated_normal", "he_truncated_normal", "lecun_truncated_normal")
_FAN_IN = {"type": "variance_scaling", "mode": "fan_in"}
_LEAKY = math.sqrt(2.0 / (1 + math.sqrt(5.0) ** 2))  # the gain of PyTorch's own initializer
# By rng, the initializers that people use; PyTorch's default is told by its name.
_INITS: dict[str, tuple[Any, ...]] = {
    "torch-2.13": (
        {**_FAN_IN, "distribution": "uniform", "gain": _LEAKY},
        *_UNIFORM,
        *_NORMAL,
        {"type": "normal", "std": 1},
        {"type": "normal", "std": 0.02},
    ),
    "keras-3.15": (
        *_UNIFORM,
        *_CUT,
        {"type": "uniform", "bound": 0.05},
        {"type": "normal", "std": 0.05},
        {"type": "truncated_normal", "std": 0.05},
    ),
    "jax-0.10": (
        *_UNIFORM,
        *_CUT,
        {"type": "normal", "std": 0.01},
        {"type": "normal", "std": 0.02},
        {**_FAN_IN, "distribution": "normal"},
        {"type": "variance_scaling", "mode": "fan_out", "distribution": "normal"},
    ),
}


class Fresh(Struct, frozen=True):
    """A tensor that an rng draws from a seed, bit for bit. `how` tells what the seed is of."""

    tensor: str
    rng: str
    init: str
    seed: int
    how: str

    def __str__(self) -> str:
        return (
            f"{format_value(self.tensor)} is an untouched fresh init: {self.rng} draws every bit "
            f"of it from seed {self.seed} ({self.how}), for {self.init}"
        )

    def tell_lines(self) -> str:
        """What a spec of the same tensors says to draw this one, as a sentence."""
        name, *variants = self.rng.split(",")
        if self.how == AFTER_MAKING:
            variants.append("construction=drawn")
        rng = name
        if variants:
            keys = (variant.replace("=", ": ") for variant in variants)
            rng = f"{{type: {name}, {', '.join(keys)}}}"
        told = f"rng: {rng}, seed: {self.seed} and init: {self.init}"
        if self.how == OWN_SEED:
            told = f"rng: {rng}, and of that tensor seed: {self.seed} and init: {self.init}"
        elif name == "torch-2.13":
            told += ", and layers in the program's order in place of tensors"
        elif name == "keras-3.15" or "keys=nnx" in variants:
            told += ", and the tensors or layers in the program's order"
        return f"The lines below draw other numbers; for its own write {told}."


class Search(Struct, frozen=True):
    """What was found, of what could be tried at all."""

    fresh: Fresh | None
    is_tried: bool

    def __str__(self) -> str:
        if self.fresh is not None:
            return f"{self.fresh}."
        if self.is_tried:
            return f"No seed that was tried gives a tensor of it under {', '.join(_INITS)}."
        return (
            "Nothing of it can be tried: an rng is looked for in matrices of float32, of "
            f"{LEAST} to 2²⁸ elements that are not all alike."
        )


def parse_seeds(text: str) -> range:
    """`A..B`, both included, or one seed.

    >>> parse_seeds("0..999")
    range(0, 1000)
    """
    found = re.fullmatch(r"(\d{1,20})(?:\.\.(\d{1,20}))?", text)
    if found is None:
        hint = _OF_NEGATIVES if re.match(r"-\d|\d+\.\.-\d", text) else None
        raise UsageError(f"--seeds must be A..B; got {format_value(text)}", hint=hint)
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last < 2**64 or last - first >= MOST_SEEDS:
        raise UsageError(
            f"--seeds must be A..B, at most {MOST_SEEDS:,} seeds below 2⁶⁴; "
            f"got {format_value(text)}"
        )
    return range(first, last + 1)


def check_seeds(seeds: Iterable[int] | None, carried: int | None = None) -> Sequence[int]:
    """The seeds to try: those given, or the likely ones, before which one that a file carries."""
    if seeds is None:
        if carried is None or not 0 <= carried < 2**64:
            return LIKELY
        return carried, *LIKELY
    listed = list(islice(seeds, MOST_SEEDS + 1))
    if not listed or len(listed) > MOST_SEEDS:
        more = f"more than {MOST_SEEDS:,}" if listed else "none"
        raise UsageError(f"seeds must be from 1 to {MOST_SEEDS:,} of them; got {more}")
    for seed in listed:
        if not isinstance(seed, int) or not 0 <= seed < 2**64:
            hint = _OF_NEGATIVES if isinstance(seed, int) and seed < 0 else None
            fact = f"seeds must be integers from 0 to 2⁶⁴−1; got {format_value(seed)}"
            raise UsageError(fact, hint=hint)
    return listed


def look_for_fresh(index: Index, seeds: Sequence[int]) -> Search:
    """Look for the first tensor of a file that is what an rng draws from one of these seeds.

    Of the first few matrices of float32 the numbers are read.
    """
    from xavinit.reading import find_fresh  # with NumPy

    singles = [stored for stored in index.tensors if stored.dtype.name == "float32"]
    tried = (one for one in singles if len(one.shape) > 1 and LEAST <= one.size <= LARGEST)
    arrays = load_stored(islice(tried, MOST_TRIED))
    made = sum(stored.size for stored in singles)
    arrays = {name: array for name, array in arrays.items() if array.flat[0] != array.flat[1]}
    found = find_fresh(arrays, made, seeds, _list_laws)
    return Search(None if found is None else Fresh(*found), bool(arrays))


@lru_cache(maxsize=64)
def _list_laws(rng: str, shape: tuple[int, ...]) -> list[tuple[str, TensorPlan]]:
    """A tensor of this shape by each initializer that people use, in the form of the rng."""
    found = []
    for init in _INITS[rng]:
        own = {} if rng == "torch-2.13" else {"seed": 0}
        table = {"shape": list(shape), "init": init, **own}
        try:
            plan = make_plan({"rng": rng, "tensors": {"w": table}})
        except SpecError:  # a law without a positive scale, say
            continue
        found.append((_tell(init), plan.tensors[0]))
    return found


def _tell(init: Any) -> str:
    if isinstance(init, str):
        return init
    if init.get("gain") == _LEAKY:
        return "default"
    return "{" + ", ".join(f"{key}: {value}" for key, value in init.items()) + "}"
