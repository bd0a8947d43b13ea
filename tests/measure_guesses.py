"""How often is a guess right, silent or wrong? Thousands of random tensors, counted.

    python tests/measure_guesses.py [TENSORS] [SEED]

A guess is right if it is the law drawn from, and named if it has the initializer's name too; wrong
with another law or another name. Laws that bear no name of ours must get none.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from bins import Array, make_bins, to_dtype
from trained import TRAINED

import xavinit
from xavinit.dtypes import STORED_DTYPES
from xavinit.inits import NAMED
from xavinit.reading import Guess, guess_law

NAMES = [name for name in NAMED if name.split("_")[0] in ("glorot", "he", "lecun")]
DTYPES = ["float32", "bfloat16", "float16", "float64", "float8_e4m3fn", "float8_e5m2"]
LAWS = {"uniform": "Uniform", "normal": "Normal", "truncated_normal": "TruncatedNormal"}

Generator = np.random.Generator


def guess(values: Array, **keys: Any) -> Guess | None:
    """The guess for an array."""
    wide = values.astype(np.float64)
    return guess_law(
        make_bins(values),
        size=values.size,
        mean=float(wide.mean()),
        std=float(wide.std()),
        min=float(wide.min()),
        max=float(wide.max()),
        shape=values.shape,
        dtype=STORED_DTYPES[values.dtype.name],
        **keys,
    )


def judge(found: Guess | None, law: str, name: str | None) -> str:
    if found is None:
        return "silent"
    if type(found.law).__name__ != LAWS[law]:
        return "WRONG LAW"
    if not found.initializers:
        return "law alone"
    return "named" if name in found.initializers else "WRONG NAME"


def choose_shape(rng: Generator, rank: int) -> tuple[int, ...]:
    """Of at most two million elements; out and in axes first."""
    while True:
        two = tuple(int(2 ** rng.uniform(3, 11 if rank == 2 else 8)) for _ in range(2))
        shape = (*two, *([int(rng.choice([1, 3, 5, 7]))] * (rank - 2)))
        if math.prod(shape) <= 2_000_000:
            return shape


def draw(rng: Generator, shape: tuple[int, ...], dtype: str, **keys: Any) -> Array:
    tensor = {"shape": list(shape), "dtype": dtype, **keys}
    return xavinit.draw({"seed": int(rng.integers(2**40)), "tensors": {"w": tensor}})["w"]


def measure_named(rng: Generator) -> tuple[str, str]:
    """A named initializer in either layout, in any dtype."""
    name = str(rng.choice(NAMES))
    shape = choose_shape(rng, int(rng.choice([2, 2, 3, 4])))
    layout = str(rng.choice(["out_in", "in_out"]))
    if layout == "in_out":
        shape = shape[2:] + shape[1::-1]
    values = draw(rng, shape, str(rng.choice(DTYPES)), init=name, layout=layout)
    law = name.split("_", 1)[1]
    told: dict[str, Any] = {} if rng.random() < 0.5 else {"layouts": (layout,)}
    size = f"10^{int(math.log10(values.size))}"
    return f"{law}, {size} values", judge(guess(values, **told), law, name)


def measure_unnamed(rng: Generator) -> tuple[str, str]:
    """An arbitrary parameter, within a factor of 4 of Glorot's."""
    law = str(rng.choice(list(LAWS)))
    shape = choose_shape(rng, int(rng.choice([2, 3, 4])))
    scale = math.sqrt(2 / (shape[0] + shape[1]) / math.prod(shape[2:])) * 4 ** rng.uniform(-1, 1)
    key = "bound" if law == "uniform" else "std"
    values = draw(rng, shape, "float32", init={"type": law, key: scale})
    return f"{law}, any parameter", judge(guess(values), law, None)


def measure_traps(rng: Generator) -> tuple[str, str]:
    """Fans that the shape alone does not give: depthwise, grouped, fused, experts, other gains."""
    width, size = int(rng.choice([64, 96, 128, 256])), int(rng.choice([3, 5, 7]))
    name = str(rng.choice(NAMES))
    family, law = name.split("_", 1)
    trap = str(rng.choice(["depthwise", "groups", "fused", "experts", "fan_out", "gain"]))
    keys: dict[str, Any] = {"init": name}
    if trap == "depthwise":
        shape = (width, 1, size, size)
        keys["fused"] = width
    elif trap == "groups":
        groups = int(rng.choice([8, 16, 32]))
        shape = (width, width // groups, size, size)
        keys["fused"] = groups
    elif trap == "fused":
        blocks = int(rng.choice([3, 4]))
        shape = (blocks * width, int(rng.choice([width, 2 * width])))
        keys["fused"] = blocks
    elif trap == "experts":
        shape = (8, width, 2 * width)
        keys |= {"batch_axis": 0}
    else:
        shape = choose_shape(rng, 4)
        mode = "fan_out" if trap == "fan_out" else str(rng.choice(["fan_in", "fan_avg"]))
        gain = 1.0 if trap == "fan_out" else float(rng.choice([5 / 3, 0.75, 1.2]))
        keys["init"] = {
            "type": "variance_scaling", "mode": mode, "distribution": law, "gain": gain
        }  # fmt: skip
        family = "none"
    found = judge(guess(draw(rng, shape, "float32", **keys)), law, f"{family}_{law}")
    return trap, found


def measure_trained(rng: Generator) -> tuple[str, str]:
    """Trained-like values: anything but silence is wrong."""
    name = str(rng.choice(list(TRAINED)))
    rows, columns = (int(2 ** rng.uniform(5, 9.5)) for _ in range(2))
    values = to_dtype(TRAINED[name](rng, rows, columns), str(rng.choice(DTYPES[:4])))
    found = guess(values)
    if found is None:
        return "trained", "silent"
    what = "NAMED" if found.initializers else "LAW ALONE"
    return "trained", f"{what} ({name}, {rows}×{columns}, {values.dtype.name})"


MEASURES: list[Callable[[Generator], tuple[str, str]]] = [
    measure_named,
    measure_unnamed,
    measure_traps,
    measure_trained,
]


def main() -> None:
    tensors = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 16)
    for measure in MEASURES:
        start, counts = time.perf_counter(), dict[str, Counter[str]]()
        for _ in range(tensors):
            case, found = measure(rng)
            counts.setdefault(case, Counter())[found] += 1
        print(f"{measure.__name__}: {tensors} tensors in {time.perf_counter() - start:.0f} s")
        for case, found_counts in sorted(counts.items()):
            print(f"  {case:32s}", dict(found_counts.most_common()))


if __name__ == "__main__":
    main()
