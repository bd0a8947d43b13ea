"""NumPy's Generator on one thread, then safetensors.numpy.save_file."""

from __future__ import annotations

import common
import numpy as np
from safetensors.numpy import save_file


def draw_and_save(law: str, names: list[str], shape: tuple[int, int], out: str) -> None:
    generator = np.random.default_rng(42)
    bound, std = (6 / sum(shape)) ** 0.5, (2 / sum(shape)) ** 0.5
    tensors = {}
    for name in names:
        if law == "uniform":
            tensor = generator.random(shape, dtype=np.float32)
            tensor *= np.float32(2 * bound)
            tensor -= np.float32(bound)
        else:
            tensor = generator.standard_normal(shape, dtype=np.float32)
            tensor *= np.float32(std)
        tensors[name] = tensor
    save_file(tensors, out)


common.run(draw_and_save, "numpy", "safetensors")
