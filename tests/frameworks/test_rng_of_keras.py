"""The rng `keras-3.15` against the installed Keras, on each of its backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import make_keras_golden as golden
import numpy as np
import pytest

import xavinit

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("backend", golden.BACKENDS)
def test_the_golden_digests_are_the_installed_kerass(backend: str) -> None:
    command = [sys.executable, golden.__file__, backend]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    made = [json.loads(line) for line in told.stdout.splitlines()]
    cases = json.loads(golden.GOLDEN.read_text())["cases"]
    assert made == [case for case in cases if case.pop("backend") == backend]


@pytest.mark.parametrize("part", range(4))
def test_any_sequence_of_tensors(part: int, tf: Any) -> None:
    random = np.random.default_rng(part)
    for _ in range(15):
        tensors: dict[str, Any] = {}
        for number in range(random.integers(1, 12)):
            rank = int(random.integers(0, 6))
            most = (1, 3000, 60, 20, 7, 5)[rank]
            tensors[f"t{number}"] = {
                "shape": random.integers(1, most + 1, rank).tolist(),
                "dtype": golden.FLOATS[random.integers(4)],
                "init": golden.INITS[random.integers(len(golden.INITS))],
            }
            if random.random() < 0.5:
                tensors[f"t{number}"]["seed"] = int(random.integers(-(2**63), 2**63))
        spec = {"rng": "keras-3.15", "seed": int(random.integers(2**32)), "tensors": tensors}
        drawn = xavinit.draw(spec)
        for name, array in golden.draw(spec):
            assert array.tobytes() == drawn[name].tobytes(), (spec["seed"], tensors[name])


def test_the_example_of_the_documentation(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "same-seed.md").read_text(encoding="utf-8")
    _, page = page.split("## Keras\n")
    monkeypatch.chdir(tmp_path)
    Path("guide.yaml").write_text(find_block(page, "yaml"), encoding="utf-8")
    xavinit.generate("guide.yaml", "guide.weights.h5")
    exec(find_block(page, "python"), {})


def find_block(page: str, language: str) -> str:
    return page.split(f"```{language}\n", 1)[1].split("```", 1)[0]


def test_the_bridge_loads_what_keras_made(tf: Any) -> None:
    """`load_into` of a functional model: nothing changes."""
    import keras

    from xavinit.keras import load_into

    keras.utils.set_random_seed(7)
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    outputs = keras.layers.Dense(10, kernel_initializer="he_normal", name="head")(x)
    model = keras.Model(inputs, outputs)
    made = [np.array(weight) for weight in model.get_weights()]
    layers = [
        {"name": "conv", "type": "conv2d", "in": 1, "out": 4, "kernel": 3},
        {"type": "draw"},
        {"name": "head", "type": "dense", "in": [4, 26, 26], "out": 10,
         "init": "he_truncated_normal"},
    ]  # fmt: skip
    load_into(model, {"rng": "keras-3.15", "seed": 7, "layers": layers})
    for before, after in zip(made, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_random_bias_of_a_recurrent_layer(kind: str, tf: Any) -> None:
    import keras

    keras.utils.set_random_seed(9)
    made, own = (
        (keras.layers.LSTM, {"unit_forget_bias": False})
        if kind == "lstm"
        else (keras.layers.GRU, {})
    )
    cell = made(5, recurrent_initializer="glorot_uniform", bias_initializer="random_normal", **own)
    cell.build((None, 4, 3))
    layer = {
        "name": "l", "type": kind, "in": 3, "hidden": 5, "recurrent_init": "glorot_uniform",
        "bias_init": {"type": "normal", "std": 0.05},
    }  # fmt: skip
    drawn = xavinit.draw({"rng": "keras-3.15", "seed": 9, "layers": [layer]}, framework="keras")
    for weight, array in zip(cell.weights, drawn.values(), strict=False):  # then its seed
        np.testing.assert_array_equal(weight.numpy(), array)


@pytest.mark.parametrize("kv_heads", [None, 2])
@pytest.mark.parametrize("dropout", [False, True])
def test_an_attention_with_dropout(kv_heads: int | None, dropout: bool, tf: Any) -> None:
    """Its dropout takes a number before the last projection, which moves all that come after."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(42)
    inputs = keras.Input((5, 24))
    rate = {"dropout": 0.1} if dropout else {}
    if kv_heads is None:
        attention = layers.MultiHeadAttention(4, 6, name="att", **rate)
    else:
        attention = layers.GroupQueryAttention(6, 4, kv_heads, name="att", **rate)
    attended = attention(inputs, inputs)  # called before the next layer is made
    model = keras.Model(inputs, layers.Dense(3, name="out")(attended))
    layer = {"name": "att", "type": "multi_head_attention", "size": 24, "heads": 4}
    layer |= {"dropout": dropout} | ({} if kv_heads is None else {"kv_heads": kv_heads})
    dense = {"name": "out", "type": "dense", "in": 24, "out": 3}
    spec = {"rng": "keras-3.15", "seed": 42, "framework": "keras", "layers": [layer, dense]}
    drawn = xavinit.draw(spec)
    kernels = {weight.path: weight.numpy() for weight in model.weights if "kernel" in weight.path}
    assert len(kernels) == 5
    for name, array in kernels.items():
        np.testing.assert_array_equal(drawn[name], array)
