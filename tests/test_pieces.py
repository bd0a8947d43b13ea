"""How a stream cuts tensors into pieces, and which stream a name stands for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.errors import UsageError
from xavinit.layers import make_view, split_index
from xavinit.plan import Constant, GateConstant, Law, Normal, TensorPlan, TruncatedNormal, Uniform
from xavinit.streams import STREAMS, make_stream, split_tensor
from xavinit.streams.stream import PIECE


class WholeUniform(Uniform, frozen=True):
    """A law whose tensors are made in one piece."""

    is_whole = True


def make_tensor(size: int, dtype: str = "float32", law: Law | None = None) -> TensorPlan:
    return TensorPlan("w", (size,), DTYPES[dtype], None, law or Uniform(1.0), "w")


@given(st.integers(0, 3 * PIECE), st.sampled_from(["float64", "float16", "float8_e5m2"]))
def test_pieces_are_the_tensor_in_order(size: int, dtype: str) -> None:
    pieces = list(split_tensor(make_tensor(size, dtype)))
    assert all(piece.nbytes <= PIECE for piece in pieces)
    ends = [0, *(piece.stop for piece in pieces)]
    assert [piece.start for piece in pieces] == ends[:-1]
    assert ends[-1] == size


@pytest.mark.parametrize("viewed", [1, 4 * PIECE, 64 * PIECE])
def test_pieces_of_a_view_are_whole_rows(viewed: int) -> None:
    shape = (300, 7000)
    view = make_view(reversed(split_index(shape)))
    tensor = TensorPlan("w", (7000, 300), DTYPES["float32"], None, Uniform(1.0), "w", view)
    pieces = list(split_tensor(tensor, viewed))
    assert sum(piece.stop - piece.start for piece in pieces) == math.prod(shape)
    assert all(piece.start % 300 == 0 for piece in pieces)
    assert all(piece.nbytes <= max(viewed, PIECE) for piece in pieces)


def test_a_tensor_whose_law_is_whole_is_one_piece() -> None:
    size = 5 * PIECE
    tensor = make_tensor(size, law=WholeUniform(1.0))
    for view in (None, make_view(reversed(split_index((size // 8, 8))))):
        pieces = list(split_tensor(replace(tensor, view=view)))
        assert [piece[1:] for piece in pieces] == [(0, size)]
    assert list(split_tensor(make_tensor(0, law=WholeUniform(1.0)))) == []


def test_no_law_of_today_is_whole() -> None:
    laws: list[Law] = [Constant(1), GateConstant(1, 0, 2), Uniform(1), Normal(1)]
    assert not any(law.is_whole for law in [*laws, TruncatedNormal(1)])


def test_a_plan_knows_the_memory_of_what_is_made_whole() -> None:
    plan = xavinit.make_plan(
        {"tensors": {"a": [300, 400], "b": [20, 30], "c": [0, 3], "d": [9, 9]}}
    )
    assert plan.memory == 0
    a, b, c, d = plan.tensors
    whole = WholeUniform(1.0)
    plan = replace(plan, tensors=(a, replace(b, law=whole), c, replace(d, law=whole)))
    assert plan.memory == 20 * 30 * 4


def test_a_view_is_cut_finer_where_more_buffers_are_filled_at_once() -> None:
    stream = make_stream("xavinit-1", 0, ())
    view = make_view(reversed(split_index((3000, 7000))))
    tensor = TensorPlan("w", (7000, 3000), DTYPES["float32"], None, Uniform(1.0), "w", view)
    counts = [len(list(stream.split(tensor, buffers))) for buffers in (1, 2, 8, 10**6)]
    assert counts == sorted(counts)
    assert counts[0] == counts[1] < counts[2] < counts[3] <= -(-tensor.nbytes // (PIECE * 9 // 10))


def test_every_stream_is_found_by_its_name() -> None:
    assert [make_stream(name, 0, ()).name for name in STREAMS] == list(STREAMS)
    with pytest.raises(UsageError, match='stream must be xavinit-1; got "xavinit-9"'):
        make_stream("xavinit-9", 0, ())
