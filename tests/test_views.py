"""Views: a file's tensor is the slice, permutation, flip or reshape of PyTorch's that it says."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.layers import View, make_view, split_index
from xavinit.plan import Law, Normal, TensorPlan, Uniform
from xavinit.streams import gather, make_stream, reference

Array = np.ndarray[Any, np.dtype[Any]]


def make_tensor(shape: tuple[int, ...], dtype: str, view: View | None, law: Law) -> TensorPlan:
    return TensorPlan("w", shape, DTYPES[dtype], None, law, "w", view)


def draw(tensor: TensorPlan, start: int, stop: int) -> bytes:
    out = bytearray((stop - start) * tensor.dtype.itemsize)
    make_stream("xavinit-1", 7, ()).make_fill()(memoryview(out), tensor, start, stop)
    return bytes(out)


def list_elements(view: View | None, size: int) -> list[int]:
    """Which element of PyTorch's tensor each of the file's is, by the definition."""
    total = np.zeros(1, np.int64)
    for axis in view.axes if view else [range(size)]:
        total = np.add.outer(total, np.array(axis)).ravel()
    return [int(index) for index in total]


@st.composite
def axes_of_tensors(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Any]]:
    """A shape, and axes in another order, some of them cut, flipped or with blocks moved."""
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    axes: list[Any] = []
    for axis in split_index(shape):
        first = draw(st.integers(0, len(axis) - 1))
        part: Any = axis[first : draw(st.integers(first + 1, len(axis)))]
        match draw(st.sampled_from(["as it is", "flipped", "moved"])):
            case "flipped":
                part = part[::-1]
            case "moved":
                part = tuple(draw(st.permutations(part)))
        axes.append(part)
    return shape, draw(st.permutations(axes))


@given(axes_of_tensors())
def test_a_view_is_what_its_axes_say(given_axes: tuple[tuple[int, ...], list[Any]]) -> None:
    """Merging neighbours and leaving out axes of one element changes nothing."""
    _, axes = given_axes
    size = math.prod(map(len, axes))
    view = make_view(axes)
    assert list_elements(view, size) == list_elements(View(tuple(axes)), size)


@settings(deadline=None)
@given(
    axes_of_tensors(),
    st.sampled_from(["float64", "float32", "float16", "bfloat16", "float8_e4m3fn"]),
    st.sampled_from([Uniform(0.5), Normal(0.02)]),
    st.data(),
)
def test_any_range_of_a_view_is_that_of_the_tensor(
    kernel: str,
    given_axes: tuple[tuple[int, ...], list[Any]],
    dtype: str,
    law: Law,
    data: st.DataObject,
) -> None:
    shape, axes = given_axes
    size = math.prod(map(len, axes))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    view = make_view(axes)
    itemsize = DTYPES[dtype].itemsize
    whole = draw(make_tensor(shape, dtype, None, law), 0, math.prod(shape))
    elements = [whole[i * itemsize : (i + 1) * itemsize] for i in list_elements(view, size)]
    # Small blocks and gaps, so that every way of reading is taken.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "BLOCK", data.draw(st.sampled_from([8, 64, reference.BLOCK])))
        patch.setattr(gather, "_GAP", data.draw(st.sampled_from([0, 3, 1024])))
        patch.setattr(gather, "_SPAN", data.draw(st.sampled_from([1, 16, 1 << 17])))
        drawn = draw(make_tensor((size,), dtype, view, law), start, stop)
    assert drawn == b"".join(elements[start:stop])


@pytest.mark.parametrize("turn", [lambda a, b: (b[::-1], a), lambda a, b: (b, a)])
@pytest.mark.parametrize("shape", [(400_000, 3), (2, 600_000), (70_000, 15)])
def test_a_long_axis_takes_few_reads(
    shape: tuple[int, int], turn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each of its positions took minutes for a transposed convolution."""
    view = make_view(turn(*split_index(shape)))
    reads = []
    real = reference.Words.read_halves

    def read(*arguments: Any) -> Any:
        reads.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(reference.Words, "read_halves", read)
    size = math.prod(shape)
    out = memoryview(bytearray(4 * size))
    reference.Filler().fill(out, 1, Uniform(1.0), DTYPES["float32"], 0, size, view)
    assert len(reads) < 200


LAYERS = {
    "seed": 4,
    "layers": [
        {"name": "conv", "type": "conv2d", "in": 48, "out": 96, "kernel": [5, 3], "groups": 2},
        {"name": "deep", "type": "depthwise_conv2d", "in": 64, "kernel": 3, "multiplier": 2},
        {"name": "up", "type": "conv_transpose2d", "in": 40, "out": 30, "kernel": 4},
        {"name": "fc", "type": "dense", "in": [96, 7, 5], "out": [16, 6, 4], "init": "he_normal"},
        {"name": "half", "type": "dense", "in": 1500, "out": 3100, "dtype": "bfloat16"},
        {"name": "wide", "type": "dense", "in": 1100, "out": 900, "dtype": "float64"},
        {"name": "solid", "type": "conv3d", "in": 7, "out": 11, "kernel": [2, 3, 4]},
        {"name": "line", "type": "conv1d", "in": 300, "out": 500, "kernel": 7, "groups": 5},
    ],
}


@pytest.fixture(scope="module")
def weights() -> dict[str, Array]:
    return xavinit.draw(LAYERS)


@pytest.mark.parametrize("jobs", [1, 2, 7])
@pytest.mark.parametrize("framework", ["keras", "flax"])
def test_kernels_are_pytorchs_weights(
    kernel: str, framework: str, jobs: int, weights: dict[str, Array], tmp_path: Path
) -> None:
    """Each, by NumPy's own functions; in memory, in a file and in a pipe."""
    w = {name.removesuffix(".weight"): array for name, array in weights.items()}
    expected = {
        "conv": w["conv"].transpose(2, 3, 1, 0),
        "deep": w["deep"].transpose(2, 3, 1, 0),
        "up": w["up"].transpose(2, 3, 0, 1)[::-1, ::-1],
        "fc": w["fc"].reshape(16, 6, 4, 96, 7, 5).transpose(4, 5, 3, 1, 2, 0).reshape(3360, 384),
        "half": w["half"].T,
        "wide": w["wide"].T,
        "solid": w["solid"].transpose(2, 3, 4, 1, 0),
        "line": w["line"].transpose(2, 1, 0),
    }
    if framework == "keras":
        expected["deep"] = w["deep"].reshape(64, 2, 3, 3).transpose(2, 3, 0, 1)
        expected["up"] = w["up"].transpose(2, 3, 1, 0)
    made = xavinit.draw(LAYERS, framework=framework, jobs=jobs)
    name = "{}/kernel" if framework == "keras" else "params.{}.kernel"
    for layer, array in expected.items():
        kernel = made[name.format(layer)]
        assert kernel.shape == array.shape
        assert kernel.tobytes() == np.ascontiguousarray(array).tobytes(), layer
    path, pipe = tmp_path / "w.safetensors", io.BytesIO()
    xavinit.generate(LAYERS, path, framework=framework, jobs=jobs)
    xavinit.generate(LAYERS, pipe, framework=framework, jobs=jobs)
    assert path.read_bytes() == pipe.getvalue()
    assert xavinit.digest(path) == xavinit.digest(made)
