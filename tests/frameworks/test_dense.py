"""One network in NumPy, PyTorch, Keras and Flax, from one file: the same answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.frameworks

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

CLOSE = 1e-5  # of probabilities, in absolute terms


def soften(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def numpy_answer(mnist_weights: Arrays, images: Array) -> Array:
    """The forward pass written out, in float64."""
    w = {name: array.astype(np.float64) for name, array in mnist_weights.items()}
    hidden = np.maximum(images @ w["hidden.weight"].T + w["hidden.bias"], 0)
    return soften(hidden @ w["output.weight"].T + w["output.bias"])


@pytest.fixture(scope="module")
def torch_answer(torch: Any, write: Callable[..., Path], images: Array) -> Array:
    from safetensors.torch import load_file

    nn = torch.nn
    model = nn.Sequential()
    model.add_module("hidden", nn.Linear(784, 128))
    model.add_module("relu", nn.ReLU())
    model.add_module("output", nn.Linear(128, 10))
    model.load_state_dict(load_file(write("mnist_mlp", "mnist_mlp.safetensors")), strict=True)
    with torch.no_grad():
        return torch.softmax(model(torch.from_numpy(images)), dim=1).numpy()


@pytest.fixture
def keras_model(tf: Any, mnist_weights: Arrays) -> Any:
    """The usual tutorial's classifier, its own weights replaced by ours, kernels transposed."""
    model = tf.keras.Sequential(
        [
            tf.keras.Input(shape=(784,)),
            tf.keras.layers.Dense(
                128,
                activation="relu",
                kernel_initializer=tf.keras.initializers.GlorotUniform(),
            ),
            tf.keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    for layer, name in zip(model.layers, ("hidden", "output"), strict=True):
        bound = np.sqrt(6 / sum(layer.kernel.shape))
        drawn = mnist_weights[f"{name}.weight"].T
        # Keras's own numbers have the law of ours, before they are replaced.
        for kernel in (np.asarray(layer.kernel), drawn):
            assert 0.95 * bound < np.abs(kernel).max() <= bound * (1 + 1e-6)
        layer.set_weights([drawn, mnist_weights[f"{name}.bias"]])
    return model


@pytest.fixture
def keras_answer(keras_model: Any, images: Array) -> Array:
    return keras_model.predict(images, verbose=0)


@pytest.fixture(scope="module")
def flax_answer(jax: Any, linen: Any, mnist_weights: Arrays, images: Array) -> Array:
    # Not `@linen.compact` in a class, whose bases would be needed while this file is read.
    model = linen.Sequential([linen.Dense(128), linen.relu, linen.Dense(10), linen.softmax])
    params = {
        layer: {"kernel": mnist_weights[f"{name}.weight"].T, "bias": mnist_weights[f"{name}.bias"]}
        for layer, name in (("layers_0", "hidden"), ("layers_2", "output"))
    }
    # Flax's own tree of parameters is as ours.
    own = model.init(jax.random.key(0), images)["params"]
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), own)
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)
    return np.asarray(jax.jit(model.apply)({"params": params}, images))


def test_torch_equals_numpy(torch_answer: Array, numpy_answer: Array) -> None:
    np.testing.assert_allclose(torch_answer, numpy_answer, rtol=0, atol=CLOSE)


def test_keras_equals_numpy(keras_answer: Array, numpy_answer: Array) -> None:
    np.testing.assert_allclose(keras_answer, numpy_answer, rtol=0, atol=CLOSE)


def test_flax_equals_torch_and_keras(
    flax_answer: Array, torch_answer: Array, keras_answer: Array
) -> None:
    np.testing.assert_allclose(flax_answer, torch_answer, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(flax_answer, keras_answer, rtol=0, atol=CLOSE)


def test_answers_differ_between_images(numpy_answer: Array) -> None:
    # Else agreement would mean little.
    assert float(numpy_answer.std(axis=0).min()) > 500 * CLOSE


def test_keras_trains(keras_model: Any, images: Array, mnist_weights: Arrays) -> None:
    targets = np.eye(10, dtype=np.float32)[np.arange(len(images)) % 10]
    losses = [float(keras_model.train_on_batch(images, targets)[0]) for _ in range(30)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    trained = np.asarray(keras_model.layers[0].kernel)
    assert not np.array_equal(trained, mnist_weights["hidden.weight"].T)
