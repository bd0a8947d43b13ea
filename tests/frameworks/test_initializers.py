"""The law of what frameworks initialize is told by their own initializer's name, and no other.

Shapes are such that no two initializers have nearly the same law.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from measure_guesses import guess

from xavinit.plan import CUT_STD, Normal, TruncatedNormal, Uniform
from xavinit.reading import PYTORCH_DEFAULT

pytestmark = pytest.mark.frameworks

MATRIX, KERNEL = (455, 83), (72, 64, 5, 5)  # as PyTorch has them
FLIPPED = {MATRIX: (83, 455), KERNEL: (5, 5, 64, 72)}  # as Keras and Flax do


def to_array(tensor: Any) -> np.ndarray[Any, Any]:
    return np.asarray(tensor.detach().numpy())


@pytest.mark.parametrize("shape", [MATRIX, KERNEL])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("xavier_uniform_", "glorot_uniform"),
        ("xavier_normal_", "glorot_normal"),
        ("kaiming_uniform_", "he_uniform"),
        ("kaiming_normal_", "he_normal"),
    ],
)
def test_initializers_of_pytorch(
    torch: Any, function: str, name: str, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(19)  # by chance, seed 16 gives a sum of squares that is an orthogonal one's
    found = guess(to_array(getattr(torch.nn.init, function)(torch.empty(shape))))
    assert found is not None
    assert found.initializers == (name,)
    assert found.fans == ((83, 455) if shape == MATRIX else (1600, 1800))


def test_defaults_of_pytorch(torch: Any) -> None:
    torch.manual_seed(17)
    nn = torch.nn
    layers = {
        83: nn.Linear(83, 455),
        1600: nn.Conv2d(64, 72, 5),
        120: nn.Conv1d(40, 50, 3),
        450: nn.ConvTranspose2d(40, 50, 3),
        49: nn.Conv2d(96, 96, 7, groups=96),
        288: nn.Conv2d(128, 256, 3, groups=4),
    }
    for fan_in, layer in layers.items():
        found = guess(to_array(layer.weight))
        assert found is not None
        assert found.initializers == (PYTORCH_DEFAULT,)
        assert found.fans is not None
        assert found.fans.fan_in == fan_in
        bias = guess(to_array(layer.bias))  # few numbers, of a bound that they alone do not tell
        assert bias is None
    wide = guess(to_array(nn.Linear(83, 4096).bias))
    assert wide is not None
    assert isinstance(wide.law, Uniform)
    assert wide.law.bound == pytest.approx(83**-0.5, rel=0.003)
    assert guess(to_array(nn.LayerNorm(96).weight)).law.value == 1  # type: ignore[union-attr]


def test_other_laws_of_pytorch_get_no_name(torch: Any) -> None:
    torch.manual_seed(18)
    init = torch.nn.init
    tensors = {
        Normal: [
            init.normal_(torch.empty(600, 128), std=0.02),
            init.trunc_normal_(torch.empty(600, 128), std=0.02),  # cut at ±2, which is 100 std
            init.kaiming_normal_(torch.empty(128, 64, 3, 3), mode="fan_out"),
            torch.nn.Embedding(1000, 77).weight,
        ],
        TruncatedNormal: [init.trunc_normal_(torch.empty(600, 128), std=0.02, a=-0.04, b=0.04)],
        Uniform: [
            init.xavier_uniform_(torch.empty(211, 330), gain=5 / 3),
            torch.nn.Bilinear(20, 30, 40).weight,
            torch.nn.LSTM(100, 140).weight_ih_l0,
        ],
        type(None): [
            init.orthogonal_(torch.empty(211, 330)),
            init.trunc_normal_(torch.empty(600, 128), std=0.02, a=-0.06, b=0.06),
            init.sparse_(torch.empty(211, 330), 0.1),
        ],
    }
    for law, group in tensors.items():
        for tensor in group:
            found = guess(to_array(tensor))
            assert isinstance(found and found.law, law)
            assert found is None or found.initializers == ()


def test_a_model_of_transformers(torch: Any, transformers: Any) -> None:
    torch.manual_seed(19)
    model = transformers.GPT2Model(
        transformers.GPT2Config(n_embd=192, n_layer=1, n_head=4, vocab_size=900, n_positions=256)
    )
    stds = {"wte.weight": 0.02, "wpe.weight": 0.02, "h.0.attn.c_attn.weight": 0.02,
            "h.0.mlp.c_proj.weight": 0.02 / 2**0.5}  # fmt: skip
    for name, std in stds.items():
        found = guess(to_array(model.get_parameter(name)))
        assert found is not None, name
        assert found.initializers == ()
        assert isinstance(found.law, Normal)
        assert found.law.std == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("shape", [MATRIX, KERNEL])
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        ("GlorotUniform", "glorot_uniform"),
        ("GlorotNormal", "glorot_truncated_normal"),
        ("HeUniform", "he_uniform"),
        ("HeNormal", "he_truncated_normal"),
        ("LecunUniform", "lecun_uniform"),
        ("LecunNormal", "lecun_truncated_normal"),
        ("VarianceScaling", "lecun_truncated_normal"),
    ],
)
def test_initializers_of_keras(tf: Any, cls: str, name: str, shape: tuple[int, ...]) -> None:
    keras = importlib.import_module("keras")
    values = np.asarray(getattr(keras.initializers, cls)(seed=16)(FLIPPED[shape]))
    for layouts in (("in_out",), ("out_in", "in_out")):
        found = guess(values, layouts=layouts)
        assert found is not None
        assert found.initializers == (name,)


def test_other_laws_of_keras_get_no_name(tf: Any) -> None:
    initializers = importlib.import_module("keras").initializers
    for cls, law in (
        ("RandomNormal", Normal(0.05)),
        ("TruncatedNormal", TruncatedNormal(0.05 * CUT_STD)),
        ("RandomUniform", Uniform(0.05)),
    ):
        found = guess(np.asarray(getattr(initializers, cls)(seed=16)((211, 333))))
        assert found is not None
        assert found.initializers == ()
        assert type(found.law) is type(law)
        told = found.law.bound if isinstance(found.law, Uniform) else found.law.std  # type: ignore
        assert told == pytest.approx(law.bound if isinstance(law, Uniform) else law.std, rel=0.01)
    assert guess(np.asarray(initializers.Orthogonal(seed=16)((211, 333)))) is None


@pytest.mark.parametrize("shape", [MATRIX, KERNEL])
@pytest.mark.parametrize("family", ["glorot", "he", "lecun"])
def test_initializers_of_jax(jax: Any, family: str, shape: tuple[int, ...]) -> None:
    key = jax.random.PRNGKey(16)
    for law, name in (("uniform", "uniform"), ("normal", "truncated_normal")):
        make = getattr(jax.nn.initializers, f"{family}_{law}")()
        found = guess(np.asarray(make(key, FLIPPED[shape], "float32")))
        assert found is not None
        assert found.initializers == (f"{family}_{name}",)
        # Drawn in bfloat16, numbers have 7 random bits: a grid of its own, and no law.
        assert guess(np.asarray(make(key, FLIPPED[shape], "bfloat16"))) is None


def test_layers_of_flax(jax: Any, linen: Any) -> None:
    values = linen.Dense(455).init(jax.random.PRNGKey(3), np.zeros((1, 83)))["params"]
    found = guess(np.asarray(values["kernel"]))
    assert found is not None
    assert found.initializers == ("lecun_truncated_normal",)
    assert found.fans is not None
    assert found.fans.fan_in == 83
    attention = linen.MultiHeadDotProductAttention(
        num_heads=4, kernel_init=linen.initializers.glorot_uniform()
    )
    params = attention.init(jax.random.PRNGKey(3), np.zeros((1, 5, 64)))["params"]
    found = guess(np.asarray(params["query"]["kernel"]))  # 64, 4, 16: axes that the shape hides
    assert found is None or found.initializers == ()


@pytest.mark.parametrize("start", ["default", "xavier_uniform_"])
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_a_trained_network_looks_like_nothing(torch: Any, start: str, optimizer: str) -> None:
    torch.manual_seed(20)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 192), nn.ReLU(),
                        nn.Linear(192, 10))  # fmt: skip
    if start != "default":
        for parameter in net.parameters():
            if parameter.ndim > 1:
                getattr(nn.init, start)(parameter)
    before = [guess(to_array(p)) for p in net.parameters() if p.ndim > 1]
    assert all(found and found.initializers for found in before)
    x = torch.randn(1024, 64)
    y = (x @ torch.randn(64, 10)).argmax(1)
    steps = getattr(torch.optim, optimizer)(
        net.parameters(), lr={"Adam": 1e-3, "SGD": 0.1}[optimizer]
    )
    for _ in range(300):
        rows = torch.randint(0, 1024, (64,))
        steps.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        steps.step()
    assert [guess(to_array(p)) for p in net.parameters()] == [None] * 6
