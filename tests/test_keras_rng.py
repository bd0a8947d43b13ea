"""A spec with `rng: keras-3.15`: what it takes and refuses; every way to draw it agrees."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import SpecError
from xavinit.plan.homes import compose
from xavinit.plan.python_random import PythonRandom
from xavinit.report.explanations import format_explanation
from xavinit.report.plans import format_plan
from xavinit.streams import make_stream
from xavinit.streams.philox_tf import encipher

RNG = "keras-3.15"
CUT = "glorot_truncated_normal"
# Of several pieces and dtypes, with broken blocks, seeds of their own and not.
TENSORS: dict[str, Any] = {
    "z": [1001, 701],
    "cut": {"shape": [603, 501], "dtype": "float64", "init": CUT, "seed": -3},
    "few": {"shape": [7], "init": {"type": "normal", "std": 1}},
    "one": {"shape": [5], "init": "ones"},
    "k": {"shape": [0, 3]},
    "a.{3}": {"shape": [3], "dtype": "float16", "init": {"type": "normal", "std": 1, "mean": 2}},
    "y": {"shape": [1024, 513], "dtype": "bfloat16", "init": "he_truncated_normal"},
    "b": {"shape": [1001, 301], "init": CUT, "zero_rows": [3, -1], "seed": 2**40 + 3},
}
SPEC = {"seed": 5, "rng": RNG, "tensors": TENSORS}


def fail(table: Any, **top: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"rng": RNG, "tensors": {"w": table}, **top})
    return caught.value


def draw(table: Any, **top: Any) -> Any:
    return xavinit.draw({"rng": RNG, "tensors": {"w": table}, **top})["w"]


# --- Random access -------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch", "numpy"])
def test_a_part_of_a_tensor_is_the_part_of_the_whole(backend: str, kernel: str) -> None:
    rng = {"type": RNG, "backend": backend}
    for init in (CUT, "he_uniform", {"type": "normal", "std": 0.5, "mean": 1}):
        spec = {"rng": rng, "tensors": {"w": {"shape": [37, 53], "init": init, "seed": 7}}}
        whole = xavinit.draw(spec)["w"]
        for index in (np.s_[3:30:2, 5:-1], np.s_[-1], np.s_[:, ::-1], np.s_[36, 52]):
            np.testing.assert_array_equal(xavinit.draw(spec, "w", index), whole[index])


def test_the_number_of_threads_makes_no_difference(kernel: str) -> None:
    expected = xavinit.draw(SPEC, jobs=1)
    for name, array in xavinit.draw(SPEC, jobs=3).items():
        assert array.tobytes() == expected[name].tobytes(), name


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_sequences_of_a_tensors_own_are_drawn_by_all_threads(backend: str) -> None:
    tensors = {
        name: {"shape": [601, 1001], "init": init, "seed": 3}
        for name, init in {
            "a": CUT,
            "b": "glorot_uniform",
            "c": {"type": "normal", "std": 1},
        }.items()
    }
    spec = {"rng": {"type": RNG, "backend": backend}, "tensors": tensors}
    expected = xavinit.draw(spec, jobs=1)
    for name, array in xavinit.draw(spec, jobs=3).items():
        assert array.tobytes() == expected[name].tobytes(), name


def test_any_element_is_drawn_alone() -> None:
    """Of a large tensor, at the beginnings of blocks, groups and tiles and beside them."""
    plan = xavinit.make_plan(SPEC)
    fill = make_stream(plan.stream, plan.seed, plan.sequence).make_fill()
    whole = xavinit.draw(plan)
    for name in ("z", "cut", "y"):
        tensor = plan[name]
        flat = np.frombuffer(whole[name].tobytes(), f"u{tensor.dtype.itemsize}")
        for start in (0, 1, 2, 3, 4, 2047, 2048, 2049, 65_535, 65_536, tensor.size - 1):
            out = bytearray(tensor.dtype.itemsize)
            fill(memoryview(out), tensor, start, start + 1)
            assert out == flat[start].tobytes(), (name, start)


@pytest.mark.parametrize("output", ["w.safetensors", "w.h5", "w", "shards"])
def test_every_output_has_the_same_numbers(output: str, tmp_path: Path) -> None:
    tensors = {name: table for name, table in TENSORS.items() if name != "y" or output != "w"}
    spec = {**SPEC, "tensors": tensors}  # npy has no bfloat16
    expected = xavinit.digest(xavinit.draw(spec))
    options: dict[str, Any] = {"max_shard_size": 2_000_000} if output == "shards" else {}
    options |= {"format": "npy"} if output == "w" else {}
    xavinit.generate(spec, tmp_path / output, jobs=3, **options)
    assert xavinit.digest(tmp_path / output) == expected
    assert xavinit.verify(tmp_path / output, spec)


def test_a_pipe_takes_the_same_bytes(tmp_path: Path) -> None:
    xavinit.generate(SPEC, tmp_path / "w.safetensors")
    pipe = io.BytesIO()
    xavinit.generate(SPEC, pipe, jobs=3)
    assert pipe.getvalue() == (tmp_path / "w.safetensors").read_bytes()
    xavinit.generate(tmp_path / "w.safetensors", tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == pipe.getvalue()


# --- Seeds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 1234, 2**32 - 1])
def test_pythons_generator_is_written_out(seed: int) -> None:
    theirs, ours = random.Random(seed), PythonRandom(seed)
    drawn = [ours.draw(1, 10**9) for _ in range(2000)]
    assert drawn == [theirs.randint(1, 10**9) for _ in range(2000)]


def test_what_has_no_seed_takes_the_next_in_the_specs_order() -> None:
    """Constants and ties take none; what has no elements takes one, as its initializer does."""
    seeds = random.Random(5)
    plan = xavinit.make_plan({**SPEC, "tensors": {**TENSORS, "t": {"tied": "few"}}})
    for name in ("z", "few", "k", "a.0", "a.1", "a.2", "y"):
        assert plan[name].seed == seeds.randint(1, 10**9), name
    assert (plan["cut"].seed, plan["b"].seed, plan["one"].seed) == (-3, 2**40 + 3, None)
    assert plan["t"].seed == plan["few"].seed


def test_a_seed_comes_from_a_tensor_a_rule_the_defaults_or_a_layer() -> None:
    tensors = {"a": {"shape": [3, 5], "seed": 1}, "b": [3, 5], "c": [3, 5]}
    rules = [{"match": "b", "seed": 2}]
    plan = xavinit.make_plan(
        {"rng": RNG, "defaults": {"seed": 3}, "rules": rules, "tensors": tensors}
    )
    assert [tensor.seed for tensor in plan.tensors] == [1, 2, 3]
    layer = {"name": "l", "type": "dense", "in": 3, "out": 5, "seed": 4}
    plan = xavinit.make_plan({"rng": RNG, "layers": [layer]})
    assert plan["l.weight"].seed == 4


def test_seeds_of_tensorflow_are_taken_modulo_its_largest_less_one() -> None:
    modulus = 2**31 - 2

    def make(seed: int) -> bytes:
        return bytes(draw({"shape": [3, 5], "seed": seed}).data)

    assert make(0) == make(modulus) == make(-modulus)
    assert make(2**32 + 5) == make((2**32 + 5) % modulus) != make(5)


@pytest.mark.parametrize(
    ("rng", "top", "own", "path", "fact"),
    [
        (RNG, 2**32, 0, ("seed",), "must be an integer from 0 to 2³²−1; got 4294967296"),
        (RNG, -1, 0, ("seed",), "must be an integer from 0 to 2³²−1; got -1"),
        (RNG, 0, 2**63, ("tensors", "w", "seed"),
         "must be an integer from −2⁶³ to 2⁶³−1; got 9223372036854775808"),
        (f"{RNG},backend=jax", 0, 2**32, ("tensors", "w", "seed"),
         "must be an integer from 0 to 2³²−1; got 4294967296"),
        (RNG, 0, "5", ("tensors", "w", "seed"), 'must be an integer; got "5"'),
        ("torch-2.13", 0, 5, ("tensors", "w", "seed"),
         "torch-2.13 has one seed, the spec's; got 5"),
        ("xavinit-1", 0, 5, ("tensors", "w", "seed"), "xavinit-1 has one seed, the spec's; got 5"),
    ],
)  # fmt: skip
def test_seeds_out_of_range(rng: str, top: int, own: Any, path: Any, fact: str) -> None:
    error = fail({"shape": [2, 2], "seed": own}, rng=rng, seed=top)
    assert (error.fact, error.path) == (fact, path)


# --- What it does not know -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "path", "fact", "hint"),
    [
        ({"shape": [2, 2], "init": "glorot_normal"}, ("init",),
         "keras-3.15 knows no glorot_normal: Keras's is a truncated normal",
         "it is glorot_truncated_normal here; the plain one is {type: variance_scaling, mode: "
         "fan_avg, distribution: normal}, Keras's untruncated_normal"),
        ({"shape": [2, 2], "dtype": "float8_e5m2"}, (),
         "keras-3.15 on tensorflow draws bfloat16, float16, float32 or float64; got float8_e5m2",
         None),
        ({"shape": [3], "init": {"type": "truncated_normal", "std": 1, "a": -1}}, ("init", "a"),
         "keras-3.15 cuts a normal at two of its stds; got -1", None),
        ({"shape": [3], "init": {"type": "uniform", "a": 1, "b": 1}}, ("init", "a"),
         "a must be less than b; got 1 and 1", None),
        ({"shape": [3, 3], "init": "default"}, ("init",),
         "default is for a layer, whose type tells what Keras draws for it", None),
        ({"shape": [2, 2], "stream": "v"}, ("stream",),
         "keras-3.15 draws from seeds, not from names: two tensors of one seed have the same "
         "numbers; got stream", None),
        ({"shape": [2, 2], "layout": "out_in"}, ("layout",),
         "keras-3.15 takes the fans of the shape as Keras does (the spatial axes, in, out); "
         "got layout", None),
        ({"shape": [2, 2], "fused": 2}, ("fused",),
         "keras-3.15 takes the fans of the shape as Keras does (the spatial axes, in, out); "
         "got fused", None),
    ],
)  # fmt: skip
def test_what_the_rng_does_not_know_is_refused(
    table: Any, path: Any, fact: str, hint: str | None
) -> None:
    error = fail(table)
    assert (error.fact, error.path) == (fact, ("tensors", "w", *path))
    assert error.hint == hint or hint is None


@pytest.mark.parametrize("backend", ["jax", "torch", "numpy"])
def test_other_backends_draw_float32_alone(backend: str) -> None:
    error = fail({"shape": [2, 2], "dtype": "float64"}, rng={"type": RNG, "backend": backend})
    assert error.fact == f"keras-3.15 on {backend} draws float32; got float64"


def test_an_orthogonal_kernel_is_refused_by_name() -> None:
    layer = {"name": "l", "type": "lstm", "in": 3, "hidden": 5}
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"rng": RNG, "layers": [layer]})
    assert caught.value.fact == (
        "Keras makes the recurrent kernel of lstm l orthogonal, which is not drawn here"
    )
    assert caught.value.path == ("layers", 0)
    assert caught.value.hint == "give it another, such as recurrent_init: glorot_uniform"


def test_a_draw_has_a_limit() -> None:
    spec = {"rng": RNG, "layers": [{"type": "draw", "count": 10**7}]}
    with pytest.raises(SpecError, match="count must be at most 1,000,000 numbers"):
        xavinit.make_plan(spec)


# --- Laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "fans"),
    [([], (1, 1)), ([7], (7, 7)), ([3, 5], (3, 5)), ([3, 3, 16, 32], (144, 288))],
)
def test_fans_are_keras(shape: list[int], fans: tuple[int, int]) -> None:
    assert xavinit.make_plan({"rng": RNG, "tensors": {"w": shape}})["w"].fans == fans


def test_numbers_are_within_the_laws() -> None:
    """Uniform on [−bound, bound); normal cut at two stds, of the std that the fans ask for."""
    spec: Any = {"shape": [500, 700], "seed": 1}
    bound = (6 / 1200) ** 0.5
    uniform = draw(spec)
    assert -bound <= uniform.min() < -0.999 * bound < 0.999 * bound < uniform.max() < bound
    cut = draw({**spec, "init": CUT})
    std = (2 / 1200) ** 0.5
    assert abs(cut.std() / std - 1) < 0.01
    assert abs(np.abs(cut).max() / std - 2 / 0.8796) < 0.01


def test_the_cipher_is_the_papers() -> None:
    """The known answers that come with Random123, for Philox4x32-10."""
    ones = 0xFFFFFFFF
    assert encipher((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    told = encipher(pi, (0xA4093822, 0x299F31D0))
    assert told == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


# --- Frameworks ----------------------------------------------------------------------------------

LAYERS: list[dict[str, Any]] = [
    {"name": "d", "type": "dense", "in": 30, "out": 17},
    {"name": "f", "type": "dense", "in": [3, 4, 5], "out": 7},
    {"name": "c", "type": "conv2d", "in": 3, "out": 8, "kernel": [3, 2]},
    {"name": "t", "type": "conv_transpose2d", "in": 3, "out": 8, "kernel": 3},
    {"name": "e", "type": "embedding", "in": 9, "out": 4},
    {"name": "w", "type": "depthwise_conv2d", "in": 3, "multiplier": 2, "kernel": 3},
    {"name": "l", "type": "lstm", "in": 5, "hidden": 4, "recurrent_init": CUT},
    {"name": "g", "type": "gru", "in": 5, "hidden": 7, "recurrent_init": "he_uniform"},
]  # fmt: skip

ATTENTION: dict[str, Any] = {"name": "q", "type": "multi_head_attention", "size": 24, "heads": 4}


@pytest.mark.parametrize("framework", ["pytorch", "flax"])
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_other_frameworks_get_views_of_kerass_tensors(framework: str, backend: str) -> None:
    """The same as without the rng: each lies where the view of Keras's tensor says."""
    # PyTorch packs what Keras has apart, unless keys have fewer heads, which Flax does not know.
    attention = {**ATTENTION, "kv_heads": 2} if framework == "pytorch" else ATTENTION
    layers = [*LAYERS, attention]
    plain: dict[str, Any] = {"layers": layers}
    theirs = xavinit.make_plan(plain, framework="keras")
    spec = {"rng": {"type": RNG, "backend": backend}, "layers": layers, "seed": 3}
    in_keras = xavinit.draw(spec, framework="keras")
    drawn = xavinit.draw(spec, framework=framework, jobs=2)
    parts: dict[str, Any] = {}  # PyTorch's tensors, put together of Keras's
    for name, array in in_keras.items():
        tensor = theirs[name]
        part = parts.setdefault(tensor.stream, {})
        view = tensor.view
        places = np.arange(array.size) if view is None else list_places(view.axes)
        part |= dict(zip(places.tolist(), array.reshape(-1).tolist(), strict=False))
    for tensor in xavinit.make_plan(plain, framework=framework).tensors:
        view = tensor.view
        places = np.arange(tensor.size) if view is None else list_places(view.axes)
        if tensor.stream in parts:
            expected = [parts[tensor.stream].get(place, 0.0) for place in places.tolist()]
            array = drawn[tensor.name].reshape(-1)[: len(expected)]
            assert array.tolist() == expected, tensor.name


def list_places(axes: Any) -> Any:
    places = np.zeros(1, int)
    for axis in axes:
        places = np.add.outer(places, np.asarray(axis)).ravel()
    return places


def test_what_is_several_tensors_in_keras_is_refused() -> None:
    layers = [{**ATTENTION, "name": "a"}]
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"rng": RNG, "layers": layers})
    assert caught.value.fact == (
        '"a.in_proj_weight" is no view of one tensor of keras, which has "a/query/kernel", '
        '"a/key/kernel", "a/value/kernel"'
    )
    assert caught.value.hint == "write the form of keras: framework: keras"
    assert len(xavinit.make_plan({"rng": RNG, "layers": layers}, framework="keras").tensors) == 8


@pytest.mark.parametrize("kv_heads", [{}, {"kv_heads": 2}])
def test_a_dropout_in_an_attention_takes_a_number_before_its_output(
    kv_heads: dict[str, int],
) -> None:
    import random

    dense = {"name": "d", "type": "dense", "in": 24, "out": 3}
    for dropout, chosen in ((False, (1, 2, 3, 4, 5)), (True, (1, 2, 3, 5, 6))):
        layers = [{**ATTENTION, **kv_heads, "dropout": dropout}, dense]
        plan = xavinit.make_plan({"rng": RNG, "seed": 3, "layers": layers}, framework="keras")
        seeds = [tensor.seed for tensor in plan.tensors if tensor.name.endswith("kernel")]
        generator = random.Random(3)
        numbers = [generator.randint(1, 10**9) for _ in range(7)]
        assert seeds == [numbers[place] for place in chosen]


def test_a_tied_layer_is_a_view_of_the_others_tensor() -> None:
    spec = {
        "rng": RNG,
        "layers": [
            {"name": "e", "type": "embedding", "in": 9, "out": 4},
            {"name": "head", "type": "dense", "in": 4, "out": 9, "bias": False},
        ],
        "rules": [{"match": "head.weight", "tied": "e.weight"}],
    }
    for framework in ("pytorch", "keras"):
        embedded, head = xavinit.draw(spec, framework=framework).values()
        np.testing.assert_array_equal(head, embedded if framework == "pytorch" else embedded.T)


def test_views_that_no_axes_give_are_told() -> None:
    assert compose(None, None, 6) == (range(6),)
    half = xavinit.layers.make_view((range(3, 6),))
    assert compose(None, half, 3) is None  # what is before has no place
    assert compose(half, half, 3) == (range(3),)


def test_an_lstm_forgets_nothing_at_first() -> None:
    layer = {"name": "l", "type": "lstm", "in": 3, "hidden": 2, "recurrent_init": CUT}
    spec = {"rng": RNG, "layers": [layer]}
    bias = xavinit.draw(spec)["l.bias_ih_l0"]
    assert bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    spec["layers"] = [{**layer, "bias_init": "zeros"}]
    assert not xavinit.draw(spec)["l.bias_ih_l0"].any()


# --- The plan ------------------------------------------------------------------------------------


def test_a_plan_and_an_explanation_tell_seeds() -> None:
    plan = xavinit.make_plan(SPEC)
    lines = list(format_plan(plan))
    assert lines[0].endswith("SEED")
    assert lines[2].endswith(" -3")
    told = xavinit.explain(SPEC, "cut")
    assert (told.rng, told.seed, told.word) == (RNG, -3, None)
    spec = {"rng": RNG, "layers": LAYERS}
    told = xavinit.explain(spec, "d.weight")
    assert (told.spec_shape, told.fan_in.value) == ((30, 17), 30)  # type: ignore[union-attr]
    lines = list(format_explanation(told, "spec.yaml"))
    assert "  in file    [17, 30] of Linear; Keras's form is above" in lines
    told = xavinit.explain({"layers": LAYERS}, "d/kernel", framework="keras")
    lines = list(format_explanation(told, "spec.yaml"))
    assert "  in file    [30, 17] of Dense; PyTorch's form is above" in lines
    told = xavinit.explain(spec, "e.weight")
    assert told.note == "the default of keras-3.15 for such a layer, whatever init says"
