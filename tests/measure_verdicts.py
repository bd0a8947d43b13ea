"""How often does `verify --statistics` refuse true files, and let wrong tensors pass?

    python tests/measure_verdicts.py [FILES] [TENSORS]

True files: each sample in several dtypes, as each framework has it, under other seeds. Each is
judged at its own level, and at one where a tenth of true files may be refused, at most: that shows
how sharp the bound is. Wrong tensors: 20,000 values by NumPy, as one of 148 in a file.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections import Counter

import numpy as np
from bins import make_bins, to_dtype
from test_samples import FOLDER, SAMPLES
from test_statistics_verdicts import FLOATS, LAWS, draw

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.plan import Normal, TruncatedNormal, Uniform
from xavinit.reading import FALSE_ALARMS, judging
from xavinit.reading.distributions import Drawn, get_parameter
from xavinit.reading.samples import find_largest
from xavinit.reading.trials import Drawing, refuse

SIZE, OTHERS = 20_000, 148
FACTORS = (1.05, 1 / 1.05, 0.95)


def measure_alarms(files: int) -> None:
    done, refused = 0, Counter[float]()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "w.safetensors")
        while done < files:
            name = list(SAMPLES)[done % len(SAMPLES)]
            turn = done // len(SAMPLES)
            options = {
                "dims": {"w": 8} if name.startswith("resnet") else SAMPLES[name].dims,
                "dtype": (None, "float64", "float16", "bfloat16", "float8_e4m3fn")[turn % 5],
                "framework": ("pytorch", "keras", "flax")[turn // 5 % 3],
            }
            spec = FOLDER / f"{name}.yaml"
            xavinit.generate(spec, path, seed=7000 + done, force=True, **options)
            for level in (FALSE_ALARMS, 0.1):
                judging.FALSE_ALARMS = level
                verdict = xavinit.verify(path, spec, statistics=True, **options)
                refused[level] += not verdict
            done += 1
    for level in (FALSE_ALARMS, 0.1):
        print(f"{done} true files at a rate of at most {level:g}: {refused[level]} refused")


def measure_power(tensors: int) -> None:
    rng = np.random.default_rng(5)
    level = math.log(FALSE_ALARMS * 0.9 / OTHERS)
    for law in LAWS:
        for dtype in FLOATS:
            missed = {}
            for told, wrong in list_wrong(law):
                passed = 0
                for _ in range(tensors):
                    values = to_dtype(draw(rng, wrong, (SIZE,)), dtype)
                    passed += not refuse(make_drawing(values), law, DTYPES[dtype], level)
                missed[told] = passed
            text = ", ".join(f"{told}: {passed}" for told, passed in missed.items())
            print(f"{law}, {dtype}: passed of {tensors}: {text}")


def list_wrong(law: Drawn) -> list[tuple[str, Drawn]]:
    parameter = get_parameter(law)
    wrong: list[tuple[str, Drawn]] = [(f"times {f:.3f}", type(law)(parameter * f)) for f in FACTORS]
    std = parameter / math.sqrt(3) if isinstance(law, Uniform) else parameter
    same = (Uniform(std * math.sqrt(3)), Normal(std), TruncatedNormal(std))
    return wrong + [(type(o).__name__, o) for o in same if type(o) is not type(law)]


def make_drawing(values: np.ndarray) -> Drawing:
    bins, wide = make_bins(values), values.astype(np.float64)
    extremes = find_largest(bins, float(wide.min()), float(wide.max()))
    return Drawing(bins, float(wide.mean()), float(wide.std()), extremes)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    measure_alarms(numbers[0] if numbers else 1000)
    measure_power(numbers[1] if len(numbers) > 1 else 400)
