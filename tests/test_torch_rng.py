"""A spec with `rng: torch-2.13`: what it takes and refuses; every way to draw it agrees."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import SpecError, UsageError
from xavinit.plan import select_tensors
from xavinit.report.plans import format_plan
from xavinit.rngs import RNGS
from xavinit.streams import make_stream, positions
from xavinit.streams.stream import PIECE
from xavinit.wording import format_choices

RNG = "torch-2.13"
# In no format's order, of several pieces, with broken blocks, small tensors and what draws nothing.
TENSORS: dict[str, Any] = {
    "z": [1001, 701],
    "few": {"shape": [7], "init": {"type": "normal", "std": 1}},
    "m": {"shape": [603, 501], "dtype": "float64", "init": "glorot_normal"},
    "cut": {"shape": [40, 30], "init": {"type": "truncated_normal", "std": 1.5}},
    "one": {"shape": [5], "init": "ones"},
    "k": {"shape": [0, 3]},
    "a.{3}": {"shape": [3], "dtype": "float16", "init": {"type": "normal", "std": 1, "mean": 2}},
    "y": {"shape": [1024, 513], "dtype": "float16", "init": "he_normal"},
    "b": {"shape": [1001, 301], "init": "glorot_normal", "zero_rows": [3, -1]},
}
SPEC = {"seed": 5, "rng": RNG, "tensors": TENSORS}


def fail(table: Any, **top: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"rng": RNG, "tensors": {"w": table}, **top})
    return caught.value


# --- One stream ----------------------------------------------------------------------------------


def draw_piecewise(spec: Any) -> dict[str, Any]:
    """Each tensor by the rng's functions, one after another in one state."""
    stream: Any = make_stream(RNG, spec["seed"], ())
    plan = xavinit.make_plan(spec)
    state = stream._kernel.make_state(plan.seed)
    arrays = {}
    for tensor in plan.tensors:
        drawn = tensor.law is not None and type(tensor.law).__name__ not in ("Constant",)
        out = bytearray(tensor.nbytes)
        if drawn:
            stream._values.fill(state, memoryview(out), tensor, 0, tensor.size)
        array = np.frombuffer(out, tensor.dtype.name).reshape(tensor.shape)
        arrays[tensor.name] = array if drawn else np.full(tensor.shape, tensor.law is not None)
    arrays["b"] = arrays["b"].copy()
    arrays["b"][[3, -1]] = 0
    return arrays


def test_tensors_are_drawn_one_after_another() -> None:
    pytest.importorskip("xavinit.streams._kernel")
    expected = draw_piecewise(SPEC)
    for jobs in (1, 3):
        for name, array in xavinit.draw(SPEC, jobs=jobs).items():
            np.testing.assert_array_equal(array, expected[name].astype(array.dtype), name)


@pytest.mark.parametrize("output", ["w.safetensors", "w.h5", "w", "shards"])
def test_every_output_has_the_numbers_of_the_spec_in_its_order(output: str, tmp_path: Path) -> None:
    expected = xavinit.digest(xavinit.draw(SPEC))
    options = {"max_shard_size": 2_000_000} if output == "shards" else {}
    if output == "w":
        options = {"format": "npy"}
    for jobs in (1, 2, 5):
        path = tmp_path / f"{jobs}" / output
        path.parent.mkdir()
        xavinit.generate(SPEC, path, jobs=jobs, **options)
        assert xavinit.digest(path) == expected


def test_a_pipe_takes_the_tensors_in_the_files_order(tmp_path: Path) -> None:
    xavinit.generate(SPEC, tmp_path / "w.safetensors")
    pipe = io.BytesIO()
    xavinit.generate(SPEC, pipe, jobs=3)
    assert pipe.getvalue() == (tmp_path / "w.safetensors").read_bytes()


def test_a_file_carries_the_order_that_draws_it_again(tmp_path: Path) -> None:
    xavinit.generate(SPEC, tmp_path / "w.safetensors")
    xavinit.generate(tmp_path / "w.safetensors", tmp_path / "again.safetensors")
    first, again = (tmp_path / f"{name}.safetensors" for name in ("w", "again"))
    assert first.read_bytes() == again.read_bytes()
    turned = {**SPEC, "tensors": dict(reversed(TENSORS.items()))}
    plan, other = xavinit.make_plan(SPEC), xavinit.make_plan(turned)
    assert plan.canonical != other.canonical
    assert not np.array_equal(xavinit.draw(plan)["z"], xavinit.draw(other)["z"])


def test_a_part_of_a_plan_keeps_its_place_in_the_stream() -> None:
    plan = xavinit.make_plan(SPEC)
    whole = xavinit.draw(plan)
    for glob in ("b", "[ym]", "a.1"):
        for name, array in xavinit.draw(select_tensors(plan, glob)).items():
            np.testing.assert_array_equal(array, whole[name])


def test_beginnings_are_kept_in_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"rng": RNG, "tensors": {"w.{300}": {"shape": [9], "init": TENSORS["few"]["init"]}}}
    plan = xavinit.make_plan(spec)
    expected = xavinit.draw(plan)
    monkeypatch.setattr(positions, "MOST_KEPT", 16)
    stream: Any = make_stream(plan.stream, plan.seed, plan.sequence)
    fill = stream.make_fill()
    for tensor in [*plan.tensors[::-7], *plan.tensors[::5]]:
        (piece,) = stream.split(tensor, 1)
        out = memoryview(bytearray(tensor.nbytes))
        fill(out, *piece)
        np.testing.assert_array_equal(np.frombuffer(out, "f4"), expected[tensor.name])
        assert len(stream._positions._kept) <= 17


def test_a_tensor_of_several_pieces_of_each_dtype() -> None:
    """The last 16 of a broken end lie in two pieces."""
    pytest.importorskip("xavinit.streams._kernel")
    for dtype, itemsize in (("float32", 4), ("float64", 8), ("float16", 2)):
        size = PIECE // itemsize + 5
        for init in ({"type": "normal", "std": 1}, {"type": "uniform", "a": 0, "b": 2}):
            table = {"shape": [size], "dtype": dtype, "init": init}
            spec = {"rng": RNG, "tensors": {"w": table, "after": [3, 5]}}
            stream: Any = make_stream(RNG, 0, ())
            plan = xavinit.make_plan(spec)
            state = stream._kernel.make_state(0)
            outs = []
            for tensor in plan.tensors:
                outs.append(bytearray(tensor.nbytes))
                stream._values.fill(state, memoryview(outs[-1]), tensor, 0, tensor.size)
            drawn = xavinit.draw(spec, jobs=2)
            assert [array.tobytes() for array in drawn.values()] == outs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_truncated_normal_is_drawn_in_parts(dtype: str) -> None:
    """As if at once; and what follows begins where its last round ended."""
    pytest.importorskip("xavinit.streams._kernel")
    from xavinit.streams import torch_cut

    table = {"shape": [700, 701], "dtype": dtype, "init": {"type": "truncated_normal", "std": 1.2}}
    plan = xavinit.make_plan({"rng": RNG, "tensors": {"w": table, "after": [3, 5]}})
    stream: Any = make_stream(RNG, 0, plan.sequence)
    w, after = plan.tensors
    assert len(list(stream.split(w, 1))) > 1
    assert plan.memory == 0
    state, outs = stream._kernel.make_state(0), [bytearray(t.nbytes) for t in plan.tensors]
    torch_cut.fill_at_once(stream._values, state, memoryview(outs[0]), w)
    stream._values.fill(state, memoryview(outs[1]), after, 0, 15)
    assert [array.tobytes() for array in xavinit.draw(plan, jobs=2).values()] == outs
    np.testing.assert_array_less(np.abs(np.frombuffer(outs[0], dtype)), 2.0000001)


# --- The spec ------------------------------------------------------------------------------------


def test_seeds_are_pytorchs() -> None:
    def draw(seed: int) -> bytes:
        return bytes(xavinit.draw({"rng": RNG, "seed": seed, "tensors": {"w": [3, 5]}})["w"].data)

    assert draw(-1) == draw(2**64 - 1) == draw(2**32 - 1)
    assert draw(2**32 + 5) == draw(5) != draw(6)
    assert xavinit.make_plan({"rng": RNG, "tensors": {"w": [2, 2]}}, seed=-1).seed == 2**64 - 1
    assert fail([2, 2], seed=2**64).fact == (
        "must be an integer from −2⁶³ to 2⁶⁴−1; got 18446744073709551616"
    )
    assert fail([2, 2], seed=-1, rng="xavinit-1").fact == (
        "must be an integer from 0 to 2⁶⁴−1; got -1"
    )


def test_an_rng_is_a_name_or_a_table() -> None:
    def find(rng: Any) -> tuple[str, str]:
        plan = xavinit.make_plan({"rng": rng, "tensors": {"w": [2, 2]}})
        return plan.stream, plan.canonical

    assert find("xavinit-1") == find({"type": "xavinit-1"})
    assert find("xavinit-1")[1] == '{"seed":0,"tensors":{"w":[2,2]}}'
    assert find(RNG) == find({"type": RNG, "cpu": "avx2"}) == find(f"{RNG},cpu=avx2")
    assert find(RNG) == (RNG, f'{{"rng":"{RNG}","seed":0,"tensors":{{"w":[2,2]}}}}')
    assert find({"type": RNG, "cpu": "plain"})[0] == f"{RNG},cpu=plain"


@pytest.mark.parametrize(
    ("rng", "path", "fact"),
    [
        ("torch", ("rng",), f'must be {format_choices(RNGS)}; got "torch"'),
        (3, ("rng",), "must be an rng, or a table with its type; got 3"),
        ({}, ("rng",), 'must have the key "type"'),
        ({"type": RNG, "cpu": "sse"}, ("rng", "cpu"), 'must be avx2 or plain; got "sse"'),
        ({"type": RNG, "gpu": 1}, ("rng", "gpu"), 'torch-2.13 does not take the key "gpu"'),
        ({"type": "xavinit-1", "cpu": "plain"}, ("rng", "cpu"),
         'xavinit-1 does not take the key "cpu"'),
        (f"{RNG},cpu=sse", ("rng",), 'cpu of torch-2.13 must be avx2 or plain; got "sse"'),
        (f"{RNG},cpu", ("rng",), 'must be NAME,KEY=VALUE; got "torch-2.13,cpu"'),
    ],
)  # fmt: skip
def test_bad_rngs(rng: Any, path: Any, fact: str) -> None:
    error = fail([2, 2], rng=rng)
    assert (error.fact, error.path) == (fact, path)


def test_the_argument_replaces_the_specs_rng() -> None:
    spec = {"tensors": {"w": [2, 2]}}
    assert xavinit.make_plan(spec, rng=RNG).stream == RNG
    assert xavinit.make_plan({**spec, "rng": RNG}, rng="xavinit-1").sequence == ()
    with pytest.raises(UsageError, match=r'rng: must be .*torch-2\.13 or xavinit-1; got "t"'):
        xavinit.make_plan(spec, rng="t")


@pytest.mark.parametrize(
    ("table", "path", "fact"),
    [
        ({"shape": [2, 2], "init": "glorot_truncated_normal"}, ("init",),
         "torch-2.13 knows no glorot_truncated_normal: PyTorch scales uniform and normal laws "
         "alone"),
        ({"shape": [2, 2], "dtype": "float8_e5m2"}, (),
         "torch-2.13 draws bfloat16, float16, float32 or float64; got float8_e5m2"),
        ({"shape": [3], "dtype": "float16", "init": {"type": "truncated_normal", "std": 1}},
         ("init",), "torch-2.13 draws truncated_normal in float32 or float64; got float16"),
        ({"shape": [3], "init": {"type": "truncated_normal", "std": 9}}, ("init", "std"),
         "torch-2.13 draws a truncated normal only where more than 30% of the uncut law lies "
         "between a and b; got 17.6%"),
        ({"shape": [3], "init": {"type": "uniform", "a": 2, "b": 1}}, ("init", "a"),
         "a must be at most b; got 2 and 1"),
        ({"shape": [3], "init": {"type": "uniform", "bound": 1, "b": 1}}, ("init",),
         'uniform must have the key "a"'),
        ({"shape": [3, 3], "init": "default"}, ("init",),
         "default is for a layer, whose type tells what its module draws"),
        ({"shape": [2, 2], "stream": "v"}, ("stream",),
         "torch-2.13 is one stream in the spec's order: a tensor cannot draw the numbers of "
         "another name; got stream"),
        ({"shape": [2, 2], "layout": "in_out"}, ("layout",),
         "torch-2.13 takes the fans of the shape as PyTorch does (out, in, then the spatial axes); "
         "got layout"),
        ({"shape": [2, 2], "fused": 2}, ("fused",),
         "torch-2.13 takes the fans of the shape as PyTorch does (out, in, then the spatial axes); "
         "got fused"),
        ({"shape": [3]}, ("shape",),
         "glorot_uniform needs fans: two axes or more beside batch axes; got shape [3]"),
    ],
)  # fmt: skip
def test_what_the_rng_does_not_know_is_refused(table: Any, path: Any, fact: str) -> None:
    error = fail(table)
    assert (error.fact, error.path) == (fact, ("tensors", "w", *path))


@pytest.mark.parametrize(
    ("init", "fact"),
    [
        ({"type": "normal", "std": 1, "mean": 2},
         "normal takes mean under the rng of a framework alone; got 2"),
        ({"type": "truncated_normal", "std": 1, "b": 1},
         "truncated_normal takes b under the rng of a framework alone; got 1"),
        ({"type": "uniform", "a": 0, "b": 1},
         "uniform from a to b is drawn by the rng of a framework alone"),
        ("default", "default is the numbers of a framework's module, which its rng alone draws"),
    ],
)  # fmt: skip
def test_what_only_an_rng_knows(init: Any, fact: str) -> None:
    assert fail({"shape": [3], "init": init}, rng="xavinit-1").fact == fact


def test_a_draw_without_an_rng_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"layers": [{"type": "draw", "count": 3}]})
    assert caught.value.fact == (
        "draw takes from the one stream of an rng; each tensor has its own here"
    )


def test_ties_draw_nothing() -> None:
    spec = {"rng": RNG, "tensors": {"a": [3, 5], "t": {"tied": "a"}, "b": [3, 5]}}
    arrays = xavinit.draw(spec)
    np.testing.assert_array_equal(arrays["t"], arrays["a"])
    without = xavinit.draw({"rng": RNG, "tensors": {"a": [3, 5], "b": [3, 5]}})
    np.testing.assert_array_equal(arrays["b"], without["b"])


def test_a_draw_stands_for_as_many_numbers() -> None:
    layer = {"name": "l", "type": "dense", "in": 3, "out": 5, "bias": False}
    spec = {"rng": RNG, "layers": [{"type": "draw", "count": "2*6"}, layer]}
    other = {"rng": RNG, "tensors": {"x": [2, 6], "l.weight": [5, 3]}}
    np.testing.assert_array_equal(xavinit.draw(spec)["l.weight"], xavinit.draw(other)["l.weight"])


VIEWED = [
    {"name": "d", "type": "dense", "in": 300, "out": 177},
    {"name": "c", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
    {"name": "l", "type": "lstm", "in": 5, "hidden": 4},
    {"name": "g", "type": "gru", "in": 5, "hidden": 7},
    {"name": "m", "type": "multi_head_attention", "size": 24, "heads": 3},
    {"name": "s", "type": "dense", "in": 3, "out": 4},
]


@pytest.mark.parametrize("framework", ["keras", "flax"])
@pytest.mark.parametrize(
    "init", ["glorot_normal", "default", {"type": "truncated_normal", "std": 1}], ids=str
)
def test_other_frameworks_get_views_of_pytorchs_tensors(
    init: Any, framework: str, kernel: str
) -> None:
    gru = {"name": "n", "type": "gru", "in": 5, "hidden": 7, "init": {"type": "normal", "std": 1}}
    if framework == "keras":  # which has a place for both of its biases
        gru["bias_init"] = {"type": "normal", "std": 1}
    layers = [*VIEWED, gru]
    if init == "default":  # which draws biases for which these have no place
        layers = [layer for layer in layers if layer["type"] not in ("lstm", "gru")]
    spec = {"rng": RNG, "defaults": {"init": init}, "layers": layers}
    ours = xavinit.draw(spec)
    plan = xavinit.make_plan(spec, framework=framework)
    for name, array in xavinit.draw(plan, jobs=2).items():
        tensor = plan[name]
        source = ours[tensor.stream].reshape(-1)
        if tensor.view is None:
            expected = source[: array.size]
        else:
            places = np.zeros(1, int)
            for axis in tensor.view.axes:
                places = np.add.outer(places, np.asarray(axis)).ravel()
            expected = np.append(source[places], np.zeros(tensor.view.zeros, source.dtype))
        np.testing.assert_array_equal(array.reshape(-1), expected, name)


@pytest.mark.parametrize("framework", ["keras", "flax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_view_of_a_large_truncated_normal_draws_what_it_reads(
    framework: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the whole tensor at once: a piece begins with the states of all rounds."""
    pytest.importorskip("xavinit.streams._kernel")
    from xavinit.streams import torch213, torch_cut, torch_views

    monkeypatch.setenv("XAVINIT_KERNEL", "native")
    monkeypatch.setattr(torch213, "VIEWED_BYTES", 1)  # pieces are as small as they can be
    init = {"type": "truncated_normal", "std": 1.2}
    layers = [
        {"name": "d", "type": "dense", "in": 601, "out": 507},
        {"name": "l", "type": "lstm", "in": 301, "hidden": 303},
    ]
    spec = {"rng": RNG, "defaults": {"init": init, "dtype": dtype}, "layers": layers}
    ours = xavinit.draw(spec)
    drawn: list[int] = []
    fill_rounds = torch_cut.fill_rounds

    def note(values: Any, states: Any, out: Any, *rest: Any) -> None:
        drawn.append(len(out))
        fill_rounds(values, states, out, *rest)

    monkeypatch.setattr(torch_views, "fill_rounds", note)
    monkeypatch.setattr(torch_cut, "fill_at_once", None)
    plan = xavinit.make_plan(spec, framework=framework)
    arrays = xavinit.draw(plan, jobs=2)
    for name, array in arrays.items():
        source, view = ours[plan[name].stream].reshape(-1), plan[name].view
        places: Any = np.arange(array.size) if view is None else np.zeros(1, int)
        for axis in () if view is None else view.axes:
            places = np.add.outer(places, np.asarray(axis)).ravel()
        np.testing.assert_array_equal(array.reshape(-1), source[places], name)
    largest = max(tensor.nbytes for tensor in plan.tensors)
    assert 0 < max(drawn) <= PIECE + 16 * 8 < largest


@pytest.mark.parametrize("framework", ["keras", "flax"])
def test_a_drawn_bias_without_a_place_is_refused(framework: str) -> None:
    """Keras and Flax add one bias to an LSTM's gates, PyTorch two: one would be lost."""
    layer = {"name": "l", "type": "lstm", "in": 5, "hidden": 4}
    spec = {"rng": RNG, "defaults": {"init": "default"}, "layers": [layer]}
    with pytest.raises(SpecError, match=f'draws all of "l.bias_hh_l0", for which {framework} has'):
        xavinit.make_plan(spec, framework=framework)
    assert xavinit.make_plan(spec)["l.bias_hh_l0"].law is not None


@pytest.mark.parametrize("hidden", [1, 4, 6, 15, 16, 17])
@pytest.mark.parametrize("framework", ["keras", "flax"])
def test_the_first_gates_of_normals_are_drawn(hidden: int, framework: str, kernel: str) -> None:
    """A gate at the beginning of its tensor needs no view; normals come in blocks of 16."""
    layer = {"name": "l", "type": "lstm", "in": 5, "hidden": hidden, "bias_init": "zeros"}
    spec = {"rng": RNG, "defaults": {"init": "he_normal"}, "layers": [layer]}
    ours = xavinit.draw(spec)["l.weight_ih_l0"]
    named = "l/lstm_cell/kernel" if framework == "keras" else None
    theirs = xavinit.draw(spec, framework=framework)
    kernels = [array for name, array in theirs.items() if name == named or "ii" in name]
    assert kernels[0].T[0].tobytes() == ours[0].tobytes()


def test_a_draw_has_a_limit() -> None:
    spec = {"rng": RNG, "layers": [{"type": "draw", "count": 10**12}]}
    with pytest.raises(SpecError, match=r"count must be at most 4,294,967,296 words"):
        xavinit.make_plan(spec)


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "set"])
def test_a_file_is_verified_in_the_order_drawn(tmp_path: Path, name: str) -> None:
    spec = {
        "rng": RNG,
        "seed": 5,
        "tensors": {"b": [300, 401], "a": {"shape": [77], "init": {"type": "normal", "std": 1}}},
    }
    options: dict[str, Any] = {"max_shard_size": 400_000} if name == "set" else {}
    xavinit.generate(spec, tmp_path / name, **options)
    for jobs in (1, 3):
        assert xavinit.verify(tmp_path / name, spec, jobs=jobs)
        assert xavinit.verify(tmp_path / name, jobs=jobs)
    plain = {key: value for key, value in spec.items() if key != "rng"}
    tensors = xavinit.verify(tmp_path / name, plain | {"tensors": spec["tensors"]}, rng=RNG)
    assert tensors.is_same
    assert not xavinit.verify(tmp_path / name, spec, seed=6)


# --- The plan ------------------------------------------------------------------------------------


def test_a_plan_tells_where_each_tensor_begins() -> None:
    plan = xavinit.make_plan(SPEC)
    places = plan.words
    assert (places["z"], places["few"]) == (0, 1001 * 701)
    assert places["m"] == 1001 * 701 + 4 * 4
    assert places["cut"] == places["m"] + 2 * (603 * 501 + 16)
    assert places["b"] is None
    lines = list(format_plan(plan))
    assert lines[0].endswith("WORD")
    assert lines[2].endswith("701,701")
    told = xavinit.explain(SPEC, "few")
    assert (told.rng, told.word) == (RNG, 701_701)


def test_fans_are_those_of_the_whole_shape() -> None:
    layers = [{"name": "l", "type": "lstm", "in": 3, "hidden": 5}]
    plan = xavinit.make_plan({"rng": RNG, "layers": layers})
    assert plan["l.weight_ih_l0"].fans == (3, 20)
    told = xavinit.explain({"rng": RNG, "layers": layers}, "l.weight_ih_l0")
    assert told.fan_out is not None
    assert told.fan_out.blocks == 1


def test_an_explanation_tells_what_a_module_keeps() -> None:
    layers = [{"name": "a", "type": "dense", "in": 3, "out": 2, "init": "default"}]
    told = xavinit.explain({"rng": RNG, "layers": layers}, "a.bias")
    assert (told.note, told.word) == ("left as PyTorch's module makes it", 6)
