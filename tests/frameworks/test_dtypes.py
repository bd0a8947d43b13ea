"""safetensors' own loaders take every dtype that we write, with the values we say.

Its sides for NumPy and JAX know no float8 (safetensors issue 682), whoever wrote the file: there
the library still reads the file, and ml_dtypes makes the array of its bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import xavinit
from xavinit.dtypes import DTYPES

pytestmark = pytest.mark.frameworks

Arrays = dict[str, np.ndarray[Any, Any]]

FLOATS = sorted(name for name, dtype in DTYPES.items() if dtype.is_float)
WHOLE = {"int64": -(2**63), "int32": 2**31 - 1, "uint8": 255, "bool": True}

SPEC: dict[str, Any] = {
    "seed": 3,
    "tensors": {
        **{
            f"{name}.{init}": {"shape": [12, 5], "dtype": name, "init": f"glorot_{init}"}
            for name in FLOATS
            for init in ("normal", "truncated_normal", "uniform")
        },
        **{
            name: {"shape": [2, 3], "dtype": name, "init": {"type": "constant", "value": value}}
            for name, value in WHOLE.items()
        },
        "scalar": {"shape": [], "init": {"type": "constant", "value": 0.1}},
        "empty": {"shape": [0, 4], "dtype": "bfloat16"},
    },
}


@pytest.fixture(scope="module")
def path(write: Callable[..., Path]) -> Path:
    return write(SPEC, "dtypes.safetensors")


@pytest.fixture(scope="module")
def drawn() -> Arrays:
    return xavinit.draw(SPEC)


def test_spec_has_every_dtype() -> None:
    assert sorted(DTYPES) == sorted([*FLOATS, *WHOLE])


def test_numpy_loads_every_dtype(write: Callable[..., Path], path: Path, drawn: Arrays) -> None:
    check_arrays(load_whole(write, "safetensors.numpy"), drawn)
    check_arrays(load_float8(path), drawn)


def test_flax_loads_every_dtype(
    jax: Any, write: Callable[..., Path], path: Path, drawn: Arrays
) -> None:
    with jax.enable_x64(True):  # else JAX makes 32 bits of 64
        check_arrays(load_whole(write, "safetensors.flax"), drawn)
        narrow = {name: jax.numpy.asarray(array) for name, array in load_float8(path).items()}
        check_arrays(narrow, drawn)


def load_whole(write: Callable[..., Path], module: str) -> Arrays:
    """All but float8, by the `load_file` of one side of the library."""
    tensors = {name: t for name, t in SPEC["tensors"].items() if "float8" not in name}
    file = write({**SPEC, "tensors": tensors}, "no_float8.safetensors")
    loaded = importlib.import_module(module).load_file(file)
    assert sorted(loaded) == sorted(tensors)
    return loaded


def load_float8(path: Path) -> Arrays:
    raw = dict(importlib.import_module("safetensors").deserialize(path.read_bytes()))
    assert sorted(raw) == sorted(SPEC["tensors"])
    kinds = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2}
    loaded = {
        name: np.frombuffer(entry["data"], kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in raw.items()
        if entry["dtype"] in kinds
    }
    assert len(loaded) == 6
    return loaded


def check_arrays(loaded: Any, drawn: Arrays) -> None:
    for name, array in loaded.items():
        assert array.dtype == drawn[name].dtype
        assert array.shape == drawn[name].shape
        assert np.asarray(array).tobytes() == drawn[name].tobytes()


def test_torch_loads_every_dtype(torch: Any, path: Path, drawn: Arrays) -> None:
    from safetensors.torch import load_file

    loaded = load_file(path)
    assert sorted(loaded) == sorted(drawn)
    for name, array in drawn.items():
        tensor = loaded[name]
        assert tensor.dtype == getattr(torch, array.dtype.name)
        assert tuple(tensor.shape) == array.shape
        bits = tensor.flatten().view(torch.uint8)
        assert bits.numpy().tobytes() == array.tobytes()


def test_metadata_names_the_framework(write: Callable[..., Path], path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        assert file.metadata()["format"] == "pt"
    flax = write({**SPEC, "framework": "flax"}, "flax.safetensors")
    with safe_open(flax, "np") as file:
        assert file.metadata()["format"] == "flax"


def test_whole_numbers_are_exact(torch: Any, path: Path) -> None:
    from safetensors.torch import load_file

    loaded = load_file(path)
    for name, value in WHOLE.items():
        assert loaded[name].unique().tolist() == [value]
    assert loaded["scalar"].item() == np.float32(0.1)
