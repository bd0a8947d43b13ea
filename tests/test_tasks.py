"""Tasks: each byte once, small neighbours together, bounded blocks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.crew import BLOCK
from xavinit.dtypes import DTYPES
from xavinit.output import disk
from xavinit.output.tasks import join_pieces
from xavinit.plan import TensorPlan, Uniform
from xavinit.streams import Piece


def make_tensor(size: int) -> TensorPlan:
    return TensorPlan("w", (size,), DTYPES["float32"], None, Uniform(1.0), "w")


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
