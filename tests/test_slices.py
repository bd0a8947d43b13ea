"""A part of one tensor, drawn alone: what NumPy takes of the whole, and nothing else is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.errors import UsageError
from xavinit.layers import View, cut_view, make_view, split_index
from xavinit.plan import TensorPlan

SPEC: dict[str, Any] = {
    "seed": 5,
    "tensors": {
        "w": [37, 53],
        "half": {"shape": [6, 5, 4, 3], "dtype": "bfloat16", "init": {"type": "normal", "std": 1}},
        "double": {"shape": [9, 8], "dtype": "float64", "init": "glorot_truncated_normal"},
        "small": {"shape": [40, 30], "dtype": "float8_e4m3fn"},
        "ones": {"shape": [4, 5], "init": "ones"},
        "steps": {"shape": [3, 7], "init": {"type": "arange", "repeat": 2}, "dtype": "int32"},
        "log": {"shape": [3, 7], "init": "log_arange"},
        "listed": {"shape": [6], "init": {"type": "values", "values": [3, 1, 4, 1, 5, 9]}},
        "padded": {"shape": [10, 6], "zero_rows": [0, 3, 9]},
        "scalar": {"shape": [], "init": "ones"},
        "empty": {"shape": [0, 5], "init": "zeros"},
    },
}
# Every type of layer: what Keras and Flax keep in another order, in blocks, or with zeros after it.
LAYERS: dict[str, Any] = {
    "layers": [
        {"name": "dense", "type": "dense", "in": 6, "out": 5},
        {"name": "conv", "type": "conv2d", "in": 4, "out": 6, "kernel": [3, 2], "groups": 2},
        {"name": "lstm", "type": "lstm", "in": 5, "hidden": 3, "forget_bias": 1},
        {"name": "gru", "type": "gru", "in": 5, "hidden": 3},
        {"name": "attention", "type": "multi_head_attention", "size": 8, "heads": 2},
        {"name": "embedding", "type": "embedding", "in": 7, "out": 4},
        {"name": "up", "type": "conv_transpose2d", "in": 4, "out": 6, "kernel": [3, 2]},
        {"name": "deep", "type": "depthwise_conv2d", "in": 4, "kernel": 3},
    ]
}


def places(length: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-length - 2, length + 2)
    steps = st.none() | st.integers(-4, 4).filter(bool)
    cuts = st.builds(slice, ends, ends, steps)
    return cuts | st.integers(-length, length - 1) if length else cuts


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """An index of an array of this shape, some of its axes left out or behind an Ellipsis."""
    items = [draw(places(length)) for length in shape]
    first = draw(st.integers(0, len(items)))
    last = draw(st.integers(first, len(items)))
    match draw(st.sampled_from(["all", "ellipsis", "few", "one"])):
        case "ellipsis":
            items[first:last] = [...]
        case "few":
            del items[first:]
        case "one" if items:
            return items[0]
    return tuple(items)


def check_same(part: Any, expected: Any) -> None:
    assert part.dtype == expected.dtype
    assert part.shape == expected.shape
    assert part.tobytes() == np.ascontiguousarray(expected).tobytes()


PLAN = xavinit.make_plan(SPEC)
WHOLE = xavinit.draw(PLAN)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_part_is_what_numpy_takes_of_the_whole(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WHOLE)))
    index = data.draw(indices(WHOLE[name].shape))
    check_same(xavinit.draw(PLAN, name, index), WHOLE[name][index])


LAYER_PLANS = {
    name: xavinit.make_plan(LAYERS, framework=name) for name in ("pytorch", "keras", "flax")
}
LAYER_ARRAYS = {name: xavinit.draw(plan) for name, plan in LAYER_PLANS.items()}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_part_of_a_layers_tensor(data: st.DataObject) -> None:
    framework = data.draw(st.sampled_from(sorted(LAYER_PLANS)))
    name = data.draw(st.sampled_from(sorted(LAYER_ARRAYS[framework])))
    whole = LAYER_ARRAYS[framework][name]
    index = data.draw(indices(whole.shape))
    check_same(xavinit.draw(LAYER_PLANS[framework], name, index), whole[index])


@pytest.mark.parametrize("framework", LAYER_PLANS)
def test_every_tensor_of_a_layer_is_the_sum_of_its_rows_and_columns(framework: str) -> None:
    plan = LAYER_PLANS[framework]
    for name, whole in LAYER_ARRAYS[framework].items():
        for axis, length in enumerate(whole.shape):
            for place in range(length):
                index = (slice(None),) * axis + (place,)
                check_same(xavinit.draw(plan, name, index), whole[index])


def test_each_kernel_draws_the_same_part(kernel: str) -> None:
    for name, index in [
        ("w", (slice(30, 2, -3), slice(5, 50, 7))),
        ("half", (..., 1, slice(1, 3))),
    ]:
        check_same(xavinit.draw(PLAN, name, index), WHOLE[name][index])


def test_a_name_alone_gives_the_tensor() -> None:
    check_same(xavinit.draw(SPEC, "w"), WHOLE["w"])
    check_same(xavinit.draw(SPEC, "w", seed=6), xavinit.draw(SPEC, seed=6)["w"])


def test_nothing_else_is_drawn() -> None:
    """A row of 16 TB, of a set of 32."""
    tensors = {"a": [2_000_000, 2_000_000], "b": [2_000_000, 2_000_000]}
    row = xavinit.draw({"tensors": tensors}, "b", (1_234_567, slice(None, 8)))
    columns = xavinit.draw({"tensors": tensors}, "b", (slice(1_234_566, 1_234_568), slice(0, 4)))
    assert row.shape == (8,)
    assert (columns[1] == row[:4]).all()


def test_what_is_no_index() -> None:
    def fail(index: Any, name: str = "w") -> str:
        with pytest.raises(UsageError) as caught:
            xavinit.draw(PLAN, name, index)
        return str(caught.value)

    assert fail(37) == "an index must be from -37 to 36; got 37"
    assert fail((0, -54)) == "an index must be from -53 to 52; got -54"
    assert fail((0, 0, 0)) == (
        "an index must have at most 2 items for shape [37, 53]; got [0, 0, 0]"
    )
    assert fail((..., 0, ...)).startswith("an index must have at most one Ellipsis; got (")
    for wrong in (None, True, 1.0, "0", [0, 1], np.array([0, 1])):
        assert fail((wrong,)).startswith("an index must be of integers, slices and one Ellipsis")
    assert fail(slice(None, None, 0)).startswith("slice step cannot be zero; got ")
    assert fail(slice("a", None)).startswith("slice indices must be integers")
    assert fail(0, "padde") == 'the plan has no tensor "padde"\n  hint: did you mean "padded"?'
    with pytest.raises(UsageError, match=r"^an index needs the name of a tensor; got 0$"):
        xavinit.draw(PLAN, index=0)  # type: ignore[call-overload]


@given(st.data())
def test_a_cut_view_is_the_part_of_the_view(data: st.DataObject) -> None:
    """Element by element: axes in another order, some with their blocks moved, then cut."""
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    order = data.draw(st.permutations(range(len(shape))))
    axes: list[Any] = [split_index(shape)[axis] for axis in order]
    for n, axis in enumerate(axes):
        if data.draw(st.booleans()):
            axes[n] = tuple(data.draw(st.permutations(axis)))
    view = make_view(axes)
    own = tuple(len(axis) for axis in axes)
    cuts = [
        range(length)[data.draw(places(length).filter(lambda p: isinstance(p, slice)))]
        for length in own
    ]
    if not math.prod(map(len, cuts)):
        return
    elements = np.array(list_places(View(tuple(axes)))).reshape(own)
    expected = elements[np.ix_(*cuts)].ravel().tolist()
    assert list_places(cut_view(view, own, cuts) or View((range(len(expected)),))) == expected


def list_places(view: View) -> list[int]:
    total = np.zeros(1, np.int64)
    for axis in view.axes:
        total = np.add.outer(total, np.array(axis, np.int64)).ravel()
    return [int(place) for place in total]


def test_a_sequence_is_drawn_to_the_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stream that is one sequence, a part is taken from the whole."""
    from xavinit.streams import xavinit1

    drawn: list[str] = []
    real = xavinit1.Xavinit1.make_fill

    def make_fill(self: Any) -> Any:
        fill = real(self)

        def call(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            drawn.append(tensor.name)
            fill(out, tensor, start, stop)

        return call

    monkeypatch.setattr(xavinit1.Xavinit1, "make_fill", make_fill)
    xavinit.draw(PLAN, "half", 0)
    assert drawn == ["half"]
    monkeypatch.setattr(xavinit1.Xavinit1, "is_ordered", True)
    check_same(xavinit.draw(PLAN, "half", 0), WHOLE["half"][0])
    assert drawn[1] == "w"
