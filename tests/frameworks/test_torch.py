"""PyTorch loads what we write, strictly, from safetensors, HDF5 and npy alike."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xavinit

pytestmark = pytest.mark.frameworks

Arrays = dict[str, np.ndarray[Any, Any]]


def make_mnist_mlp(nn: Any) -> Any:
    return nn.Sequential(
        OrderedDict(hidden=nn.Linear(784, 128), relu=nn.ReLU(), output=nn.Linear(128, 10))
    )


def make_lenet5(nn: Any, padding: int = 2) -> Any:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5, padding=padding),
            tanh1=nn.Tanh(),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            tanh2=nn.Tanh(),
            pool2=nn.AvgPool2d(2),
            flat=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            tanh3=nn.Tanh(),
            fc2=nn.Linear(120, 84),
            tanh4=nn.Tanh(),
            fc3=nn.Linear(84, 10),
        )
    )


MODELS = {"lenet5": make_lenet5, "mnist_mlp": make_mnist_mlp}


def read_hdf5(path: Path) -> Arrays:
    arrays: Arrays = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    return arrays


def read_npy(folder: Path) -> Arrays:
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


@pytest.mark.parametrize("sample", MODELS)
def test_state_dict_loads_strictly(torch: Any, write: Callable[..., Path], sample: str) -> None:
    from safetensors.torch import load_file

    state = load_file(write(sample, f"{sample}.safetensors"))
    model = MODELS[sample](torch.nn)
    model.load_state_dict(state, strict=True)
    drawn = xavinit.draw(Path(__file__).parents[2] / "sample_specs" / f"{sample}.yaml")
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32
        assert parameter.detach().numpy().tobytes() == drawn[name].tobytes()


def test_lenet5_takes_both_sizes_of_image(torch: Any, write: Callable[..., Path]) -> None:
    from safetensors.torch import load_file

    state = load_file(write("lenet5", "lenet5.safetensors"))
    for side, padding in ((28, 2), (32, 0)):
        model = make_lenet5(torch.nn, padding)
        model.load_state_dict(state, strict=True)
        with torch.no_grad():
            logits = model(torch.ones(3, 1, side, side))
        assert logits.shape == (3, 10)
        assert bool(torch.isfinite(logits).all())
        assert float(logits.std(dim=1).min()) > 0.01


@pytest.mark.parametrize("sample", MODELS)
def test_formats_hold_equal_tensors(torch: Any, write: Callable[..., Path], sample: str) -> None:
    from safetensors.torch import load_file

    state = load_file(write(sample, f"{sample}.safetensors"))
    for arrays in (read_hdf5(write(sample, f"{sample}.h5")), read_npy(write(sample, sample))):
        assert sorted(arrays) == sorted(state)
        for name, tensor in state.items():
            assert torch.equal(torch.from_numpy(arrays[name]), tensor)


def test_npy_manifest_names_every_tensor(write: Callable[..., Path]) -> None:
    folder = write("lenet5", "lenet5")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert sorted(read_npy(folder)) == sorted(manifest["tensors"])


def test_bfloat16_in_hdf5_is_float32_of_the_same_values(
    torch: Any, write: Callable[..., Path]
) -> None:
    from safetensors.torch import load_file

    state = load_file(write("llama_tiny", "llama.safetensors"))
    arrays = read_hdf5(write("llama_tiny", "llama.h5"))
    # h5py makes groups of "/" only, so that the names with dots stay as they are.
    assert sorted(arrays) == sorted(state)
    for name, tensor in state.items():
        assert tensor.dtype == torch.bfloat16
        assert arrays[name].dtype == np.float32
        assert torch.equal(torch.from_numpy(arrays[name]), tensor.float())


def test_bfloat16_is_torchs_rounding(torch: Any, write: Callable[..., Path]) -> None:
    # A bfloat16 file is the cast of the float32 file, by torch's own cast.
    from safetensors.torch import load_file

    spec = {"tensors": {"w": {"shape": [300, 200], "init": "glorot_normal"}}}
    single = load_file(write(spec, "w.safetensors"))["w"]
    for dtype in ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"):
        narrow = load_file(write({**spec, "defaults": {"dtype": dtype}}, f"{dtype}.safetensors"))
        cast = single.to(getattr(torch, dtype))
        assert narrow["w"].dtype == cast.dtype
        assert torch.equal(narrow["w"].float(), cast.float())
