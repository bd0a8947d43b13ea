"""`verify --statistics` of what PyTorch, Keras and Flax themselves draw: their seeds are fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import xavinit
from xavinit.plan import CUT_STD
from xavinit.testing import assert_matches

pytestmark = [
    pytest.mark.frameworks,
    # Keras, of its own variables, as it saves them.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

INITS = [
    f"{rule}_{distribution}"
    for rule in ("glorot", "he", "lecun")
    for distribution in ("uniform", "normal", "truncated_normal")
]


def make_spec(init: str, **defaults: str) -> dict[str, Any]:
    return {
        "defaults": {"init": init, **defaults},
        "rules": [{"match": "*bias", "init": "zeros"}],
        "layers": [
            {"name": "conv1", "type": "conv2d", "in": 16, "out": 150, "kernel": 3},
            {"name": "norm", "type": "batch_norm", "size": 150},
            {"name": "fc", "type": "dense", "in": [150, 2, 2], "out": 90},
            {"name": "out", "type": "dense", "in": 90, "out": 250},
        ],
    }


def find_wrong(init: str) -> str:
    """Another distribution of the same rule: the std is the same."""
    rule, _, distribution = init.partition("_")
    return f"{rule}_{'uniform' if 'normal' in distribution else 'normal'}"


# --- PyTorch --------------------------------------------------------------------------------------


def draw_by_torch(torch: Any, tensor: Any, init: str) -> None:
    rule, _, distribution = init.partition("_")
    if distribution == "truncated_normal":
        fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(tensor)
        n = {"glorot": (fan_in + fan_out) / 2, "he": fan_in / 2, "lecun": fan_in}[rule]
        std = n**-0.5 / CUT_STD
        torch.nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std)
    elif rule == "glorot":
        getattr(torch.nn.init, f"xavier_{distribution}_")(tensor)
    else:
        kind = "relu" if rule == "he" else "linear"
        getattr(torch.nn.init, f"kaiming_{distribution}_")(tensor, nonlinearity=kind)


def make_torch_weights(torch: Any, init: str, dtype: str = "float32") -> dict[str, Any]:
    torch.manual_seed(17)
    model = torch.nn.Module()
    model.conv1 = torch.nn.Conv2d(16, 150, 3)
    model.norm = torch.nn.BatchNorm2d(150)
    model.fc = torch.nn.Linear(600, 90)
    model.out = torch.nn.Linear(90, 250)
    for name, tensor in model.named_parameters():
        if tensor.ndim > 1:
            draw_by_torch(torch, tensor.data, init)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(tensor)
    weights = model.state_dict()
    kind = getattr(torch, dtype)
    return {n: t.to(kind) if t.is_floating_point() else t for n, t in weights.items()}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize("init", INITS)
def test_what_pytorch_draws(torch: Any, tmp_path: Path, init: str, dtype: str) -> None:
    weights = make_torch_weights(torch, init, dtype)
    path = tmp_path / "model.pt"
    torch.save(weights, path)
    spec = make_spec(init, dtype=dtype)
    verdict = xavinit.verify(path, spec, statistics=True)
    assert verdict.list_lines() == []
    assert verdict.scope == "statistics"
    assert_matches(weights, spec, statistics=True)
    wrong = xavinit.verify(path, make_spec(find_wrong(init), dtype=dtype), statistics=True)
    names = {fault.tensor for fault in wrong.faults}
    assert names == {"conv1.weight", "fc.weight", "out.weight"}


def test_what_pytorch_does_by_default_is_not_glorots(torch: Any) -> None:
    """Uniform within ±1/√fan_in: a third of lecun's variance. The biases are no zeros."""
    torch.manual_seed(1)
    layer = torch.nn.Linear(300, 200)
    spec = {"layers": [{"name": "fc", "type": "dense", "in": 300, "out": 200}]}
    weights = {f"fc.{name}": tensor for name, tensor in layer.state_dict().items()}
    with pytest.raises(AssertionError) as raised:
        assert_matches(weights, spec, statistics=True)
    scale, bias = str(raised.value).splitlines()
    assert scale.startswith("arrays: fc.weight: the std is 0.0333, not 0.0632 (uniform ±0.109545)")
    assert bias.startswith("arrays: fc.bias[0]: expected 0.0, got ")
    default = {"type": "uniform", "bound": "1/sqrt(fan_in)"}
    rules = [
        {"match": "fc.weight", "init": default},
        {"match": "fc.bias", "init": {"type": "uniform", "bound": 300**-0.5}},
    ]
    assert_matches(weights, {**spec, "rules": rules}, statistics=True)


def test_a_seed_set_before_each_layer_of_pytorch_is_caught(torch: Any) -> None:
    weights = {}
    for name, shape in {"a": (200, 150), "b": (150, 300)}.items():
        torch.manual_seed(0)
        weights[name] = torch.nn.init.xavier_uniform_(torch.empty(shape))
    spec = {"tensors": {"a": [200, 150], "b": [150, 300]}}
    with pytest.raises(
        AssertionError, match=r"b: its first 30,000 values are those of a times 0\.8"
    ):
        assert_matches(weights, spec, statistics=True)


# --- Keras ----------------------------------------------------------------------------------------


def make_keras_model(init: str) -> Any:
    import keras

    keras.utils.set_random_seed(23)
    rule, _, distribution = init.partition("_")
    if init.startswith("lecun") or distribution == "normal":  # Keras's own LecunNormal is cut
        kernel = keras.initializers.VarianceScaling(
            {"glorot": 1.0, "he": 2.0, "lecun": 1.0}[rule],
            "fan_avg" if rule == "glorot" else "fan_in",
            "untruncated_normal" if distribution == "normal" else distribution,
        )
    else:
        name = {"glorot": "Glorot", "he": "He"}[rule]
        kind = "Uniform" if distribution == "uniform" else "Normal"
        kernel = getattr(keras.initializers, f"{name}{kind}")()

    return keras.Sequential(
        [
            keras.Input((4, 4, 16)),
            keras.layers.Conv2D(150, 3, name="conv1", kernel_initializer=kernel.clone()),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(90, name="fc", kernel_initializer=kernel.clone()),
            keras.layers.Dense(250, name="out", kernel_initializer=kernel.clone()),
        ]
    )


@pytest.mark.parametrize("init", INITS)
def test_what_keras_draws(tf: Any, tmp_path: Path, init: str) -> None:
    model = make_keras_model(init)
    for file in ("model.weights.h5", "model.keras"):
        path = tmp_path / file
        model.save_weights(path) if file.endswith("h5") else model.save(path)
        verdict = xavinit.verify(path, make_spec(init), framework="keras", statistics=True)
        assert verdict.list_lines() == []
        spec = make_spec(find_wrong(init))
        wrong = xavinit.verify(path, spec, framework="keras", statistics=True)
        assert {f.tensor for f in wrong.faults} == {"conv1/kernel", "fc/kernel", "out/kernel"}


# --- Flax -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("init", INITS)
def test_what_flax_draws(linen: Any, jax: Any, tmp_path: Path, init: str, dtype: str) -> None:
    from flax.traverse_util import flatten_dict

    rule, _, distribution = init.partition("_")
    scale, mode = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}[
        rule
    ]
    kernel = jax.nn.initializers.variance_scaling(scale, mode, distribution)

    class Network(linen.Module):  # type: ignore[misc,name-defined]
        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.Conv(150, (3, 3), padding="VALID", kernel_init=kernel, name="conv1")(x)
            x = linen.BatchNorm(use_running_average=True, name="norm")(x)
            x = linen.Dense(90, kernel_init=kernel, name="fc")(x.reshape(x.shape[0], -1))
            return linen.Dense(250, kernel_init=kernel, name="out")(x)

    variables = Network().init(jax.random.key(3), np.zeros((1, 4, 4, 16), np.float32))
    flat = {".".join(path): array.astype(dtype) for path, array in flatten_dict(variables).items()}
    save_file({name: np.asarray(array) for name, array in flat.items()}, tmp_path / "w.safetensors")
    spec = make_spec(init, dtype=dtype)
    for weights in (tmp_path / "w.safetensors", flat):
        assert_matches(weights, spec, framework="flax", statistics=True)
        wrong = make_spec(find_wrong(init), dtype=dtype)
        with pytest.raises(AssertionError, match=r"conv1\.kernel: the "):
            assert_matches(weights, wrong, framework="flax", statistics=True)
