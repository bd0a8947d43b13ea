"""`diff`: what it finds is what NumPy finds, whatever the formats, frameworks and threads."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import xavinit
from xavinit.cli import cli
from xavinit.dtypes import STORED_DTYPES
from xavinit.reading import Tally, Tolerance
from xavinit.reading.measuring import tally_arrays

Array = np.ndarray[Any, Any]

# A layer of every type, with the sizes in which axes are told apart.
LAYERS = [
    {"name": "conv", "type": "conv2d", "in": 3, "out": 4, "kernel": [2, 5]},
    {"name": "one", "type": "conv2d", "in": 1, "out": 4, "kernel": 1},
    {"name": "line", "type": "conv1d", "in": 4, "out": 6, "kernel": 3, "groups": 2},
    {"name": "depth", "type": "depthwise_conv2d", "in": 4, "kernel": [2, 3], "multiplier": 2},
    {"name": "up", "type": "conv_transpose2d", "in": 3, "out": 2, "kernel": [2, 3]},
    {"name": "flat", "type": "dense", "in": [4, 2, 3], "out": 5},
    {"name": "words", "type": "embedding", "in": 7, "out": 3},
    {"name": "norm", "type": "batch_norm", "size": 4},
    {"name": "lstm", "type": "lstm", "in": 3, "hidden": 2, "num_layers": 2, "bidirectional": True},
    {"name": "gru", "type": "gru", "in": 3, "hidden": 2},
    {"name": "heads", "type": "multi_head_attention", "size": 6, "heads": 2},
]
SPEC = {
    "seed": 3,
    "layers": LAYERS,
    "rules": [{"match": "*bias*", "init": {"type": "normal", "std": 1}}],
}
FILES = {"pytorch": "p.safetensors", "keras": "k.weights.h5", "flax": "f.safetensors"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One spec in the form of each framework."""
    path = tmp_path_factory.mktemp("diff")
    for framework, file in FILES.items():
        xavinit.generate(SPEC, path / file, framework=framework)
    return path


def run(*arguments: object) -> tuple[int, list[str]]:
    done = CliRunner().invoke(cli, ["diff", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit | xavinit.UsageError)
    return done.exit_code, done.output.splitlines()


def change(path: Path, to: Path, **changes: Array | None) -> None:
    """A copy of a safetensors file, metadata and all, with some tensors put in or left out."""
    tensors: dict[str, Array | None] = {**load_file(path), **changes}
    with safe_open(path, "np") as file:
        kept = {name: np.ascontiguousarray(t) for name, t in tensors.items() if t is not None}
        save_file(kept, to, file.metadata())


# --- Numbers -----------------------------------------------------------------------------------


def draw(dtype: str, rng: np.random.Generator, size: int = 200) -> Array:
    """Numbers of a dtype, those that are not finite among them where it has such."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    if dtype == "bool":
        return rng.integers(0, 2, size).astype(bool)
    if STORED_DTYPES[dtype].kind == "integer":
        limits = np.iinfo(kind)
        return rng.integers(limits.min, limits.max, size, kind, endpoint=True)
    numbers = rng.normal(size=size)
    if STORED_DTYPES[dtype].kind == "complex":
        return (numbers + 1j * rng.normal(size=size)).astype(kind)
    numbers[::7] = 0
    numbers[3::50] = math.nan
    numbers[5::50] = math.inf
    with np.errstate(all="ignore"):
        return abs(numbers).astype(kind) if "e8m0" in dtype else numbers.astype(kind)


WHOLE = [name for name, dtype in STORED_DTYPES.items() if dtype.itemsize]


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("tolerance", [(0.0, 0.0), (0.3, 0.1)])
def test_it_finds_what_numpy_finds(dtype: str, tolerance: tuple[float, float]) -> None:
    if dtype != "bool" and not hasattr(ml_dtypes, dtype) and not hasattr(np, dtype):
        pytest.skip("this ml_dtypes is older")
    rng = np.random.default_rng(7)
    b = draw(dtype, rng)
    a = np.where(rng.random(200) < 0.5, b, draw(dtype, rng)).astype(b.dtype).reshape(10, 20)
    b = b.reshape(10, 20)
    (found,) = xavinit.diff({"w": a}, {"w": b}, atol=tolerance[0], rtol=tolerance[1]).tensors
    wide = object if STORED_DTYPES[dtype].kind in ("integer", "bool") else np.complex128
    if wide is object:  # Python's integers are exact
        x, y = a.astype(int).astype(object), b.astype(int).astype(object)
        if dtype == "uint64":
            x, y = a.astype(object), b.astype(object)
        far = abs(x - y)
        same, finite = far == 0, np.ones(far.shape, bool)
        near = (far.astype(float) <= tolerance[0] + tolerance[1] * abs(y).astype(float)) | same
    else:
        x, y = a.astype(wide), b.astype(wide)
        with np.errstate(all="ignore"):
            far = abs(x - y)
            same = (x == y) | (np.isnan(x) & np.isnan(y))
            near = np.isclose(x, y, tolerance[1], tolerance[0], equal_nan=True)
        finite = np.isfinite(x) & np.isfinite(y)
    assert found.unequal == (~same).sum() > 0
    assert found.different == (~near).sum()
    assert found.nonfinite == (~near & ~finite).sum()
    assert found.absolute is not None
    masked = np.where(finite & ~same, far, 0)
    assert found.absolute.amount == masked.max()
    assert found.absolute.index == np.unravel_index(masked.argmax(), a.shape)
    if (~near).any():
        assert found.first is not None
        assert found.first.index == tuple(np.argwhere(~near)[0])
    assert found.relative is not None
    parts = finite & ~same & (y != 0)
    shares = far[parts].astype(float) / abs(y[parts].astype(complex))
    assert found.relative.amount == pytest.approx(shares.max(), rel=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn"])
def test_ulps_are_steps_to_the_next_number(dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    b = np.array([1, 1.5, 2, 0.01, 0, -1], kind)
    up = np.nextafter(b, np.array(100, kind))  # 3 steps away from b, but for the last: inwards
    for _ in range(2):
        up = np.nextafter(up, np.array(100, kind))
    found = [xavinit.diff({"w": up[i : i + 1]}, {"w": b[i : i + 1]}).tensors[0] for i in range(5)]
    assert [one.ulps.amount for one in found if one.ulps] == [3.0] * 5
    inwards = xavinit.diff({"w": up[5:]}, {"w": b[5:]}).tensors[0]
    assert inwards.ulps is not None
    assert inwards.ulps.amount == 1.5  # below a power of two steps are half as wide


def test_a_rounded_copy_is_half_an_ulp_away() -> None:
    b = np.random.default_rng(1).normal(size=10_000).astype(np.float32)
    a = b.astype(ml_dtypes.bfloat16)
    found = xavinit.diff({"w": b}, {"w": a}, ignore_dtype=True, rtol=2**-8)
    assert found.is_same
    assert found.tensors[0].ulps is not None
    assert 0.49 < found.tensors[0].ulps.amount <= 0.5
    assert not xavinit.diff({"w": b}, {"w": a}, ignore_dtype=True).is_same
    assert not xavinit.diff({"w": b}, {"w": a}, rtol=2**-8).is_same


def test_nan_zeros_and_infinities() -> None:
    nan, inf = math.nan, math.inf
    same = {"w": np.array([nan, 0.0, -0.0, inf, -inf])}
    found = xavinit.diff(same, {"w": np.array([nan, -0.0, 0.0, inf, -inf])})
    assert found.is_same
    assert found.tensors[0].unequal == 0
    other = {"w": np.array([0.0, nan, 0.0, -inf, 1.0])}
    (tensor,) = xavinit.diff(same, other, atol=1e300, rtol=1).tensors
    assert (tensor.different, tensor.nonfinite) == (4, 4)
    assert tensor.absolute is None
    assert tensor.first is not None
    assert (tensor.first.index, tensor.first.b, tensor.first.amount) == ((0,), 0.0, None)


def test_integers_beyond_those_of_floats() -> None:
    a = {"w": np.array([2**64 - 1, 5], np.uint64), "v": np.array([-(2**63)])}
    b = {"w": np.array([2**64 - 2, 5], np.uint64), "v": np.array([2**63], np.uint64)}
    w, v = sorted(xavinit.diff(a, b).tensors, key=lambda tensor: tensor.name, reverse=True)
    assert w.absolute is not None
    assert (w.different, w.absolute.amount, w.absolute.b) == (1, 1, 2**64 - 2)
    assert v.absolute is not None
    assert v.absolute.amount == 2**64
    assert w.ulps is None


def test_what_is_over_the_largest_float() -> None:
    (tensor,) = xavinit.diff({"w": np.array([1.7e308])}, {"w": np.array([-1.7e308])}).tensors
    assert tensor.absolute is not None
    assert tensor.absolute.amount == np.finfo(float).max
    json.dumps(tensor.absolute.amount, allow_nan=False)


@pytest.mark.parametrize(
    "name", [name for name, dtype in STORED_DTYPES.items() if dtype.is_float and dtype.bits <= 8]
)
def test_each_code_of_a_small_float_is_its_number(name: str) -> None:
    from xavinit.reading.decoding import decode

    kind = getattr(ml_dtypes, name, None)
    if kind is None:
        pytest.skip("this ml_dtypes is older")
    dtype = STORED_DTYPES[name]
    codes = np.arange(1 << dtype.bits, dtype=np.uint8)
    bits = np.unpackbits(codes[:, None], axis=1, bitorder="little")[:, : dtype.bits]
    found = decode(np.packbits(bits, bitorder="little").tobytes(), dtype, len(codes))
    wanted = codes.view(kind).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(wanted)[numbers])


# --- Frameworks --------------------------------------------------------------------------------


@pytest.mark.parametrize("a", FILES)
@pytest.mark.parametrize("b", FILES)
def test_files_of_one_spec_are_equal_in_any_framework(folder: Path, a: str, b: str) -> None:
    code, lines = run(folder / FILES[a], folder / FILES[b])
    assert code == 0
    (line,) = lines
    assert line.startswith("equal: ")
    assert line.endswith(", paired by the spec that both carry") is (a != b)
    found = xavinit.diff(folder / FILES[a], folder / FILES[b])
    assert (found.paired_by, found.same_spec) == ("names" if a == b else "spec", True)
    assert found.parameters >= 800


def test_each_changed_element_is_found_across_frameworks(folder: Path, tmp_path: Path) -> None:
    """The first and the last of each of Flax's tensors, of which few lie as PyTorch's do."""
    weights = load_file(folder / "f.safetensors")
    for array in weights.values():
        array.reshape(-1)[[0, -1]] += 1
    change(folder / "f.safetensors", tmp_path / "c.safetensors", **weights)
    for other in ("p.safetensors", "k.weights.h5"):
        found = xavinit.diff(tmp_path / "c.safetensors", folder / other)
        held = [one for tensor in found.different for one in tensor.a]
        assert sorted(one.name for one in held) == sorted(weights)
        for tensor in found.different:
            changed = sum(min(2, math.prod(one.shape)) for one in tensor.a)
            assert tensor.different == changed
            assert tensor.absolute is not None
            assert tensor.absolute.amount == pytest.approx(1, abs=1e-6)


def test_an_index_is_that_of_pytorch(folder: Path, tmp_path: Path) -> None:
    kernel = load_file(folder / "f.safetensors")["params.conv.kernel"].copy()
    kernel[1, 4, 2, 3] += 1  # row, column, in, out
    change(folder / "f.safetensors", tmp_path / "c.safetensors", **{"params.conv.kernel": kernel})
    (tensor,) = xavinit.diff(tmp_path / "c.safetensors", folder / "p.safetensors").different
    assert tensor.name == "conv.weight"
    assert tensor.first is not None
    assert tensor.first.index == (3, 2, 1, 4)


@pytest.mark.parametrize("keeps_shape", [True, False])
def test_a_kernel_left_untransposed_is_named(
    folder: Path, tmp_path: Path, keeps_shape: bool
) -> None:
    torch = load_file(folder / "p.safetensors")["conv.weight"]
    kernel = torch.reshape(2, 5, 3, 4) if keeps_shape else torch
    change(folder / "f.safetensors", tmp_path / "c.safetensors", **{"params.conv.kernel": kernel})
    for other in ("p.safetensors", "k.weights.h5", "f.safetensors"):
        code, lines = run(tmp_path / "c.safetensors", folder / other)
        assert (code, len(lines)) == (5, 2)
        by_names = "params.conv.kernel: "
        assert lines[0].startswith(
            by_names if other[0] == "f" else "conv.weight (params.conv.kernel in A"
        )
        assert lines[0].endswith(
            "the values in A still lie in PyTorch's axis order: the transposition to flax's order "
            "(2, 3, 1, 0) was left out"
        )
        told = "shape [4, 3, 2, 5] in A, "
        assert (told in lines[0]) is not keeps_shape


def test_a_file_with_a_spec_and_one_with_the_frameworks_own_names(
    folder: Path, tmp_path: Path
) -> None:
    save_file(load_file(folder / "p.safetensors"), tmp_path / "plain.safetensors")
    for other in ("k.weights.h5", "f.safetensors"):
        found = xavinit.diff(tmp_path / "plain.safetensors", folder / other)
        assert (found.is_same, found.paired_by, found.same_spec) == (True, "spec", False)
    found = xavinit.diff(tmp_path / "plain.safetensors", folder / "p.safetensors")
    assert (found.is_same, found.paired_by) == (True, "names")


def test_what_a_framework_does_not_have_must_be_zero(folder: Path, tmp_path: Path) -> None:
    """Keras's lstm has one bias, PyTorch's a second one; a counter is nobody's weight."""
    weights = load_file(folder / "p.safetensors")
    changes: dict[str, Array | None] = {"norm.num_batches_tracked": np.array(9)}
    change(folder / "p.safetensors", tmp_path / "n.safetensors", **changes)
    assert xavinit.diff(tmp_path / "n.safetensors", folder / "k.weights.h5").is_same
    changes = {"gru.bias_hh_l0": weights["gru.bias_hh_l0"] + 1}
    change(folder / "p.safetensors", tmp_path / "b.safetensors", **changes)
    (tensor,) = xavinit.diff(tmp_path / "b.safetensors", folder / "k.weights.h5").different
    assert (tensor.name, tensor.b) == ("gru.bias_hh_l0", ())


def test_a_whole_of_which_one_piece_is_a_part(tmp_path: Path) -> None:
    """The rest is zero; that the piece lies at its start and is transposed changes nothing."""
    from xavinit.dtypes import DTYPES
    from xavinit.formats import Portion, Reader, assemble, load_index
    from xavinit.layers import View

    np.save(tmp_path / "w.npy", np.arange(1, 7, dtype=np.float32).reshape(2, 3))
    (stored,) = load_index(str(tmp_path / "w.npy")).tensors
    transposed = View((range(2), range(0, 6, 2)))
    whole = assemble("w", (5, 2), [Portion(stored, transposed)])
    assert (whole.size, whole.dtype) == (10, DTYPES["float32"])
    with Reader() as reader:
        found = np.frombuffer(reader.read(whole, 0, 10), np.float32)
        assert found.tolist() == [1, 4, 2, 5, 3, 6, 0, 0, 0, 0]
        assert np.frombuffer(reader.read(whole, 3, 7), np.float32).tolist() == [5, 3, 6, 0]


def test_a_part_that_is_missing_is_told(folder: Path, tmp_path: Path) -> None:
    name = "params.heads.query.kernel"
    change(folder / "f.safetensors", tmp_path / "c.safetensors", **{name: None})
    code, lines = run(tmp_path / "c.safetensors", folder / "p.safetensors")
    assert code == 5
    assert lines[0] == (
        "heads.in_proj_weight (params.heads.key.kernel and 1 more in A): A has 2 of the 3 tensors "
        "that it is made of"
    )


# --- Pairing by names and maps -----------------------------------------------------------------


def test_tensors_in_one_alone_shapes_and_dtypes() -> None:
    ones = np.ones
    a = {"x": ones(2), "s": ones((2, 3)), "d": ones(3, np.float32), "e": ones(1)}
    b = {"y": ones(3), "s": ones((3, 4)), "d": ones(3, np.float16), "e": ones(1)}
    found = xavinit.diff(a, b)
    assert [t.name for t in found.only_in_a] == ["x"]
    assert [t.name for t in found.only_in_b] == ["y"]
    assert [t.name for t in found.different] == ["d", "s"]
    assert found.different[1].fault == "shape [2, 3] in A, [3, 4] in B"
    assert xavinit.diff(a, b, match="e").is_same
    with pytest.raises(xavinit.UsageError, match='no tensor matches "z"'):
        xavinit.diff(a, b, match="z")


def test_lines_are_sorted_and_at_most_so_many(tmp_path: Path) -> None:
    a = {f"t{i}": np.array([i, 1.0], np.float32) for i in range(5)}
    b = {f"t{i}": np.array([i, 1.5], np.float32) for i in range(1, 5)} | {"s": np.zeros((2, 1))}
    save_file(a, tmp_path / "a.safetensors")
    save_file(b, tmp_path / "b.safetensors")
    code, lines = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--most", "3")
    told = "1 of 2 differs; at most absolute 0.5 at [1], relative 0.3333 at [1], ulp 4.194e+06 at "
    assert code == 5
    assert lines == [
        "s: only in B, [2, 1] float64",
        "t0: only in A, [2] float32",
        f"t1: {told}[1]; at [1] 1 in A, 1.5 in B",
        "and 3 more",
        "different: 4 of 4 tensors, 1 only in A, 1 only in B "
        f"(A is {tmp_path}/a.safetensors, B is {tmp_path}/b.safetensors)",
    ]
    code, lines = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "-q")
    assert (code, lines) == (5, [])


def test_a_tolerance_that_is_used_is_told(tmp_path: Path) -> None:
    save_file({"w": np.array([1.0]), "v": np.zeros(3)}, tmp_path / "a.safetensors")
    save_file({"w": np.array([1.25]), "v": np.zeros(3)}, tmp_path / "b.safetensors")
    code, lines = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--rtol", "0.2")
    assert code == 0
    assert lines == [
        "equal: 2 tensors, 4 parameters, within the tolerance: 1 tensor by at most 0.25"
    ]


def test_maps_rename_and_transpose() -> None:
    rng = np.random.default_rng(0)
    a = {f"h.{i}.{n}": rng.normal(size=s) for i in range(12) for n, s in (("w", (2, 3)), ("b", 3))}
    a["conv"] = rng.normal(size=(4, 3, 2, 5))
    b = {f"layers/{i}/kernel": a[f"h.{i}.w"].T for i in range(12)}
    b |= {f"layers/{i}/bias": a[f"h.{i}.b"] for i in range(12)}
    b["conv"] = a["conv"].transpose(2, 3, 1, 0)
    maps = ["h.{n}.{w,b}=layers/{n}/{kernel,bias}", "h.{n}.w=layers/{n}/kernel:T"]
    found = xavinit.diff(a, b, map=[*maps, "conv=conv:3,2,0,1"])
    assert (found.is_same, found.paired_by, len(found.tensors)) == (True, "maps", 25)
    (tensor,) = xavinit.diff(a, b, map=maps).different
    assert tensor.note == (
        "the values are those of A's other axis order (2, 3, 1, 0): a transposition was left out "
        "(--map with :3,2,0,1 pairs them)"
    )
    found = xavinit.diff(a, b, map="h.{7..8}.b=layers/{7..8}/bias", match="h.7.b")
    assert len(found.tensors) == 1
    found = xavinit.diff(a, b, map="encoder.{n}=layers.{n}")
    assert found.warnings == ('the map "encoder.{n}=layers.{n}" is for no tensor of A',)


def test_a_file_of_maps(tmp_path: Path) -> None:
    save_file({"a.0": np.arange(6.0).reshape(2, 3)}, tmp_path / "a.safetensors")
    save_file({"b.0": np.arange(6.0).reshape(2, 3).T.copy()}, tmp_path / "b.safetensors")
    (tmp_path / "maps.txt").write_text("# torch to keras\n\na.{n}=b.{n}:T\n")
    code, lines = run(
        tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--map", f"@{tmp_path}/maps.txt"
    )
    assert (code, lines) == (0, ["equal: 1 tensor, 6 parameters"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", 'a map must be A_NAME=B_NAME or A_NAME=B_NAME:AXES; got "a"'),
        ("a=", 'a map must be A_NAME=B_NAME or A_NAME=B_NAME:AXES; got "a="'),
        ("a=b=c", 'a map must be A_NAME=B_NAME or A_NAME=B_NAME:AXES; got "a=b=c"'),
        ("a.{n}=b", 'a brace must be on both sides of a map; got "a.{n}=b"'),
        ("a=b.{n}", 'a brace must be on both sides of a map; got "a=b.{n}"'),
        ("{a,b}={c,d,e}", 'a brace must be on both sides of a map; got "{a,b}={c,d,e}"'),
        ("a=b:0,2", 'the axes of a map must be 0 … n−1, each once; got "0,2"'),
        ("a.{n=b", 'a brace must be closed; got "a.{n"'),
        ("x=x:2,0,1", "the axes of a map must be those of the tensor; got "),
        ("{n}=x", "a brace must be on both sides of a map; got "),
        ("{x,y}={x,x}", "maps must give each tensor of B to one of A; got "),
    ],
)
def test_a_map_that_makes_no_sense(text: str, message: str) -> None:
    arrays = {"x": np.ones((2, 2)), "y": np.ones((2, 2))}
    with pytest.raises(xavinit.UsageError) as caught:
        xavinit.diff(arrays, arrays, map=text)
    assert caught.value.describe().startswith(message)


def test_a_colon_may_be_part_of_a_name() -> None:
    w = np.arange(6.0).reshape(2, 3)
    assert xavinit.diff({"w": w}, {"dense/kernel:0": w}, map="w=dense/kernel:0").is_same
    assert xavinit.diff({"w": w}, {"dense/kernel:0": w.T}, map="w=dense/kernel:0:T").is_same


@pytest.mark.parametrize("axes", ["transpose", "T", "2,1,0"])
def test_axes_of_a_map(axes: str) -> None:
    w = np.arange(24.0).reshape(2, 3, 4)
    assert xavinit.diff({"w": w}, {"w": w.transpose(2, 1, 0)}, map=f"w=w:{axes}").is_same


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "x", None])
def test_a_tolerance_that_makes_no_sense(bad: Any) -> None:
    with pytest.raises(xavinit.UsageError, match="rtol must be a finite number of at least 0"):
        xavinit.diff({}, {}, rtol=bad)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(xavinit.InputError, match="cannot read"):
        xavinit.diff(tmp_path / "none.safetensors", {})
    with pytest.raises(xavinit.UsageError, match="standard input can be read once; got - twice"):
        xavinit.diff("-", "-")
    with pytest.raises(xavinit.UsageError, match="diff takes paths, or arrays by name; got 3"):
        xavinit.diff(3, {})  # type: ignore[arg-type]


# --- Reading -----------------------------------------------------------------------------------


def test_the_answer_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    """Also where what is compared is transposed, in blocks, and in another byte order."""
    rng = np.random.default_rng(5)
    w = rng.normal(size=(1500, 2100)).astype(np.float32)
    v = w.T.copy()
    for place in ((3, 4), (2099, 1499), (1000, 17)):
        v[place] += 7  # the greatest difference is at three places
    save_file({"w": w}, tmp_path / "a.safetensors")
    np.save(tmp_path / "b.npy", v.astype(">f4"))
    found = [
        xavinit.diff(tmp_path / "a.safetensors", tmp_path / "b.npy", map="w=b:T", jobs=jobs)
        for jobs in (1, 2, 5)
    ]
    assert found[0] == found[1] == found[2]
    (tensor,) = found[0].tensors
    assert tensor.different == 3
    wanted = abs(w.astype(float) - v.T.astype(float))
    assert tensor.absolute is not None
    assert tensor.absolute.index == np.unravel_index(wanted.argmax(), w.shape)
    assert tensor.absolute.amount == wanted.max()


@given(st.randoms(use_true_random=False), st.sampled_from(["float64", "float32", "bfloat16"]))
def test_tallies_add_up_in_any_order(random: Random, dtype: str) -> None:
    """Whatever the blocks; equal amounts at two places count at the first."""
    rng = np.random.default_rng(random.randrange(2**32))
    a, b = (draw(dtype, rng, 60).round(1).astype(np.float32) for _ in "ab")
    kinds = STORED_DTYPES[dtype], STORED_DTYPES[dtype]
    cuts = sorted({0, 60, *(random.randrange(60) for _ in range(5))})
    parts = [
        tally_arrays(a[i:j], b[i:j], kinds, i, Tolerance(0.5)) for i, j in itertools.pairwise(cuts)
    ]
    random.shuffle(parts)
    assert sum(parts, Tally()) == tally_arrays(a, b, kinds, 0, Tolerance(0.5))


@pytest.mark.parametrize("kind", ["plain", "big-endian", "Fortran", "chunked"])
@given(data=st.data())
def test_any_order_of_axes_of_any_file(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    axes = data.draw(st.permutations(range(len(shape))))
    array = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    path = tmp_path_factory.mktemp("axes") / ("w.h5" if kind == "chunked" else "w.npy")
    if kind == "chunked":
        with h5py.File(path, "w") as file:
            file.create_dataset("w", data=array, chunks=tuple(min(2, n) for n in shape))
    elif kind == "Fortran":
        np.save(path, np.asfortranarray(array))
    else:
        np.save(path, array.astype(">i4") if kind == "big-endian" else array)
    text = ",".join(map(str, axes))
    moved = f"w=w:{text}" if len(shape) > 1 else "w=w"
    assert xavinit.diff({"w": array.transpose(axes)}, path, map=moved).is_same


@given(st.text(st.sampled_from("ab.{}=:,1230T/n"), max_size=20))
def test_any_text_is_a_map_or_one_clear_error(text: str) -> None:
    arrays = {"a": np.ones((2, 2)), "b": np.ones((2, 2))}
    with contextlib.suppress(xavinit.UsageError):
        xavinit.diff(arrays, arrays, map=text)


def test_progress_ends_at_all_bytes(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    a, b = folder / "p.safetensors", folder / "k.weights.h5"
    xavinit.diff(a, b, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0


def test_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    a = {"w": np.array([math.nan, 1.0]), "c": np.array([complex(1, math.inf)])}
    b = {"w": np.array([1.0, -math.inf]), "c": np.array([1j])}
    save_file({"w": a["w"]}, tmp_path / "a.safetensors")
    save_file({"w": b["w"]}, tmp_path / "b.safetensors")
    code, (line,) = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "--json")
    first = json.loads(line)["tensors"][0]["first"]
    assert (code, first) == (5, {"index": [0], "a": "NaN", "b": 1.0, "amount": None})
    from xavinit.report.differences import difference_to_json

    spot = json.loads(difference_to_json(xavinit.diff(a, b)))["tensors"][0]["first"]
    assert (spot["a"], spot["b"]) == ([1.0, "Infinity"], [0.0, 1.0])


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    sample = (root / "sample_specs" / "lenet5.yaml").read_text(encoding="utf-8")
    (tmp_path / "lenet5.yaml").write_text(sample, encoding="utf-8")
    page = (root / "docs" / "diff.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```console\n(.*?)^```$", page, re.S | re.M))
    for part in re.split(r"^\$ ", blocks, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        arguments = shlex.split(command)
        assert arguments[0] == "xavinit"
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.stdout + done.stderr == expected


@pytest.mark.parametrize("text", ["w=x:9", "w=none", "w=x:T,T"])
def test_a_map_that_leads_nowhere_is_told(text: str) -> None:
    found = xavinit.diff({"w": np.ones((2, 3))}, {"x": np.ones((3, 2))}, map=text)
    target = text.removeprefix("w=")
    assert found.warnings == (
        f'the map "{text}" leads to no tensor of B, such as "{target}" '
        "(axes are T, or numbers such as 3,2,0,1)",
    )
    assert not xavinit.diff({"w": np.ones((2, 3))}, {"x": np.ones((3, 2))}, map="w=x:T").warnings
