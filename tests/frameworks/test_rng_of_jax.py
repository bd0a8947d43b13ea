"""The rng `jax-0.10` against the installed JAX and Flax, on this processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import make_jax_golden as golden
import numpy as np
import pytest

import xavinit

pytestmark = pytest.mark.frameworks

SEEDS = [2**31 - 2, 2**32 - 1, 2**32 + 5, 2**40 + 3]


@pytest.fixture(autouse=True)
def _needs(jax: Any, linen: Any) -> None:
    """Before any number is drawn, JAX has read what the tests set."""


def test_the_golden_digests_are_the_installed_jaxs() -> None:
    """Some of them: to compile a function for each shape takes JAX minutes."""
    cases = json.loads(golden.GOLDEN.read_text())["cases"]
    assert [(case["title"], case["spec"]) for case in cases] == list(golden.list_specs())
    for case in cases[::50]:
        assert golden.compute_digest(case["spec"]) == case["sha256"], case["title"]


def assert_drawn(spec: dict[str, Any]) -> None:
    """JAX's tensors are xavinit's, name by name and bit for bit."""
    theirs, ours = golden.draw(spec), xavinit.draw(spec)
    assert sorted(theirs) == sorted(ours)
    for name, array in theirs.items():
        assert ours[name].shape == array.shape
        assert ours[name].tobytes() == np.asarray(array).tobytes(), (name, spec)


@pytest.mark.parametrize("part", range(3))
def test_any_tensors(part: int) -> None:
    random = np.random.default_rng(part)
    for _ in range(6):
        variants = {"jit": bool(random.integers(2)), "x64": bool(random.integers(2))}
        floats = golden.FLOATS if variants["x64"] else [golden.FLOATS[0], *golden.FLOATS[2:]]
        tensors: dict[str, Any] = {}
        for number in range(random.integers(1, 6)):
            rank = int(random.integers(1, 6))
            shape = random.integers(1, (400, 60, 12, 7, 5)[rank - 1], rank).tolist()
            dtype = floats[random.integers(len(floats))]
            inits = golden.UNIFORMS if dtype != "float32" else golden.UNIFORMS + golden.NORMALS
            if rank == 1:
                inits = [init for init in inits if init in golden.WITHOUT_FANS]
            table = {"shape": shape, "dtype": dtype, "init": inits[random.integers(len(inits))]}
            tensors[f"t{number}"] = {**table, "seed": int(random.integers(-(2**63), 2**63))}
        assert_drawn({"rng": {"type": "jax-0.10", **variants}, "seed": 0, "tensors": tensors})


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_uniform_laws_that_are_one_wide_under_jit(jax: Any, dtype: str) -> None:
    """XLA leaves out the factor 1, and joins two sums."""
    for low in (0.1, -0.3, -0.5, 0.0, 2.0, -7.3, 1e-4, 0.37):
        init = {"type": "uniform", "a": low, "b": low + 1}
        table = {"shape": [4000], "dtype": dtype, "init": init}
        rng = {"type": "jax-0.10", "jit": True, "x64": True}
        ours = xavinit.draw({"rng": rng, "seed": 5, "tensors": {"w": table}})["w"]
        with jax.enable_x64(True):
            draw = jax.jit(
                lambda key, low=low: jax.random.uniform(key, (4000,), dtype, low, low + 1)
            )
            theirs = np.asarray(draw(jax.random.key(5)))
        assert ours.tobytes() == theirs.tobytes(), low


@pytest.mark.parametrize("keys", ["linen", "nnx"])
@pytest.mark.parametrize("part", range(2))
def test_any_model(keys: str, part: int) -> None:
    random = np.random.default_rng(part)
    modules = ["", "a.", "a.b.", "block_0."]
    for _ in range(3):
        layers = []
        for number in range(random.integers(1, 6)):
            layer = dict(POOL[random.integers(len(POOL))])
            layer["name"] = f"{modules[random.integers(len(modules))]}l{number}"
            if layer["type"] == "dense" and "bias" not in layer and random.integers(2):
                layer["init"] = golden.UNIFORMS[random.integers(3)]
                layer["bias_init"] = {"type": "normal", "std": 0.1}
            layers.append(layer)
            if keys == "nnx" and random.integers(3) == 0:
                layers.append({"type": "draw", "count": int(random.integers(1, 4))})
        seed = SEEDS[random.integers(len(SEEDS))]
        rng = {"type": "jax-0.10", "keys": keys, "x64": bool(random.integers(2))}
        assert_drawn({"rng": rng, "seed": seed, "framework": "flax", "layers": layers})


POOL: list[dict[str, Any]] = [
    {"type": "dense", "in": 13, "out": 7},
    {"type": "dense", "in": 5, "out": 31, "bias": False},
    {"type": "conv2d", "in": 4, "out": 6, "kernel": 3, "groups": 2},
    {"type": "conv1d", "in": 3, "out": 5, "kernel": 4},
    {"type": "conv_transpose2d", "in": 3, "out": 5, "kernel": 2},
    {"type": "embedding", "in": 49, "out": 7},
    {"type": "layer_norm", "size": 8},
    {"type": "batch_norm", "size": 8},
    {"type": "multi_head_attention", "size": 12, "heads": 3},
]


def test_a_model_of_linens_as_people_make_it(jax: Any) -> None:
    """Modules named by Linen, in `setup` and within each other, a `Sequential`, a parameter."""
    from flax import linen, traverse_util

    class Body(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            for features in (8, 16):
                x = linen.relu(
                    linen.BatchNorm(use_running_average=True)(linen.Conv(features, (3, 3))(x))
                )
            return x * self.param("scale", jax.nn.initializers.normal(0.3), (4, 16))

    class Model(linen.Module):
        def setup(self) -> None:
            self.body = Body()
            self.head = linen.Sequential([linen.Dense(12), linen.relu, linen.Dense(10)])

        def __call__(self, x: Any) -> Any:
            return self.head(self.body(x).reshape(-1))

    layers = [
        {"name": "body.Conv_0", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
        {"name": "body.BatchNorm_0", "type": "batch_norm", "size": 8},
        {"name": "body.Conv_1", "type": "conv2d", "in": 8, "out": 16, "kernel": 3},
        {"name": "body.BatchNorm_1", "type": "batch_norm", "size": 16},
        {"name": "head.layers_0", "type": "dense", "in": 256, "out": 12},
        {"name": "head.layers_2", "type": "dense", "in": 12, "out": 10},
    ]
    tensors = {"params.body.scale": {"shape": [4, 16], "init": {"type": "normal", "std": 0.3}}}
    for seed in (0, 2**32 - 1):
        made = Model().init(jax.random.key(seed), jax.numpy.zeros((4, 4, 3)))
        theirs = traverse_util.flatten_dict(made, sep=".")
        spec = {"rng": "jax-0.10,keys=linen", "seed": seed, "framework": "flax"}
        ours = xavinit.draw({**spec, "tensors": tensors, "layers": layers})
        assert sorted(ours) == sorted(theirs)
        for name, array in theirs.items():
            assert ours[name].tobytes() == np.asarray(array).tobytes(), name


def test_a_model_of_nnxs_as_people_make_it() -> None:
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.conv = nnx.Conv(3, 8, (3, 3), rngs=rngs)
            self.norm = nnx.BatchNorm(8, rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.embed = nnx.Embed(50, 8, rngs=rngs)
            self.head = nnx.Linear(8, 10, rngs=rngs)

    model = Model(nnx.Rngs(2**32 + 5))
    layers = [
        {"name": "conv", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
        {"name": "norm", "type": "batch_norm", "size": 8},
        {"type": "draw", "count": 1},
        {"name": "embed", "type": "embedding", "in": 50, "out": 8},
        {"name": "head", "type": "dense", "in": 8, "out": 10},
    ]
    rng = "jax-0.10,keys=nnx"
    ours = xavinit.draw({"rng": rng, "seed": 2**32 + 5, "framework": "flax", "layers": layers})
    for name, array in (
        ("conv.kernel", model.conv.kernel),
        ("embed.embedding", model.embed.embedding),
        ("head.kernel", model.head.kernel),
    ):
        assert ours[f"params.{name}"].tobytes() == np.asarray(array[...]).tobytes(), name


def test_a_fresh_checkpoint_is_found(jax: Any, tmp_path: Path) -> None:
    from flax import linen, traverse_util
    from safetensors.flax import save_file

    made = linen.Dense(16).init(jax.random.key(123), jax.numpy.zeros((1, 9)))
    save_file(traverse_util.flatten_dict(made, sep="."), tmp_path / "made.safetensors")
    fresh = xavinit.derive(tmp_path / "made.safetensors", rng="auto").fresh
    assert fresh is not None
    assert (fresh.rng, fresh.seed) == ("jax-0.10,keys=linen", 123)
    assert fresh.init == "lecun_truncated_normal"


def test_the_example_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "same-seed.md").read_text(encoding="utf-8")
    section = page.split("## JAX and Flax", 1)[1]
    monkeypatch.chdir(tmp_path)
    Path("mlp.yaml").write_text(find_block(section, "yaml"), encoding="utf-8")
    xavinit.generate("mlp.yaml", "mlp.flax.safetensors")
    exec(find_block(section, "python"), {"__name__": "example"})
    assert xavinit.digest("mlp.flax.safetensors") == xavinit.digest("theirs.flax.safetensors")


def find_block(page: str, language: str) -> str:
    return page.split(f"```{language}\n", 1)[1].split("```", 1)[0]


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_an_attention_of_nnxs_with_dropout(jax: Any, rate: float) -> None:
    """Its dropout takes a count after its parameters."""
    from flax import nnx

    rngs = nnx.Rngs(3)
    nnx.MultiHeadAttention(2, 8, dropout_rate=rate, rngs=rngs)
    kernel = np.asarray(nnx.Linear(8, 5, rngs=rngs).kernel[...])
    attention = {"name": "a", "type": "multi_head_attention", "size": 8, "heads": 2}
    dense = {"name": "b", "type": "dense", "in": 8, "out": 5}
    layers = [{**attention, "dropout": rate > 0}, dense]
    spec = {"rng": "jax-0.10,keys=nnx", "seed": 3, "framework": "flax", "layers": layers}
    np.testing.assert_array_equal(xavinit.draw(spec)["params.b.kernel"], kernel)


def test_the_spec_of_the_documentation_for_a_state_of_nnxs(jax: Any, tmp_path: Path) -> None:
    """Saved by its paths it is verified, and loaded into the state it changes nothing."""
    import yaml
    from flax import nnx
    from safetensors.flax import save_file

    from xavinit.flax import load_into

    class Model(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.hidden = nnx.Linear(784, 128, rngs=rngs)
            self.output = nnx.Linear(128, 10, rngs=rngs)

    page = (Path(__file__).parents[2] / "docs" / "same-seed.md").read_text(encoding="utf-8")
    spec = yaml.safe_load(find_block(page.split("**Names of NNX.**", 1)[1], "yaml"))
    model = Model(nnx.Rngs(0))
    state = nnx.state(model)
    made = {".".join(path): leaf[...] for path, leaf in nnx.to_flat_state(state)}
    ours = xavinit.draw(spec)
    assert sorted(ours) == sorted(made)
    for name, array in made.items():
        assert ours[name].tobytes() == np.asarray(array).tobytes(), name
    save_file(made, tmp_path / "state.safetensors")
    assert xavinit.digest(tmp_path / "state.safetensors") == xavinit.digest(ours)
    nnx.replace_by_pure_dict(state, load_into(nnx.to_pure_dict(state), spec))
    nnx.update(model, state)
    np.testing.assert_array_equal(model.output.kernel[...], made["output.kernel"])
