"""`diff` of what PyTorch, Keras and Flax themselves save, beside our files of one spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import xavinit

pytestmark = [
    pytest.mark.frameworks,
    # Keras, of its own variables, as it saves them.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SPEC: dict[str, Any] = {
    "seed": 12,
    "layers": [
        {"name": "conv1", "type": "conv2d", "in": 3, "out": 5, "kernel": [3, 2]},
        {"name": "norm", "type": "batch_norm", "size": 5},
        {"name": "fc", "type": "dense", "in": [5, 4, 6], "out": 7},
        {"name": "rnn", "type": "lstm", "in": 7, "hidden": 4},
    ],
    "rules": [{"match": "*.bias*", "init": {"type": "normal", "std": 0.3}}],
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("ours")
    files = {"pytorch": "p.safetensors", "keras": "k.weights.h5", "flax": "f.safetensors"}
    for framework, file in files.items():
        xavinit.generate(SPEC, folder / file, framework=framework)
    return {framework: folder / file for framework, file in files.items()}


@pytest.fixture(scope="module")
def saved_by_torch(
    torch: Any, ours: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A state dict, some of whose tensors do not lie in C order."""
    model = torch.nn.Module()
    model.conv1 = torch.nn.Conv2d(3, 5, (3, 2))
    model.norm = torch.nn.BatchNorm2d(5)
    model.fc = torch.nn.Linear(120, 7)
    model.rnn = torch.nn.LSTM(7, 4)
    weights = {name: torch.from_numpy(array) for name, array in load_file(ours["pytorch"]).items()}
    model.load_state_dict(weights)
    model = model.to(memory_format=torch.channels_last)
    path: Path = tmp_path_factory.mktemp("torch") / "model.pt"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def saved_by_keras(
    tf: Any, ours: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    import keras

    model = keras.Sequential(
        [
            keras.Input((6, 7, 3)),
            keras.layers.Conv2D(5, (3, 2), name="conv1"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(7, name="fc"),
            keras.layers.Reshape((1, 7)),
            keras.layers.LSTM(4, name="rnn"),
        ]
    )
    model.load_weights(ours["keras"])
    folder = tmp_path_factory.mktemp("keras")
    path = folder / "model.weights.h5"
    model.save_weights(path)
    model.save(folder / "model.keras")
    return path


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
def test_a_state_dict_of_torch(ours: dict[str, Path], saved_by_torch: Path, framework: str) -> None:
    found = xavinit.diff(saved_by_torch, ours[framework])
    assert found.is_same
    assert found.paired_by == ("names" if framework == "pytorch" else "spec")


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("name", ["model.weights.h5", "model.keras"])
def test_what_keras_saves(
    ours: dict[str, Path], saved_by_keras: Path, framework: str, name: str
) -> None:
    found = xavinit.diff(saved_by_keras.with_name(name), ours[framework])
    assert found.is_same, (found.different, found.only_in_a, found.only_in_b)
    assert len(found.tensors) > 10


def test_torch_and_keras_by_maps(saved_by_torch: Path, saved_by_keras: Path) -> None:
    """Neither carries a spec: names alone pair nothing."""
    assert not xavinit.diff(saved_by_torch, saved_by_keras).tensors
    maps = [
        "conv1.weight=layers/conv2d/vars/0:3,2,0,1",
        "conv1.bias=layers/conv2d/vars/1",
        "norm.{weight,bias,running_mean,running_var}=layers/batch_normalization/vars/{0,1,2,3}",
        "fc.bias=layers/dense/vars/1",
    ]
    found = xavinit.diff(saved_by_torch, saved_by_keras, map=maps)
    assert not found.different
    assert len(found.tensors) == 7


def test_a_kernel_that_was_ported_untransposed(
    tf: Any, ours: dict[str, Path], saved_by_keras: Path, tmp_path: Path
) -> None:
    """Set as a user does who reshapes where a transposition is due."""
    import keras

    model = keras.models.load_model(saved_by_keras.with_name("model.keras"))
    weight = load_file(ours["pytorch"])["conv1.weight"]
    _, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([weight.reshape(3, 2, 3, 5), bias])
    model.save_weights(tmp_path / "w.weights.h5")
    for other in ours.values():
        (tensor,) = xavinit.diff(tmp_path / "w.weights.h5", other, match="*conv*").different
        assert tensor.note == (
            "the values in A still lie in PyTorch's axis order: the transposition to keras's order "
            "(2, 3, 1, 0) was left out"
        )


def test_what_flax_holds(
    linen: Any, jax: Any, ours: dict[str, Path], saved_by_torch: Path, tmp_path: Path
) -> None:
    """Variables of a model, flattened by Flax and saved without a spec."""
    from flax.traverse_util import flatten_dict, unflatten_dict

    class Network(linen.Module):  # type: ignore[misc,name-defined]
        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.Conv(5, (3, 2), padding="VALID", name="conv1")(x)
            x = linen.BatchNorm(use_running_average=True, name="norm")(x)
            x = linen.Dense(7, name="fc")(x.reshape(x.shape[0], -1))
            return linen.RNN(linen.LSTMCell(4, parent=None), name="rnn")(x[:, None])

    shapes = Network().init(jax.random.key(0), np.zeros((1, 6, 7, 3), np.float32))
    drawn = unflatten_dict(
        {tuple(name.split(".")): array for name, array in load_file(ours["flax"]).items()}
    )
    same = jax.tree.map(lambda shape, array: shape.shape == array.shape, shapes, drawn)
    assert all(jax.tree.leaves(same))
    flat = {".".join(path): np.asarray(array) for path, array in flatten_dict(drawn).items()}
    save_file(flat, tmp_path / "flax.safetensors")
    assert xavinit.diff(tmp_path / "flax.safetensors", ours["keras"]).is_same
    assert xavinit.diff(tmp_path / "flax.safetensors", ours["pytorch"]).paired_by == "spec"


def test_arrays_of_torch(torch: Any, ours: dict[str, Path], write: Callable[..., Path]) -> None:
    weights = {name: torch.from_numpy(array) for name, array in load_file(ours["pytorch"]).items()}
    assert xavinit.diff(weights, ours["flax"]).is_same
    half = {name: t.to(torch.bfloat16) for name, t in weights.items() if t.is_floating_point()}
    found = xavinit.diff(half, ours["pytorch"], rtol=2**-8, ignore_dtype=True, match="*.weight*")
    assert found.is_same
