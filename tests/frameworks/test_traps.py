"""What docs/frameworks.md warns of, and what it says to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import UsageError

pytestmark = pytest.mark.frameworks

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text("utf-8")

Arrays = dict[str, np.ndarray[Any, Any]]


def make_dense(name: str, size: int = 4) -> dict[str, Any]:
    return {"name": name, "type": "dense", "in": 4, "out": size}


# --- Keras ---------------------------------------------------------------------------------------

BRANCHES = {"framework": "keras", "layers": [make_dense("a"), make_dense("b"), make_dense("c")]}


@pytest.fixture
def branches(tf: Any) -> Any:
    """A functional model whose layers are made in the spec's order, which is not Keras's."""
    layers = tf.keras.layers
    x = start = tf.keras.Input((4,))
    a, b = layers.Dense(4, name="a")(x), layers.Dense(4, name="b")(x)
    x = layers.Dropout(0.5, seed=1)(layers.Add()([b, a]))
    model = tf.keras.Model(start, layers.Dense(4, name="c")(x))
    assert any("seed_generator" in variable.path for variable in model.variables)
    return model


def find_kernels(model: Any) -> Arrays:
    return {name: np.asarray(model.get_layer(name).kernel) for name in "abc"}


def run_the_loader_by_path(model: Any, file: Path) -> None:
    """The page's own lines, from where the file is read on."""
    section = PAGE.partition("### Keras, by path\n")[2]
    code = re.search(r"^tensors = load_file.*?(?=^```)", section, re.S | re.M)
    assert code
    text = code[0].replace('"lenet5.keras.safetensors"', repr(str(file)))
    exec("from safetensors.numpy import load_file\n" + text, {"model": model})


def test_equal_branches_are_swapped_by_the_order_of_layers(
    branches: Any, write: Callable[..., Path]
) -> None:
    drawn = xavinit.draw(BRANCHES)
    branches.load_weights(write(BRANCHES, "net.weights.h5"))  # without a word
    found = find_kernels(branches)
    assert np.array_equal(found["a"], drawn["b/kernel"])
    assert np.array_equal(found["b"], drawn["a/kernel"])
    assert [layer.name for layer in branches.layers if layer.name in "abc"] == ["b", "a", "c"]


def test_by_path_each_branch_gets_its_own(branches: Any, write: Callable[..., Path]) -> None:
    drawn = xavinit.draw(BRANCHES)
    run_the_loader_by_path(branches, write(BRANCHES, "net.safetensors"))
    for name, kernel in find_kernels(branches).items():
        assert np.array_equal(kernel, drawn[f"{name}/kernel"])


def test_a_layer_too_many_is_skipped_by_order_and_told_by_path(
    branches: Any, write: Callable[..., Path]
) -> None:
    spec = {"framework": "keras", "layers": [*BRANCHES["layers"], make_dense("d")]}
    branches.load_weights(write(spec, "net.weights.h5"))  # without a word
    with pytest.raises(ValueError, match=r"the model has no \['d/bias', 'd/kernel'\]"):
        run_the_loader_by_path(branches, write(spec, "net.safetensors"))
    with pytest.raises(UsageError, match='unexpected: "d/kernel", "d/bias"'):
        xavinit.keras.load_into(branches, spec)


def test_a_layer_too_few_is_told_by_path(branches: Any, write: Callable[..., Path]) -> None:
    spec = {"framework": "keras", "layers": BRANCHES["layers"][:2]}
    with pytest.raises(KeyError, match="c/kernel"):
        run_the_loader_by_path(branches, write(spec, "net.safetensors"))


def test_a_wrong_shape_is_told_by_path(branches: Any, write: Callable[..., Path]) -> None:
    spec = {"framework": "keras", "layers": [*BRANCHES["layers"][:2], make_dense("c", 5)]}
    with pytest.raises(ValueError, match="shape"):
        run_the_loader_by_path(branches, write(spec, "net.safetensors"))


# --- Flax ----------------------------------------------------------------------------------------


def test_a_sequential_within_a_module_has_the_names_that_the_page_says(
    jax: Any, linen: Any
) -> None:
    class Network(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.features = linen.Sequential([linen.Dense(4), linen.relu, linen.Dense(3)])
            self.block = [linen.Dense(3), linen.Dense(3)]

        def __call__(self, x: Any) -> Any:
            return self.block[1](self.block[0](self.features(x)))

    names = ["features.layers_0", "features.layers_2", "block.0", "block.1"]
    sizes = [(4, 4), (4, 3), (3, 3), (3, 3)]
    layers = [
        {"name": name, "type": "dense", "in": i, "out": o}
        for name, (i, o) in zip(names, sizes, strict=True)
    ]
    own = Network().init(jax.random.key(0), np.ones((1, 4)))
    tree = xavinit.flax.load_into(own, {"layers": layers})
    assert jax.tree.structure(tree) == jax.tree.structure(own)


def test_a_raw_tensor_beside_layers_is_a_parameter(
    jax: Any, linen: Any, write: Callable[..., Path]
) -> None:
    def forward(self: Any, x: Any) -> Any:
        x = linen.BatchNorm(use_running_average=True, name="norm")(linen.Dense(3, name="fc")(x))
        return x + self.param("pos", linen.initializers.zeros, (3,))

    model = type("Network", (linen.Module,), {"__call__": linen.compact(forward)})()
    spec = {
        "framework": "flax",
        "layers": [
            {"name": "fc", "type": "dense", "in": 4, "out": 3},
            {"name": "norm", "type": "batch_norm", "size": 3},
        ],
        "tensors": {"pos": {"shape": [3], "init": {"type": "normal", "std": 1}}},
    }
    file = write(spec, "net.safetensors")
    (code,) = re.findall(r"^def find_place.*?(?=^model = )", PAGE, re.S | re.M)
    (rest,) = re.findall(
        r"^(tensors = .*?sep=.*?)```", PAGE.partition("def find_place")[2], re.S | re.M
    )
    names: dict[str, Any] = {}
    exec(
        "from flax.traverse_util import unflatten_dict\nfrom safetensors.flax import load_file\n"
        + code
        + rest.replace('"lenet5.flax.safetensors"', repr(str(file))),
        names,
    )
    answer = model.apply(names["variables"], np.zeros((1, 4), np.float32))
    np.testing.assert_array_equal(answer[0], xavinit.draw(spec)["pos"])
    tree = xavinit.flax.load_into(model.init(jax.random.key(0), np.ones((1, 4))), spec)
    assert jax.tree.all(jax.tree.map(np.array_equal, tree, names["variables"]))


# --- Padding -------------------------------------------------------------------------------------

CONV = {"layers": [{"name": "conv", "type": "conv2d", "in": 3, "out": 8, "kernel": 3}]}


@pytest.mark.parametrize(("stride", "same"), [(1, True), (2, False)])
def test_padding_said_explicitly_is_the_same_everywhere(
    stride: int, same: bool, torch: Any, tf: Any, jax: Any, linen: Any
) -> None:
    images = np.random.default_rng(1).standard_normal((4, 16, 16, 3), dtype=np.float32)
    module = torch.nn.Sequential()
    module.add_module("conv", torch.nn.Conv2d(3, 8, 3, stride, padding=1))
    xavinit.torch.load_into(module, CONV)
    with torch.no_grad():
        first = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
        expected = np.moveaxis(module(first).numpy(), 1, -1)
    layers = tf.keras.layers

    def run_keras(*steps: Any) -> Any:
        model = tf.keras.Sequential([tf.keras.Input((16, 16, 3)), *steps])
        return xavinit.keras.load_into(model, CONV)(images).numpy()

    def run_flax(padding: Any) -> Any:
        def forward(self: Any, x: Any) -> Any:
            return linen.Conv(8, (3, 3), stride, padding=padding, name="conv")(x)

        model = type("Network", (linen.Module,), {"__call__": linen.compact(forward)})()
        own = jax.eval_shape(model.init, jax.random.key(0), images)
        return model.apply(xavinit.flax.load_into(own, CONV), images)

    explicit = [
        run_keras(
            layers.ZeroPadding2D(1), layers.Conv2D(8, 3, stride, padding="valid", name="conv")
        ),
        run_flax(((1, 1), (1, 1))),
    ]
    automatic = [
        run_keras(layers.Conv2D(8, 3, stride, padding="same", name="conv")),
        run_flax("SAME"),
    ]
    for answer in explicit:
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
    for answer in automatic:
        assert answer.shape == expected.shape
        assert bool(np.abs(answer - expected).max() < 1e-5) is same
        assert same or np.median(np.abs(answer - expected)) > 0.1 * expected.std()


# --- Truncated normals ---------------------------------------------------------------------------

SHAPE = (1000, 1000)
CLOSE = 0.005  # relative; the standard error of the std of a million numbers is 0.0007


def draw(init: Any) -> np.ndarray[Any, Any]:
    return xavinit.draw({"tensors": {"w": {"shape": SHAPE, "init": init}}})["w"]


def test_the_std_of_a_truncated_normal_is_that_after_the_cut_here_and_before_it_there(
    tf: Any, jax: Any
) -> None:
    std = 0.0175925132
    assert std == pytest.approx(0.02 * 0.87962566103423978, rel=1e-8)
    assert f"{{type: truncated_normal, std: {std}}}" in PAGE
    assert f"{{type: truncated_normal, std: {std}}}" in (
        Path(__file__).parents[2] / "docs" / "spec.md"
    ).read_text("utf-8")
    found = [
        draw({"type": "truncated_normal", "std": std}),
        np.asarray(tf.keras.initializers.TruncatedNormal(stddev=0.02, seed=1)(SHAPE)),
        np.asarray(jax.nn.initializers.truncated_normal(0.02)(jax.random.key(1), SHAPE)),
        tf.compat.v1.truncated_normal_initializer(stddev=0.02, seed=1)(SHAPE).numpy(),
    ]
    for values in found:
        assert values.std() == pytest.approx(std, rel=CLOSE)
        assert 0.03995 < np.abs(values).max() <= 0.04 * (1 + 1e-6)


@pytest.mark.parametrize("name", ["Glorot", "He", "Lecun"])
def test_keras_gives_the_initializers_with_fans_the_std_after_the_cut(name: str, tf: Any) -> None:
    theirs = np.asarray(getattr(tf.keras.initializers, f"{name}Normal")(seed=1)(SHAPE))
    ours = draw(f"{name.lower()}_truncated_normal")
    assert ours.std() == pytest.approx(theirs.std(), rel=CLOSE)
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=CLOSE)


def test_torchs_trunc_normal_cuts_at_numbers(torch: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.nn.init.trunc_normal_(torch.empty(SHAPE), std=0.02, generator=generator).numpy()
    ours = draw({"type": "normal", "std": 0.02})
    assert ours.std() == pytest.approx(values.std(), rel=CLOSE)
    for found in (values, ours):
        assert np.abs(found).max() > 0.08  # four stds: not cut at two
