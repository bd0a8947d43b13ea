"""safetensors' own loaders take every dtype that we write, with the values we say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import xavinit
from xavinit.plan import DTYPES

pytestmark = pytest.mark.frameworks

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
def drawn() -> dict[str, np.ndarray[Any, Any]]:
    return xavinit.generate(SPEC)


def test_spec_has_every_dtype() -> None:
    assert sorted(DTYPES) == sorted([*FLOATS, *WHOLE])


def test_numpy_loads_every_dtype(path: Path, drawn: dict[str, np.ndarray[Any, Any]]) -> None:
    from safetensors.numpy import load_file

    loaded = load_file(path)
    assert sorted(loaded) == sorted(drawn)
    for name, array in drawn.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()


def test_torch_loads_every_dtype(
    torch: Any, path: Path, drawn: dict[str, np.ndarray[Any, Any]]
) -> None:
    from safetensors.torch import load_file

    loaded = load_file(path)
    assert sorted(loaded) == sorted(drawn)
    for name, array in drawn.items():
        tensor = loaded[name]
        assert tensor.dtype == getattr(torch, array.dtype.name)
        assert tuple(tensor.shape) == array.shape
        bits = tensor.contiguous().flatten().view(torch.uint8)
        assert bits.numpy().tobytes() == array.tobytes()


def test_flax_loads_every_dtype(
    jax: Any, path: Path, drawn: dict[str, np.ndarray[Any, Any]]
) -> None:
    # JAX makes 32 bits of 64 unless told not to.
    load_file = importlib.import_module("safetensors.flax").load_file
    with jax.enable_x64(True):
        loaded = load_file(path)
        assert sorted(loaded) == sorted(drawn)
        for name, array in drawn.items():
            assert loaded[name].dtype == array.dtype
            assert loaded[name].shape == array.shape
            assert np.asarray(loaded[name]).tobytes() == array.tobytes()


def test_flax_metadata_is_what_its_loaders_demand(write: Callable[..., Path], path: Path) -> None:
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
    assert ml_dtypes.finfo(ml_dtypes.bfloat16).bits == 8 * loaded["empty"].element_size()
