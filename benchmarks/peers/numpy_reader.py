"""Every tensor's figures by safetensors and NumPy, tensor after tensor."""

from __future__ import annotations

import sys

import numpy as np
from safetensors import safe_open


def main() -> None:
    path, *options = sys.argv[1:]
    if options:  # --prepare: nothing to do
        print(path)
        return
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118  # it is no dict
            x = file.get_tensor(name)
            mean, std = x.mean(dtype=np.float64), x.std(dtype=np.float64)
            counts, _ = np.histogram(x, 50)
            print(name, mean, std, x.min(), x.max(), (x == 0).sum(), counts.max())


if __name__ == "__main__":
    main()
