"""The Python verbs: what they return, how they agree with each other and with files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.errors import SpecError, UsageError

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"a": [4, 6], "b": {"shape": [5], "init": "ones"}}}


def test_generate_keeps_the_specs_order_and_shapes() -> None:
    arrays = xavinit.draw(SPEC)
    assert {name: array.shape for name, array in arrays.items()} == {"a": (4, 6), "b": (5,)}
    assert list(arrays) == ["a", "b"]
    assert all(array.flags.writeable and array.flags.c_contiguous for array in arrays.values())


def test_a_tensor_is_the_same_in_any_company() -> None:
    alone = xavinit.draw({"seed": 3, "tensors": {"a": [4, 6]}})["a"]
    assert np.array_equal(alone, xavinit.draw(SPEC)["a"])


def test_seed_and_name_choose_the_numbers() -> None:
    def draw(seed: int, name: str) -> bytes:
        return xavinit.draw({"seed": seed, "tensors": {name: [4, 6]}})[name].tobytes()

    assert len({draw(0, "a"), draw(1, "a"), draw(0, "b"), draw(2**64 - 1, "a")}) == 4
    renamed = {"seed": 0, "tensors": {"b": {"shape": [4, 6], "stream": "a"}}}
    assert xavinit.draw(renamed)["b"].tobytes() == draw(0, "a")


def test_overrides_are_those_of_the_spec_itself() -> None:
    spec = {"dims": {"d": 2}, "tensors": {"w": ["d", "3*d"]}}
    said = {
        "seed": 9,
        "framework": "flax",
        "dims": {"d": 5},
        "defaults": {"dtype": "float64"},
        "tensors": spec["tensors"],
    }
    plan = xavinit.make_plan(spec, seed=9, dtype="float64", framework="flax", dims={"d": 5})
    assert plan == xavinit.make_plan(said)
    assert plan.tensors[0].shape == (5, 15)


def test_a_plan_made_already_is_taken() -> None:
    plan = xavinit.make_plan(SPEC)
    assert np.array_equal(xavinit.draw(plan)["a"], xavinit.draw(SPEC)["a"])
    with pytest.raises(UsageError, match="a plan is made already"):
        xavinit.draw(plan, seed=4)


@pytest.mark.parametrize("init", ["glorot_uniform", "glorot_normal"])
def test_a_single_tensor_is_that_of_a_spec(init: str) -> None:
    draw = getattr(xavinit, init)
    keys = {"dtype": "float16", "layout": "in_out", "batch_axis": 0, "fused": 2}
    spec = {
        "seed": 8,
        "tensors": {
            "h.{{0}}": {"shape": [3, 5, 4], "init": {"type": init, "gain": "tanh"}, **keys}
        },
    }
    array = draw((3, 5, 4), seed=8, name="h.{0}", gain="tanh", **keys)
    assert np.array_equal(array, xavinit.draw(spec)["h.{0}"])
    by_axes = draw((3, 5, 4), in_axis=1, out_axis=-1, batch_axis=[0])
    assert np.array_equal(by_axes, draw((3, 5, 4), layout="in_out", batch_axis=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (3,)}, r'tensors\["weight"\].shape: glorot_uniform needs fans'),
        ({"shape": (3, -1)}, "must be a positive integer or zero; got -1"),
        ({"shape": (3, 4), "gain": 0}, "must be a positive finite number"),
        ({"shape": (3, 4), "gain": float("nan")}, "must be a positive finite number"),
        ({"shape": (3, 4), "dtype": "float33"}, 'got "float33"'),
        ({"shape": (3, 4), "layout": "io"}, "must be in_out or out_in"),
        ({"shape": (3, 4), "in_axis": 0}, "in_axis and out_axis go together"),
        ({"shape": (3, 4), "seed": -1}, "must be an integer from 0 to 2⁶⁴−1"),
        ({"shape": (3, 4), "dtype": "int32"}, "int32 takes constants only"),
    ],
)
def test_a_single_tensor_refuses_what_a_spec_would(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        xavinit.glorot_uniform(**arguments)


def test_errors_are_value_errors_too() -> None:
    with pytest.raises(ValueError, match="must be a mapping"):
        xavinit.draw({"tensors": []})
    with pytest.raises(ValueError, match="jobs must be an integer of at least 1"):
        xavinit.draw(SPEC, jobs=0)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = xavinit.nonsense


def test_all_public_names_are_there_and_documented() -> None:
    for name in xavinit.__all__:
        assert getattr(xavinit, name).__doc__, name
    assert set(xavinit.__all__) <= set(dir(xavinit))


sizes = st.integers(0, 9)
random_inits = st.sampled_from(["glorot_uniform", "he_normal", "lecun_truncated_normal"])
specs = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**64 - 1),
        "tensors": st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_.]{0,9}", fullmatch=True),
            st.fixed_dictionaries(
                {
                    "shape": st.lists(sizes, min_size=2, max_size=3),
                    "init": random_inits,
                    "dtype": st.sampled_from(["float64", "float32", "float16", "bfloat16"]),
                }
            ),
            min_size=1,
            max_size=5,
        ),
    }
)


@settings(max_examples=30, deadline=None)
@given(spec=specs, order=st.randoms(use_true_random=False))
def test_syntax_and_order_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory, spec: dict[str, Any], order: Any
) -> None:
    import yaml

    folder: Path = tmp_path_factory.mktemp("spec")
    (folder / "s.json").write_text(json.dumps(spec))
    (folder / "s.yaml").write_text(yaml.safe_dump(spec))
    names = list(spec["tensors"])
    order.shuffle(names)
    shuffled = {"tensors": {name: spec["tensors"][name] for name in names}, "seed": spec["seed"]}
    contents = set()
    for index, source in enumerate((folder / "s.json", folder / "s.yaml", spec, shuffled)):
        xavinit.generate(source, folder / f"{index}.safetensors", jobs=1 + index)
        contents.add((folder / f"{index}.safetensors").read_bytes())
    assert len(contents) == 1


def test_messages_show_odd_names_on_one_line() -> None:
    with pytest.raises(SpecError, match=r'^spec: tensors\["a\\nb\\x1b"\]\.shape\[0\]: must be'):
        xavinit.make_plan({"tensors": {"a\nb\x1b": {"shape": [-1]}}})


def test_numpy_scalars_are_numbers() -> None:
    spec = {
        "seed": np.int64(3),
        "tensors": {
            "w": {"shape": (np.int32(4), 6), "init": {"type": "normal", "std": np.float64(0.5)}}
        },
    }
    plain = {"seed": 3, "tensors": {"w": {"shape": [4, 6], "init": {"type": "normal", "std": 0.5}}}}
    assert xavinit.make_plan(spec) == xavinit.make_plan(plain)
    assert xavinit.make_plan(SPEC, seed=np.int64(9)) == xavinit.make_plan(SPEC, seed=9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: xavinit.draw(None), "a spec must be a path or a mapping; got null"),
        (lambda: xavinit.draw(5), "a spec must be a path or a mapping; got 5"),
        (lambda: xavinit.draw(SPEC, jobs="2"), "jobs must be an integer of at least 1; got 2"),
        (lambda: xavinit.draw(SPEC, jobs=2.5), "jobs must be an integer of at least 1"),
        (lambda: xavinit.draw(SPEC, dims=5), "dims must be a mapping; got 5"),
        (lambda: xavinit.draw(SPEC, dtype=5), "dtype must be a string"),
        (lambda: xavinit.draw(SPEC, framework=5), "framework must be a string; got 5"),
        (lambda: xavinit.draw(SPEC, seed=1.5), "seed: must be an integer from 0"),
        (
            lambda: xavinit.generate(SPEC, None),
            "the output of a spec that is not a file has no name of its own: give it one",
        ),
        (
            lambda: xavinit.generate(SPEC, "w.h5", format=["npy"]),
            "format must be hdf5, keras, npy or",
        ),
        (lambda: xavinit.glorot_uniform(5), "shape must be a sequence of integers; got 5"),
        (lambda: xavinit.glorot_uniform({2, 3}), "shape must be a sequence of integers"),
        (lambda: xavinit.glorot_uniform((2, 3), name=5), "name must be a string; got 5"),
        (lambda: xavinit.digest({"w": [1, 2]}), "must be an array of a known dtype; got list"),
        (lambda: xavinit.digest({"w": np.array([{}])}), "a known dtype; got object for w"),
    ],
)
def test_arguments_of_a_wrong_kind_are_usage_errors(call: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_a_path_that_no_system_takes(tmp_path: Path) -> None:
    with pytest.raises(xavinit.OutputError, match="embedded null"):
        xavinit.generate(SPEC, "a\0.h5")
    xavinit.generate(SPEC, str(tmp_path / "w.h5").encode())
    assert (tmp_path / "w.h5").exists()


def test_a_handle_that_no_system_takes() -> None:
    with pytest.raises(xavinit.OutputError, match="cannot write /dev/fd/"):
        xavinit.generate(SPEC, "/dev/fd/" + "9" * 30)


def test_an_empty_shape_that_numpy_has_no_arrays_of() -> None:
    """NumPy counts the elements beside an empty axis; a file takes the shape."""
    spec = {"tensors": {"w": [2**40, 2**40, 4, 0]}}
    with pytest.raises(SpecError, match=r"a shape must be one that NumPy has arrays of; got \["):
        xavinit.draw(spec)
    assert xavinit.generate(spec, io.BytesIO()).nbytes == 0


def test_a_layout_and_axes_exclude_each_other() -> None:
    with pytest.raises(SpecError, match="must have either layout or in_axis and out_axis"):
        xavinit.glorot_uniform((3, 4), layout="in_out", in_axis=0, out_axis=1)


def test_a_message_cannot_fake_a_hint() -> None:
    name = "x\n  hint: run this"
    with pytest.raises(xavinit.InputError) as caught:
        xavinit.make_plan(name)
    assert str(caught.value).count("\n") == 0


def test_values_that_python_does_not_show_are_still_told(tmp_path: Path) -> None:
    """PYTHONINTMAXSTRDIGITS forbids the text of a long integer within a list."""
    script = (
        "import xavinit\n"
        "try:\n    xavinit.make_plan({'tensors': {'w': [{'a': 10**900}, 3]}})\n"
        "except xavinit.SpecError as error:\n    print(error.fact)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONINTMAXSTRDIGITS": "640"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "must be an integer or an expression; got a dict\n"


# --- In Python --------------------------------------------------------------------------------

FAMILIES = {"glorot": "fan_avg", "xavier": "fan_avg", "he": "fan_in", "lecun": "fan_in"}


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_initializer_alone_is_that_of_a_spec(family: str, distribution: str) -> None:
    name = f"{family}_{distribution}"
    table = {"shape": [6, 4], "init": name, "layout": "in_out"}
    expected = xavinit.draw({"seed": 3, "tensors": {"a{{b": table}})["a{b"]
    made = getattr(xavinit, name)((6, 4), seed=3, name="a{b", layout="in_out")
    np.testing.assert_array_equal(made, expected)
    with pytest.raises(UsageError, match=f"{name} takes no argument"):
        getattr(xavinit, name)((6, 4), sedd=3)


def test_numpys_dtypes_and_shapes_are_taken() -> None:
    for dtype in (np.float16, np.dtype("float16"), "float16"):
        assert xavinit.glorot_uniform((3, 4), dtype=dtype).dtype == np.float16
        assert xavinit.draw({"tensors": {"w": [3, 4]}}, dtype=dtype)["w"].dtype == np.float16
    shape = np.array([3, 4])
    spec = {"tensors": {"w": {"shape": shape, "dtype": np.float64}, "v": (np.int64(2), 3)}}
    made = xavinit.draw(spec)
    assert (made["w"].shape, made["w"].dtype, made["v"].shape) == ((3, 4), np.float64, (2, 3))
    with pytest.raises(UsageError, match="dtype must be a string; got"):
        xavinit.make_plan(spec, dtype=object)


def test_a_plan_shows_itself_and_its_tensors() -> None:
    plan = xavinit.make_plan({"seed": 7, "tensors": {"a<b>": [128, 784], "c": [2, 2]}})
    assert repr(plan) == "<Plan: 2 tensors, 100,356 parameters, 401 kB, seed 7>"
    assert plan["c"] is plan.tensors[1]
    with pytest.raises(KeyError, match="d"):
        plan["d"]
    shown = plan._repr_html_()
    assert "<td>a&lt;b&gt;</td><td>128×784</td><td>float32</td><td>784</td><td>128</td>" in shown
    many = xavinit.make_plan({"tensors": {"w.{1000}": [2, 2]}})._repr_html_()
    assert many.count("<tr>") == 202
    assert "… and 800 more" in many


def test_only_public_names_are_listed() -> None:
    bridges = {"dask", "flax", "keras", "torch"}
    assert set(dir(xavinit)) == {*xavinit.__all__, *bridges, "__version__"}
    for name in xavinit.__all__:
        assert getattr(xavinit, name) is not None


def test_the_consumers_program_runs(tmp_path: Path) -> None:
    """`make lint` checks its types."""
    program = Path(__file__).parent / "consumer" / "consumer.py"
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("<Plan: 1 tensor, 100,352 parameters, 401 kB, seed 42> ±0.08")
    assert "must be a positive integer or zero; got -1" in done.stdout
