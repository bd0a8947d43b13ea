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
# What came after `PINNED`, in `files` alone: the golden values pin it, the rows must agree.
LATER = """
seed: 18446744073709551615
dims: {last: 20, blocks: 12}
tensors:
  "{FLOATS,int64,int32,uint8,bool}.arange": {shape: [3, 7], init: {type: arange, repeat: 4}}
  "{FLOATS}.fractions": {shape: [2, 300], init: {type: arange, start: -1/3, step: 0.01, repeat: 2}}
  "{FLOATS}.log_arange": {shape: [2, 1000], init: log_arange}
  "{FLOATS}.values": {shape: [5], init: {type: values, values: [1, 0.33, -0.0, -2, 0.1]}}
  "{FLOATS}.{4..last-1..8}.weight": {shape: [5, 7], zero_rows: [0, -1]}
  "{FLOATS}.{4..last-1..8}.bias":
    fans_of: "{FLOATS}.{4..last-1..8}.weight"
    shape: [5]
    init: {type: uniform, bound: 1/sqrt(fan_in)/sqrt(2*blocks)}
rules:
"""
# What an rng draws, in `files` too: tests/golden/torch-2.13.json pins it, the rows must agree.
RNG = """
seed: -1
rng: {type: torch-2.13, cpu: CPU}
tensors:
  "{WORKING}.cut": {shape: [5, 7], init: {type: truncated_normal, std: 1}}
  "{FLOATS}.few": {shape: [7], init: {type: normal, std: 0.7, mean: 0.1}}
  "{FLOATS}.between": {shape: [7], init: {type: uniform, a: -0.3, b: 0.7}}
  "{FLOATS}.large": [677, 389]
  "{FLOATS}.wide": {shape: [37, 53], init: he_normal}
layers:
  - {name: a, type: lstm, in: 5, hidden: 7, init: default}
  - {type: draw, count: 11}
  - {name: b, type: multi_head_attention, size: 12, heads: 3, init: default}
rules:
"""
# The same of Keras on TensorFlow: tests/golden/keras-3.15.json pins it.
KERAS = """
seed: 1234
rng: keras-3.15
tensors:
  "{FLOATS}.few": {shape: [7], init: {type: normal, std: 0.7, mean: 0.1}, seed: -1}
  "{FLOATS}.between": {shape: [7], init: {type: uniform, a: -0.3, b: 0.7}}
  "{FLOATS}.cut": {shape: [377, 389], init: he_truncated_normal}
  "{FLOATS}.normal": {shape: [37, 53], init: {type: normal, std: 0.05}, seed: 1099511627779}
  "{FLOATS}.large": [677, 389]
layers:
  - {name: a, type: lstm, in: 5, hidden: 7, recurrent_init: glorot_truncated_normal}
  - {type: draw}
  - {name: b, type: conv2d, in: 3, out: 8, kernel: 3}
rules:
"""
# The same of JAX: tests/golden/jax-0.10.json pins it.
JAX = """
seed: 1234
rng: {type: jax-0.10, keys: nnx, x64: true, jit: JIT}
tensors:
  "{FLOATS}.between": {shape: [7], init: {type: uniform, a: -0.3, b: 0.7}}
  "{FLOATS}.large": [677, 389]
  normal: {shape: [377, 389], init: {type: normal, std: 0.05}}
  cut: {shape: [3, 3, 37, 53], init: he_truncated_normal}
layers:
  - {name: a, type: embedding, in: 50, out: 7}
  - {type: draw}
  - {name: b, type: conv_transpose2d, in: 3, out: 8, kernel: 3}
rules:
"""
INITS = tuple(
    f"{family}_{distribution}"
    for family in ("glorot", "he", "lecun")
    for distribution in ("uniform", "normal", "truncated_normal")
)


def make_spec(floats: tuple[str, ...]) -> str:
    """The spec of these float dtypes, as YAML."""
    inits = (f'  - {{match: "*.{name}", init: {name}}}\n' for name in (*INITS, "zeros", "ones"))
    return SPEC.replace("FLOATS", ",".join(floats)) + "".join((*inits, *list_dtypes(floats)))


def make_later_spec() -> str:
    """The spec of what came later, in all dtypes."""
    return LATER.replace("FLOATS", ",".join(FLOATS)) + "".join(list_dtypes(FLOATS))


def make_rng_spec(cpu: str) -> str:
    """The spec of an rng, for one kind of PyTorch's processors."""
    text = RNG.replace("WORKING", ",".join(FLOATS[:2])).replace("FLOATS", ",".join(FLOATS[:4]))
    return text.replace("CPU", cpu) + "".join(list_dtypes(FLOATS[:4]))


def make_keras_spec() -> str:
    """The spec of Keras's rng, in the dtypes that it draws."""
    return KERAS.replace("FLOATS", ",".join(FLOATS[:4])) + "".join(list_dtypes(FLOATS[:4]))


def make_jax_spec(jit: str) -> str:
    """The spec of JAX's rng, whose layers are views in PyTorch's form."""
    text = JAX.replace("FLOATS", ",".join(FLOATS[:4])).replace("JIT", jit)
    return text + "".join(list_dtypes(FLOATS[:4]))


def list_dtypes(floats: tuple[str, ...]) -> Iterator[str]:
    """The rules that give the tensors of each dtype's name that dtype."""
    for name in (*floats, "int64", "int32", "uint8", "bool"):
        yield f'  - {{match: "{name}.*", dtype: {name}}}\n'


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
        for stem, text in (
            ("later", make_later_spec()),
            ("avx2", make_rng_spec("avx2")),
            ("plain", make_rng_spec("plain")),
            ("keras", make_keras_spec()),
            ("jax", make_jax_spec("false")),
            ("jit", make_jax_spec("true")),
        ):
            later = Path(name, f"{stem}.yaml")
            later.write_text(text, encoding="utf-8")
            xavinit.generate(later, later.with_suffix(".safetensors"), jobs=jobs)
            files.update(later.with_suffix(".safetensors").read_bytes())
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
