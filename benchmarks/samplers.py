"""Nanoseconds an element, one thread, in memory: our kernels beside NumPy's and PyTorch's.

    python benchmarks/samplers.py [--rounds N]

All fill one mebibyte again and again, in turns; the least of all rounds counts. `-`: has no such.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from xavinit.dtypes import DTYPES
from xavinit.plan import Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import KERNELS

LAWS: dict[str, Law] = {
    "uniform": Uniform(0.1),
    "normal": Normal(0.1),
    "truncated": TruncatedNormal(0.1),
}
FLOATS = [dtype for dtype in DTYPES.values() if dtype.is_float]
NBYTES = 1 << 20

Fill = Callable[[], None]


def make_ours(name: str, law: Law, dtype: Any) -> Fill | None:
    try:
        filler = import_module(KERNELS[name]).Filler()
    except ImportError:
        return None
    count = NBYTES // dtype.itemsize
    out = memoryview(bytearray(NBYTES))
    return lambda: filler.fill(out, 12345, law, dtype, 0, count)


def make_numpy(law: Law, dtype: Any) -> Fill | None:
    rng = np.random.default_rng(1)
    if dtype.name not in ("float32", "float64") or isinstance(law, TruncatedNormal):
        return None
    out = np.empty(NBYTES // dtype.itemsize, dtype.name)
    kind = out.dtype.type
    if isinstance(law, Normal):

        def draw() -> None:
            rng.standard_normal(out=out, dtype=kind)
            np.multiply(out, kind(0.1), out=out)

        return draw

    def draw_uniform() -> None:
        rng.random(out=out, dtype=kind)
        np.subtract(out, kind(0.5), out=out)
        np.multiply(out, kind(0.2), out=out)

    return draw_uniform


def make_torch(law: Law, dtype: Any) -> Fill | None:
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    kind = getattr(torch, dtype.name, None)
    if kind is None or dtype.name.startswith("float8"):
        return None
    tensor, init = torch.empty(NBYTES // dtype.itemsize, dtype=kind), torch.nn.init
    match law:
        case Uniform():
            return lambda: init.uniform_(tensor, -0.1, 0.1)
        case Normal():
            return lambda: init.normal_(tensor, 0, 0.1)
    return lambda: init.trunc_normal_(tensor, 0, 0.1, -0.2, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds (15)")
    options = parser.parse_args()
    print(f"{'law':<10} {'dtype':<14}{'native':>8}{'numpy':>8}{'Generator':>11}{'PyTorch':>9}")
    for law_name, law in LAWS.items():
        for dtype in FLOATS:
            fills = [
                make_ours("native", law, dtype),
                make_ours("numpy", law, dtype),
                make_numpy(law, dtype),
                make_torch(law, dtype),
            ]
            best = [math.inf] * len(fills)
            for _ in range(options.rounds):
                for index, fill in enumerate(fills):
                    if fill is not None:
                        started = time.perf_counter()
                        fill()
                        best[index] = min(best[index], time.perf_counter() - started)
            cells = [
                "-" if math.isinf(seconds) else f"{seconds / (NBYTES / dtype.itemsize) * 1e9:.2f}"
                for seconds in best
            ]
            row = f"{cells[0]:>8}{cells[1]:>8}{cells[2]:>11}{cells[3]:>9}"
            print(f"{law_name:<10} {dtype.name:<14}{row}", flush=True)


if __name__ == "__main__":
    main()
