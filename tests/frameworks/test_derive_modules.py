"""`derive` of models in memory: the spec is what `load_into` takes for the model."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import UsageError

pytestmark = pytest.mark.frameworks


# --- PyTorch -------------------------------------------------------------------------------------


def make_module(torch: Any) -> Any:
    class Block(torch.nn.Module):  # type: ignore[misc]  # Any
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.LayerNorm(8)
            self.up = torch.nn.Linear(8, 24)
            self.rnn = torch.nn.LSTM(24, 8, bidirectional=True)
            self.register_buffer("position_ids", torch.arange(16)[None])
            self.register_buffer("scratch", torch.zeros(3), persistent=False)

    class Net(torch.nn.Module):  # type: ignore[misc]  # Any
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(11, 8)
            self.blocks = torch.nn.ModuleList(Block() for _ in range(3))
            self.bn = torch.nn.BatchNorm1d(8)
            self.head = torch.nn.Linear(8, 11, bias=False)
            self.head.weight = self.embed.weight

    return Net()


def check_torch(torch: Any, module: Any, spec: Any) -> None:
    xavinit.torch.load_into(module, spec)
    drawn = xavinit.draw(spec)
    state = module.state_dict()
    assert set(state) == set(drawn)
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor.float().numpy(), drawn[name].astype("f4"), name)


def test_a_torch_module_takes_its_spec(torch: Any) -> None:
    module = make_module(torch)
    derived = xavinit.derive(module)
    assert derived.text.startswith("# Derived from Net: ")
    assert derived.spec["tensors"]["head.weight"] == {"tied": "embed.weight"}
    assert "scratch" not in derived.text
    check_torch(torch, module, derived.spec)
    assert module.head.weight is module.embed.weight
    assert module.bn.num_batches_tracked == 0
    assert (module.blocks[2].position_ids == torch.arange(16)).all()


def test_a_torch_module_without_memory_has_the_same_spec(torch: Any) -> None:
    with torch.device("meta"):
        module = make_module(torch)
    assert all(tensor.is_meta for tensor in module.state_dict().values())
    derived = xavinit.derive(module)
    assert derived.text == xavinit.derive(make_module(torch)).text
    check_torch(torch, module.to_empty(device="cpu"), derived.spec)
    with torch.device("meta"):
        module = make_module(torch)
    with pytest.raises(UsageError, match=r'numbers of the source; "embed\.weight" has a shape'):
        xavinit.derive(module, laws="as-is")


def test_a_state_dict_has_the_spec_of_its_module(torch: Any) -> None:
    module = make_module(torch)
    assert xavinit.derive(module.state_dict()).spec == xavinit.derive(module).spec


def test_tensors_that_only_look_alike_are_not_tied(torch: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    assert not any(t.is_tied for t in xavinit.make_plan(xavinit.derive(module).spec).tensors)
    with torch.device("meta"):
        module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    assert not any(t.is_tied for t in xavinit.make_plan(xavinit.derive(module).spec).tensors)
    shared = torch.zeros(4, 3)
    halves = {"a": shared[:2], "b": shared[2:], "c": shared[:2], "d": shared[:2].T}
    plan = xavinit.make_plan(xavinit.derive(halves).spec)
    assert [t.name for t in plan.tensors if t.is_tied] == ["c"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn"])
def test_the_dtype_is_the_module_s(dtype: str, torch: Any) -> None:
    module = torch.nn.Linear(16, 8).to(getattr(torch, dtype))
    spec = xavinit.derive(module).spec
    assert spec["defaults"]["dtype"] == dtype
    check_torch(torch, module, spec)


def test_a_lazy_module_is_named(torch: Any) -> None:
    module = torch.nn.LazyLinear(3)
    with pytest.raises(UsageError, match="must have a shape and a dtype"):
        xavinit.derive(module)


def test_the_laws_of_a_torch_module_are_told(torch: Any) -> None:
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(200, 100), torch.nn.BatchNorm1d(100))
    torch.nn.init.xavier_normal_(module[0].weight)
    spec = xavinit.derive(module, laws="as-is").spec
    plan = xavinit.make_plan(spec)
    assert spec["defaults"]["init"] == "glorot_normal"
    assert plan["0.weight"].law == xavinit.Normal((2 / 300) ** 0.5)
    assert plan["1.running_var"].law == xavinit.Constant(1)
    torch.nn.init.kaiming_uniform_(module[0].weight, a=5**0.5)
    plan = xavinit.make_plan(xavinit.derive(module, laws="as-is").spec)
    assert plan["0.weight"].law == xavinit.Uniform(1 / 200**0.5)
    # PyTorch draws the bias within the same bound, which a hundred values alone do not tell.
    assert plan["0.bias"].law == xavinit.Uniform(0.0707)
    check_torch(torch, module, xavinit.derive(module.half(), laws="as-is").spec)


def test_a_transformer_of_hugging_face_takes_its_spec(torch: Any, transformers: Any) -> None:
    config = transformers.GPT2Config(
        vocab_size=99, n_positions=32, n_embd=16, n_layer=3, n_head=2, dtype="float32"
    )
    with torch.device("meta"):
        module = transformers.GPT2LMHeadModel(config)
    spec = xavinit.derive(module).spec
    assert spec["tensors"]["lm_head.weight"] == {"tied": "transformer.wte.weight"}
    module = transformers.GPT2LMHeadModel(config)
    check_torch(torch, module, spec)
    assert torch.isfinite(module(torch.arange(9)[None]).logits).all()


# --- Keras ---------------------------------------------------------------------------------------


@pytest.fixture
def keras(tf: Any) -> Any:
    return importlib.import_module("keras")


def make_part(keras: Any, name: str) -> Any:
    start = keras.Input((8, 8, 3))
    inner = keras.layers.Conv2D(4, 3, name=f"{name}_conv")(start)
    inner = keras.layers.BatchNormalization(name=f"{name}_norm")(inner)
    inner = keras.layers.Dropout(0.5)(inner)
    return keras.Model(start, keras.layers.Flatten()(inner), name=name)


def make_functional(keras: Any) -> Any:
    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    both = [make_part(keras, "a")(left), make_part(keras, "b")(right)]
    both = keras.layers.Concatenate()(both)
    return keras.Model([left, right], keras.layers.Dense(5, name="head")(both))


def make_sequential(keras: Any) -> Any:
    layers = [
        keras.Input((7,)),
        keras.layers.Embedding(30, 6),
        make_recurrent(keras),
        keras.layers.LayerNormalization(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential(layers)


def make_recurrent(keras: Any) -> Any:
    return keras.layers.Bidirectional(keras.layers.LSTM(5))


def make_subclass(keras: Any) -> Any:
    class Net(keras.Model):  # type: ignore[misc]  # Any
        def __init__(self) -> None:
            super().__init__(name="net")
            self.part = make_part(keras, "a")
            self.head = keras.layers.Dense(2, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.part(x))

    model = Net()
    model(np.zeros((1, 8, 8, 3), "f4"))
    return model


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # TensorFlow's own
@pytest.mark.parametrize("make", [make_functional, make_sequential, make_subclass])
@pytest.mark.parametrize("laws", ["glorot", "as-is"])
def test_a_keras_model_takes_its_spec(make: Any, laws: Any, keras: Any) -> None:
    model = make(keras)
    derived = xavinit.derive(model, laws=laws)
    assert derived.text.startswith(f"# Derived from {model.name}: ")
    xavinit.keras.load_into(model, derived.spec)
    drawn = xavinit.draw(derived.spec, framework="keras")
    assert len(drawn) == len(model.weights)
    for variable in model.weights:
        name = variable.path.removeprefix(f"{model.name}/")
        np.testing.assert_array_equal(np.asarray(variable), drawn[name], name)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # TensorFlow's own
def test_a_keras_model_has_the_names_and_the_axes_of_the_framework(keras: Any) -> None:
    spec = xavinit.derive(make_subclass(keras)).spec
    plan = xavinit.make_plan(spec)
    assert {"a_conv/kernel", "a_norm/moving_variance", "head/bias"} <= {
        t.name for t in plan.tensors
    }
    assert plan["a_conv/kernel"].fans == (27, 36)
    assert plan["a_norm/moving_variance"].law == xavinit.Constant(1)
    assert plan["a_norm/gamma"].law == xavinit.Constant(1)
    recurrent = xavinit.make_plan(xavinit.derive(make_sequential(keras)).spec)
    kernel = next(t for t in recurrent.tensors if t.name.endswith("lstm_cell/kernel"))
    assert kernel.shape == (6, 20)
    assert kernel.fans == (6, 5)  # of one gate


def test_a_keras_model_without_variables_is_named(keras: Any) -> None:
    model = keras.Sequential([keras.layers.Dense(2)], name="late")
    with pytest.raises(UsageError, match='must have its variables; got "late", not built'):
        xavinit.derive(model)


# --- Flax ----------------------------------------------------------------------------------------


def make_linen(linen: Any) -> Any:
    class Net(linen.Module):  # type: ignore[misc]  # Any
        @linen.compact
        def __call__(self, x: Any) -> Any:
            for _ in range(2):
                x = linen.Conv(4, (3, 3))(x)
                x = linen.BatchNorm(use_running_average=True)(x)
            return linen.Dense(5)(x.reshape(len(x), -1))

    return Net()


def list_leaves(tree: Any, place: str = "") -> Any:
    for key, value in tree.items():
        if hasattr(value, "items"):
            yield from list_leaves(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", value


@pytest.mark.parametrize("laws", ["glorot", "as-is"])
def test_the_variables_of_a_linen_module_take_their_spec(laws: Any, jax: Any, linen: Any) -> None:
    module, x = make_linen(linen), np.zeros((1, 6, 6, 3), "f4")
    variables = module.init(jax.random.key(0), x)
    derived = xavinit.derive(variables, laws=laws)
    plan = xavinit.make_plan(derived.spec)
    assert plan["params.Conv_0.kernel"].shape == (3, 3, 3, 4)
    assert plan["batch_stats.BatchNorm_1.var"].law == xavinit.Constant(1)
    tree = xavinit.flax.load_into(variables, derived.spec)
    drawn = xavinit.draw(derived.spec)
    assert {name: leaf.shape for name, leaf in list_leaves(tree)} == {
        name: array.shape for name, array in drawn.items()
    }
    for name, leaf in list_leaves(tree):
        np.testing.assert_array_equal(np.asarray(leaf), drawn[name])
    assert np.isfinite(module.apply(tree, x)).all()


def test_shapes_alone_have_the_same_spec(jax: Any, linen: Any) -> None:
    module, x = make_linen(linen), np.zeros((1, 6, 6, 3), "f4")
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    variables = module.init(jax.random.key(0), x)
    spec = xavinit.derive(shapes).spec
    assert spec == xavinit.derive(variables).spec
    assert xavinit.make_plan(spec)["params.Conv_0.kernel"].fans == (27, 36)
    params = xavinit.derive(variables["params"]).spec  # one collection alone
    xavinit.flax.load_into(variables["params"], params)
    with pytest.raises(UsageError, match="numbers of the source"):
        xavinit.derive(shapes, laws="as-is")


def test_a_linen_module_has_no_variables(linen: Any) -> None:
    with pytest.raises(UsageError, match="a Linen module has no variables; got") as caught:
        xavinit.derive(linen.Dense(3))
    assert "module.init" in str(caught.value.hint)


@pytest.mark.parametrize("laws", ["glorot", "as-is"])
def test_an_nnx_module_takes_its_spec(laws: Any, jax: Any) -> None:
    nnx = importlib.import_module("flax.nnx")

    class Net(nnx.Module):  # type: ignore[misc]  # Any
        def __init__(self, rngs: Any) -> None:
            self.layers = nnx.List([nnx.Linear(6, 6, rngs=rngs) for _ in range(3)])
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.norm = nnx.BatchNorm(6, use_running_average=True, rngs=rngs)
            self.head = nnx.Linear(6, 4, use_bias=False, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return self.head(self.norm(x))

    module = Net(nnx.Rngs(0))
    derived = xavinit.derive(module, laws=laws)
    assert derived.text.startswith("# Derived from Net: ")
    state = nnx.state(module)
    assert xavinit.derive(state, laws=laws).spec == derived.spec
    tree = xavinit.flax.load_into(state, derived.spec)
    nnx.replace_by_pure_dict(state, tree)
    nnx.update(module, state)
    drawn = xavinit.draw(derived.spec)
    assert len(drawn) == 3 * 2 + 4 + 1
    np.testing.assert_array_equal(np.asarray(module.layers[2].kernel), drawn["layers.2.kernel"])
    np.testing.assert_array_equal(np.asarray(module.norm.var), np.ones(6, "f4"))
    np.testing.assert_array_equal(np.asarray(module.head.kernel), drawn["head.kernel"])
    assert np.isfinite(module(np.ones((2, 6), "f4"))).all()
    shapes = nnx.eval_shape(lambda: Net(nnx.Rngs(0)))
    assert xavinit.derive(shapes).spec == xavinit.derive(module).spec
