"""Tensors in pieces and tasks: each byte once, small neighbours together, bounded blocks."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.layers import make_view, split_index
from xavinit.output import disk
from xavinit.output.tasks import BLOCK, Piece, join_pieces, split_tensor
from xavinit.plan import TensorPlan, Uniform


def make_tensor(size: int, dtype: str = "float32") -> TensorPlan:
    return TensorPlan("w", (size,), DTYPES[dtype], None, Uniform(1.0), "w")


@given(st.integers(0, 3 * BLOCK), st.sampled_from(["float64", "float16", "float8_e5m2"]))
def test_pieces_are_the_tensor_in_order(size: int, dtype: str) -> None:
    pieces = list(split_tensor(make_tensor(size, dtype), 1))
    assert all(piece.nbytes <= BLOCK for piece in pieces)
    ends = [0, *(piece.stop for piece in pieces)]
    assert [piece.start for piece in pieces] == ends[:-1]
    assert ends[-1] == size


@pytest.mark.parametrize("viewed", [1, 4 * BLOCK, 64 * BLOCK])
def test_pieces_of_a_view_are_whole_rows(viewed: int) -> None:
    shape = (300, 7000)
    view = make_view(reversed(split_index(shape)))
    tensor = TensorPlan("w", (7000, 300), DTYPES["float32"], None, Uniform(1.0), "w", view)
    pieces = list(split_tensor(tensor, viewed))
    assert sum(piece.stop - piece.start for piece in pieces) == math.prod(shape)
    assert all(piece.start % 300 == 0 for piece in pieces)
    assert all(piece.nbytes <= max(viewed, BLOCK) for piece in pieces)


sizes = st.lists(st.sampled_from([0, 1, 5, 1000, BLOCK // 8, BLOCK // 4]), max_size=40)


@given(sizes, st.sets(st.integers(0, 40)))
def test_tasks_are_neighbours_that_fit_a_block(sizes: list[int], gaps: set[int]) -> None:
    placed: list[tuple[Piece, int]] = []
    offset = 100
    for index, size in enumerate(sizes):
        offset += 8 * (index in gaps)
        placed.append((Piece(make_tensor(size), 0, size), offset))
        offset += 4 * size
    tasks = list(join_pieces(placed))
    found = []
    for task in tasks:
        place = task.offset
        for piece in task.pieces:
            found.append((piece, place))
            place += piece.nbytes
        assert place - task.offset == task.nbytes
        assert task.nbytes <= BLOCK
    assert found == placed
    # none that could have been one with the next
    for task, following in pairwise(tasks):
        joined = task.nbytes + following.pieces[0].nbytes
        assert task.offset + task.nbytes != following.offset or joined > BLOCK


@pytest.mark.parametrize("suffix", [".safetensors", ".h5"])
def test_thousands_of_small_tensors_take_few_writes(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = []
    real = disk.write_at

    def write_at(*arguments: object) -> int:
        writes.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(disk, "write_at", write_at)
    spec = {"tensors": {"t.{3000}": {"shape": [64], "init": {"type": "normal", "std": 1}}}}
    xavinit.generate(spec, tmp_path / f"w{suffix}", jobs=2)
    # HDF5's own structures stand between its datasets, a few at a time
    assert len(writes) < (10 if suffix == ".safetensors" else 2000)
    assert xavinit.digest(tmp_path / f"w{suffix}") == xavinit.digest(xavinit.draw(spec))
