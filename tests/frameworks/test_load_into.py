"""`load_into`: models get the numbers of the file, and what does not fit is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.errors import UsageError

pytestmark = pytest.mark.frameworks

FLOATS = sorted(name for name, dtype in DTYPES.items() if dtype.is_float)
LAYERS = {
    "seed": 4,
    "layers": [
        {"name": "conv", "type": "conv2d", "in": 3, "out": 4, "kernel": 3},
        {"name": "norm", "type": "batch_norm", "size": 4},
        {"name": "fc", "type": "dense", "in": [4, 6, 6], "out": 5},
    ],
}
EVERY_DTYPE: dict[str, Any] = {
    "tensors": {
        **{f"{name}_{kind}": {"shape": shape, "dtype": name, "init": init}
           for name in DTYPES
           for kind, shape, init in (
               ("matrix", [6, 5], "glorot_normal" if name in FLOATS else "ones"),
               ("scalar", [], "ones"),
               ("empty", [0, 3], "zeros"),
           )},
    }
}  # fmt: skip


def make_torch(torch: Any) -> Any:
    module = torch.nn.Sequential()
    module.add_module("conv", torch.nn.Conv2d(3, 4, 3))
    module.add_module("norm", torch.nn.BatchNorm2d(4))
    module.add_module("flat", torch.nn.Flatten())
    module.add_module("fc", torch.nn.Linear(144, 5))
    return module


def read_bytes(torch: Any, tensor: Any) -> bytes:
    return bytes(tensor.detach().reshape(-1).view(torch.uint8).numpy().tobytes())


# --- PyTorch -------------------------------------------------------------------------------------


def test_every_dtype_of_a_torch_module_is_that_of_the_file(
    torch: Any, write: Callable[..., Path]
) -> None:
    from safetensors.torch import load_file

    module = torch.nn.Module()
    for name, table in EVERY_DTYPE["tensors"].items():
        dtype = getattr(torch, table["dtype"])
        module.register_buffer(name, torch.zeros(table["shape"], dtype=dtype))
    assert xavinit.torch.load_into(module, EVERY_DTYPE) is module
    loaded = load_file(write(EVERY_DTYPE, "w.safetensors"))
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == loaded[name].dtype
        assert read_bytes(torch, tensor) == read_bytes(torch, loaded[name])


def test_an_array_of_every_dtype_becomes_a_torch_tensor(torch: Any) -> None:
    for name, array in xavinit.draw(EVERY_DTYPE).items():
        tensor = xavinit.torch.make_tensor(array)
        assert tensor.dtype == getattr(torch, array.dtype.name), name
        assert tuple(tensor.shape) == array.shape
        assert read_bytes(torch, tensor) == array.tobytes()
    shared = xavinit.draw({"tensors": {"w": [2, 3]}})["w"]
    xavinit.torch.make_tensor(shared).zero_()
    assert not shared.any()


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_torch_needs_no_array_of_a_narrow_dtype(
    dtype: str, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    module = torch.nn.Linear(4, 3, bias=False).to(getattr(torch, dtype))
    xavinit.torch.load_into(module, {"tensors": {"weight": [3, 4]}}, dtype=dtype)
    assert float(module.weight.detach().float().std()) > 0.1


def test_layers_go_into_a_torch_module(torch: Any, write: Callable[..., Path]) -> None:
    from safetensors.torch import load_file

    module = xavinit.torch.load_into(make_torch(torch), LAYERS)
    loaded = load_file(write(LAYERS, "net.safetensors"))
    assert module.state_dict().keys() == loaded.keys()
    assert all(torch.equal(module.state_dict()[name], t) for name, t in loaded.items())
    assert all(parameter.requires_grad for parameter in module.parameters())
    again = xavinit.torch.load_into(make_torch(torch), LAYERS, seed=5)
    assert not torch.equal(again.fc.weight, module.fc.weight)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"layers": LAYERS["layers"][1:]}, 'missing: "conv.weight", "conv.bias"$'),
        (
            {"layers": [*LAYERS["layers"], {"name": "up", "type": "dense", "in": 2, "out": 2}]},
            'unexpected: "up.weight", "up.bias"$',
        ),
        (
            {"layers": [*LAYERS["layers"][:2], {**LAYERS["layers"][2], "out": 6}]},
            r'of another shape: "fc.weight" \(\[6, 144\] instead of \[5, 144\]\), '
            r'"fc.bias" \(\[6\] instead of \[5\]\)$',
        ),
        ({**LAYERS, "defaults": {"dtype": "float64"}}, "which float32 in the model cannot hold"),
    ],
)
def test_what_does_not_fit_a_torch_module_is_named_and_changes_nothing(
    spec: Any, message: str, torch: Any
) -> None:
    module = make_torch(torch)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(UsageError, match=message):
        xavinit.torch.load_into(module, spec)
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in before.items())


def test_torch_dtypes_change_where_no_number_does(torch: Any) -> None:
    spec = {"tensors": {"weight": [3, 4]}}
    module = torch.nn.Linear(4, 3, bias=False)
    xavinit.torch.load_into(module, spec, dtype="bfloat16")
    assert module.weight.dtype == torch.float32
    assert module.weight.tolist() == xavinit.draw(spec, dtype="bfloat16")["weight"].tolist()
    with pytest.raises(UsageError, match='"weight" must keep its numbers, which bfloat16'):
        xavinit.torch.load_into(module.to(torch.bfloat16), spec)


def test_tensors_that_are_one_in_torch_are_one_in_the_spec(torch: Any) -> None:
    def make() -> Any:
        module = torch.nn.Sequential()
        module.add_module("a", torch.nn.Linear(3, 3, bias=False))
        module.add_module("b", torch.nn.Linear(3, 3, bias=False))
        module.b.weight = module.a.weight
        return module

    for tensors in ({"a.weight": [3, 3]}, {"b.weight": [3, 3]}):
        (name,) = tensors
        module = xavinit.torch.load_into(make(), {"tensors": tensors})
        assert module.a.weight.tolist() == xavinit.draw({"tensors": tensors})[name].tolist()
    both = {"a.weight": [3, 3], "b.weight": {"tied": "a.weight"}}
    xavinit.torch.load_into(make(), {"tensors": both})
    with pytest.raises(UsageError, match=r'got "a.weight" and "b.weight", whose numbers differ'):
        xavinit.torch.load_into(make(), {"tensors": {"a.weight": [3, 3], "b.weight": [3, 3]}})
    with pytest.raises(UsageError, match=r'missing: "a.weight", "b.weight"'):
        xavinit.torch.load_into(make(), {"tensors": {"c": [3, 3]}})


def test_a_torch_module_without_memory_is_refused(torch: Any) -> None:
    module = torch.nn.Linear(4, 3, bias=False, device="meta")
    with pytest.raises(UsageError, match='got "weight" on the device meta'):
        xavinit.torch.load_into(module, {"tensors": {"weight": [3, 4]}})
    xavinit.torch.load_into(module.to_empty(device="cpu"), {"tensors": {"weight": [3, 4]}})
    with pytest.raises(UsageError, match=r"module must be a torch.nn.Module; got 3"):
        xavinit.torch.load_into(3, LAYERS)


# --- Keras ---------------------------------------------------------------------------------------


def make_keras(keras: Any, kind: str, dtype: str = "float32") -> Any:
    layers = keras.layers
    steps = [
        layers.Conv2D(4, 3, name="conv", dtype=dtype),
        layers.BatchNormalization(name="norm", dtype=dtype),
        layers.Dropout(0.5, dtype=dtype),
        layers.Flatten(dtype=dtype),
        layers.Dense(5, name="fc", dtype=dtype),
    ]
    if kind == "sequential":
        return keras.Sequential([keras.Input((8, 8, 3)), *steps])
    if kind == "functional":
        x = start = keras.Input((8, 8, 3))
        for step in steps:
            x = step(x)
        return keras.Model(start, x)

    class Network(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.steps = steps

        def call(self, x: Any) -> Any:
            for step in self.steps:
                x = step(x)
            return x

    model = Network()
    model(np.ones((1, 8, 8, 3), np.float32))
    return model


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclass"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_layers_go_into_a_keras_model(kind: str, dtype: str, tf: Any) -> None:
    model = make_keras(tf.keras, kind, dtype)
    assert xavinit.keras.load_into(model, LAYERS, dtype=dtype) is model
    drawn = xavinit.draw(LAYERS, framework="keras", dtype=dtype)
    assert len(model.weights) == len(drawn)
    for variable in model.weights:
        value = np.asarray(variable.value)
        expected = drawn["/".join(variable.path.split("/")[-2:])]
        assert value.dtype == expected.dtype or dtype == "bfloat16"
        assert value.tobytes() == expected.tobytes() or variable.dtype == "float32"
        assert value.astype(np.float64).tolist() == expected.astype(np.float64).tolist()


# --- Flax ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float8_e4m3fn"])
def test_layers_go_into_a_flax_tree(dtype: str, jax: Any, linen: Any) -> None:
    from flax.core import freeze

    def forward(self: Any, x: Any) -> Any:
        x = linen.Conv(4, (3, 3), padding="VALID", name="conv")(x)
        x = linen.BatchNorm(use_running_average=True, name="norm")(x)
        return linen.Dense(5, name="fc")(x.reshape(len(x), -1))

    model = type("Network", (linen.Module,), {"__call__": linen.compact(forward)})()
    images = np.ones((2, 8, 8, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype), shapes)
    drawn = xavinit.draw(LAYERS, framework="flax", dtype=dtype)
    for given in (shapes, freeze(jax.tree.map(lambda s: jax.numpy.zeros(s.shape, dtype), shapes))):
        tree = xavinit.flax.load_into(given, LAYERS, dtype=dtype)
        assert jax.tree.structure(tree) == jax.tree.structure(shapes)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            expected = drawn[".".join(key.key for key in path)]
            assert isinstance(leaf, jax.Array)
            assert (leaf.dtype, leaf.shape) == (expected.dtype, expected.shape)
            assert np.asarray(leaf).tobytes() == expected.tobytes()
    if dtype == "float32":
        assert model.apply(tree, images).std() > 0.1
