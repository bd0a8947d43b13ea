"""What one row of the reproducibility matrix runs: every law in every dtype, into every container.

    python tests/matrix/probe.py [--jobs N]

prints one line of JSON: the kernel and versions that ran, `tensors`, a hash of the containers'
digests, and `files`, a hash of the files' bytes where those are promised (safetensors and npy; not
HDF5's).
It needs xavinit and its libraries alone, so that it runs where no test tool is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import xavinit
from xavinit.streams import choose_kernel

# `tensors` of every row, for ever: of xavinit 0.1.0, stream xavinit-1, on x86-64.
PINNED = "266010ee22e7e9124916d01e4f1d2c56559f16386e39ba665a2633c4eb67b2cd"

FLOATS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")

# Odd sizes: a half word is left over, and there is more than one block with a broken end.
SPEC = """
seed: 18446744073709551615
dims: {rows: 677, columns: 389}
tensors:
  "{FLOATS}.{glorot,he,lecun}_{uniform,normal,truncated_normal}": [37, 53]
  "{FLOATS}.plain_{uniform,normal,truncated_normal}": [37, 53]
  "{FLOATS}.{zeros,ones,third}": [7]
  "{FLOATS}.large": [rows, columns]
  "{FLOATS}.empty": [0, 3]
  "{int64,int32,uint8,bool}.ones": [3]
  "ünïcode/名.{weight,bias}": {shape: [3, 5], init: glorot_normal}
rules:
  - {match: "*.large", init: glorot_normal}
  - {match: "*.third", init: {type: constant, value: 0.3333333333333333}}
  - {match: "*.plain_uniform", init: {type: uniform, bound: 0.7}}
  - {match: "*.plain_normal", init: {type: normal, std: 0.02}}
  - {match: "*.plain_truncated_normal", init: {type: truncated_normal, std: 0.02}}
"""
INITS = tuple(
    f"{family}_{distribution}"
    for family in ("glorot", "he", "lecun")
    for distribution in ("uniform", "normal", "truncated_normal")
)


def make_spec(floats: tuple[str, ...]) -> str:
    """The spec of these float dtypes, as YAML."""
    inits = (f'  - {{match: "*.{name}", init: {name}}}\n' for name in (*INITS, "zeros", "ones"))
    kinds = (*floats, "int64", "int32", "uint8", "bool")
    dtypes = (f'  - {{match: "{name}.*", dtype: {name}}}\n' for name in kinds)
    return SPEC.replace("FLOATS", ",".join(floats)) + "".join((*inits, *dtypes))


def write_containers(folder: Path, jobs: int | None) -> Iterator[tuple[Path, bool]]:
    """Write each container; yield its path, and whether its bytes are promised."""
    for name, floats, promised in (
        ("all.safetensors", FLOATS, True),
        ("most.h5", FLOATS[:4], False),  # HDF5 has no float8
        ("plain", FLOATS[:3], True),  # npy has no bfloat16 either
    ):
        spec = folder / f"{name}.yaml"
        spec.write_text(make_spec(floats), encoding="utf-8")
        xavinit.generate(spec, folder / name, format="npy" if name == "plain" else None, jobs=jobs)
        yield folder / name, promised


def run(jobs: int | None = None) -> dict[str, str]:
    """Run the row: its versions and its two hashes."""
    tensors, files = hashlib.sha256(), hashlib.sha256()
    with tempfile.TemporaryDirectory() as name:
        for path, promised in write_containers(Path(name), jobs):
            tensors.update(f"{path.name} {xavinit.digest(path)}\n".encode())
            for part in sorted(path.iterdir()) if path.is_dir() else [path]:
                if promised:
                    files.update(f"{part.name} {part.stat().st_size}\n".encode())
                    files.update(part.read_bytes())
    return {
        "kernel": choose_kernel(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in ("numpy", "h5py", "PyYAML")},
        "tensors": tensors.hexdigest(),
        "files": files.hexdigest(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int)
    print(json.dumps(run(parser.parse_args().jobs)))
