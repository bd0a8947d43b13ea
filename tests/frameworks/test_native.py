"""Native files of whole models, loaded as their users would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from resnet import make_flax_resnet18, make_keras_resnet18, make_resnet18
from sequences import (
    make_flax_encoder,
    make_flax_tagger,
    make_keras_encoder,
    make_keras_tagger,
    make_torch_encoder,
    make_torch_tagger,
)

import xavinit

pytestmark = [
    pytest.mark.frameworks,
    # Keras's own, where it makes NumPy arrays of variables.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SAMPLES = Path(__file__).parents[2] / "sample_specs"
Array = np.ndarray[Any, Any]


@pytest.fixture
def write_sample(tmp_path: Path) -> Callable[..., Path]:
    def write_sample(name: str, framework: str, **options: Any) -> Path:
        suffix = ".weights.h5" if framework == "keras" else ".safetensors"
        path = tmp_path / f"{name}.{framework}{suffix}"
        xavinit.generate(SAMPLES / f"{name}.yaml", path, framework=framework, **options)
        return path

    return write_sample


def test_the_tutorials_model_loads_the_file_alone(
    tf: Any, write_sample: Callable[..., Path], images: Array, mnist_weights: dict[str, Array]
) -> None:
    """As TensorFlow's first tutorial has it, Flatten and Dropout included."""
    model = tf.keras.models.Sequential(
        [
            tf.keras.layers.Input((28, 28)),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(128, activation="relu"),
            tf.keras.layers.Dropout(0.2),
            tf.keras.layers.Dense(10),
        ]
    )
    model.load_weights(str(write_sample("mnist_mlp", "keras")))
    w = mnist_weights
    hidden = np.maximum(images @ w["hidden.weight"].T, 0)
    answer = model(images.reshape(-1, 28, 28)).numpy()
    np.testing.assert_allclose(answer, hidden @ w["output.weight"].T, atol=1e-5)


def test_resnet18_gives_the_same_answers(
    torch: Any, tf: Any, linen: Any, jax: Any, write_sample: Callable[..., Path]
) -> None:
    from flax.traverse_util import flatten_dict, unflatten_dict
    from safetensors.flax import load_file as load_flax
    from safetensors.torch import load_file

    dims = {"w": 8, "classes": 10}
    images = np.random.default_rng(9).standard_normal((2, 3, 64, 64), dtype=np.float32)
    last = np.moveaxis(images, 1, -1)

    model = make_resnet18(torch, width=8, classes=10)
    weights = load_file(write_sample("resnet18", "pytorch", dims=dims))
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(images)).numpy()
    scale = np.abs(expected).max()
    assert expected.std() > 0.1 * scale

    keras_model = make_keras_resnet18(tf.keras, 64, 8, 10)
    keras_model.load_weights(str(write_sample("resnet18", "keras", dims=dims)))
    answer = keras_model(last, training=False).numpy()
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5 * scale)

    flax_model = make_flax_resnet18(linen, 8, 10)
    flat = load_flax(write_sample("resnet18", "flax", dims=dims))
    own = flatten_dict(flax_model.init(jax.random.key(0), last), sep=".")
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in flat.items()}
    answer = np.asarray(flax_model.apply(unflatten_dict(flat, sep="."), last))
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5 * scale)


TAGGER = {"vocab": 50, "d": 12, "hidden": 9, "tags": 5}
ENCODER = {"vocab": 60, "ctx": 7, "d": 24, "heads": 3, "ff": 40, "blocks": 2}


@pytest.mark.parametrize(
    ("name", "dims"), [("lstm_tagger", TAGGER), ("transformer_encoder", ENCODER)]
)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")  # of an odd number of heads
def test_samples_of_sequences_give_the_same_answers(
    name: str,
    dims: dict[str, int],
    torch: Any,
    tf: Any,
    linen: Any,
    jax: Any,
    write_sample: Callable[..., Path],
) -> None:
    from flax.traverse_util import flatten_dict, unflatten_dict
    from safetensors.flax import load_file as load_flax
    from safetensors.torch import load_file

    words = np.random.default_rng(3).integers(0, dims["vocab"], (4, 7), dtype=np.int32)
    inputs = [words]
    if name == "lstm_tagger":
        model = make_torch_tagger(torch, **dims)
        keras_model = make_keras_tagger(tf.keras, **dims)
        flax_model = make_flax_tagger(linen, **dims)
    else:
        inputs.append(np.broadcast_to(np.arange(7, dtype=np.int32), words.shape))
        model = make_torch_encoder(torch, **dims)
        keras_model = make_keras_encoder(tf.keras, **dims)
        flax_model = make_flax_encoder(linen, **dims)
    weights = load_file(write_sample(name, "pytorch", dims=dims))
    assert list(model.state_dict()) == [
        t.name for t in xavinit.make_plan(SAMPLES / f"{name}.yaml", dims=dims).tensors
    ]
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(words)).numpy()
    scale = np.abs(expected).max()
    assert expected.std() > 0.1 * scale

    keras_model.load_weights(str(write_sample(name, "keras", dims=dims)))
    answer = np.asarray(keras_model(inputs if len(inputs) > 1 else words))
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5 * scale)

    flat = load_flax(write_sample(name, "flax", dims=dims))
    own = flatten_dict(flax_model.init(jax.random.key(0), *inputs), sep=".")
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in flat.items()}
    answer = np.asarray(flax_model.apply(unflatten_dict(flat, sep="."), *inputs))
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5 * scale)


def test_sequences_are_laid_out_as_keras_saves(
    tf: Any, write_sample: Callable[..., Path], tmp_path: Path
) -> None:
    """The path of every variable, those of layers within layers included."""
    for name, make, dims in (
        ("lstm_tagger", make_keras_tagger, TAGGER),
        ("transformer_encoder", make_keras_encoder, ENCODER),
    ):
        make(tf.keras, **dims).save_weights(str(tmp_path / "theirs.weights.h5"))
        ours = list_datasets(write_sample(name, "keras", dims=dims))
        assert ours == list_datasets(tmp_path / "theirs.weights.h5")


def list_datasets(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item.dtype, dict(item.attrs))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_resnet18_has_torchvisions_count(torch: Any) -> None:
    with torch.device("meta"):
        model = make_resnet18(torch)
    assert sum(p.numel() for p in model.parameters()) == 11_689_512
    own = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    plan = xavinit.make_plan(SAMPLES / "resnet18.yaml")
    assert {t.name: t.shape for t in plan.tensors} == own
    assert [t.name for t in plan.tensors] == list(own)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_keras_loads_every_float_dtype(
    dtype: str, tf: Any, write_sample: Callable[..., Path]
) -> None:
    keras = tf.keras
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(128, dtype=dtype),
            keras.layers.Dense(10, dtype=dtype),
        ]
    )
    path = write_sample("mnist_mlp", "keras", dtype=dtype)
    model.load_weights(str(path))
    drawn = xavinit.draw(SAMPLES / "mnist_mlp.yaml", dtype=dtype)
    for layer, name in zip(model.layers, ("hidden", "output"), strict=True):
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        assert kernel.dtype.name == dtype
        np.testing.assert_array_equal(
            kernel.astype("float64"), drawn[f"{name}.weight"].T.astype("float64")
        )


def test_our_file_is_laid_out_as_keras_saves(
    tf: Any, write_sample: Callable[..., Path], tmp_path: Path
) -> None:
    """The same groups, datasets, types and attributes, for every layer that has variables."""
    model = make_keras_resnet18(tf.keras, 64, 4, 10)
    theirs = tmp_path / "theirs.weights.h5"
    model.save_weights(str(theirs))
    ours = write_sample("resnet18", "keras", dims={"w": 4, "classes": 10})

    assert list_datasets(ours) == list_datasets(theirs)


def test_bfloat16_is_stored_as_keras_stores_it(
    tf: Any, write_sample: Callable[..., Path], tmp_path: Path
) -> None:
    keras = tf.keras
    path = write_sample("mnist_mlp", "keras", dtype="bfloat16")
    model = keras.Sequential(
        [keras.Input((784,))] + [keras.layers.Dense(n, dtype="bfloat16") for n in (128, 10)]
    )
    model.load_weights(str(path))
    model.save_weights(str(tmp_path / "theirs.weights.h5"))
    with h5py.File(path) as ours, h5py.File(tmp_path / "theirs.weights.h5") as theirs:
        for name in ("layers/dense/vars/0", "layers/dense_1/vars/1"):
            assert dict(ours[name].attrs) == dict(theirs[name].attrs) == {"dtype": "bfloat16"}
            assert ours[name].id.get_type() == theirs[name].id.get_type()
            assert ours[name][()].tobytes() == theirs[name][()].tobytes()


def test_groups_are_modules_in_each_framework(
    torch: Any, linen: Any, jax: Any, tmp_path: Path
) -> None:
    """A group with a brace is a ModuleList in PyTorch, a list of modules in Linen."""
    from flax.traverse_util import flatten_dict
    from safetensors.numpy import load_file

    nn = torch.nn
    block = [
        {"name": "norm", "type": "layer_norm", "size": 8},
        {"name": "mlp.up", "type": "dense", "in": 8, "out": 16},
    ]
    spec = {
        "dims": {"blocks": 3},
        "layers": [
            {"name": "block.{blocks}", "layers": block},
            {"name": "0", "type": "dense", "in": 8, "out": 4},
        ],
    }

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.mlp = nn.ModuleDict({"up": nn.Linear(8, 16)})

    model = nn.Module()
    model.block = nn.ModuleList([Block() for _ in range(3)])
    model.add_module("0", nn.Linear(8, 4))
    names = [tensor.name for tensor in xavinit.make_plan(spec).tensors]
    assert names == list(model.state_dict())

    class Mlp(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.up = linen.Dense(16)

    class FlaxBlock(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.norm, self.mlp = linen.LayerNorm(), Mlp()

    class Network(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.block = [FlaxBlock() for _ in range(3)]
            self.layers = [linen.Dense(4)]

        def __call__(self, x: Any) -> Any:
            for block in self.block:
                y = block.mlp.up(block.norm(x))
            return y, self.layers[0](x)

    path = tmp_path / "w.safetensors"
    xavinit.generate(spec, path, framework="flax")
    own = flatten_dict(Network().init(jax.random.key(0), np.zeros((1, 8), np.float32)), sep=".")
    assert set(own) == set(load_file(path))
