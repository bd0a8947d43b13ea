"""Streams with an order and laws that see the whole tensor, by toys: the same in every output."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from memory_store import use_memory_stores
from msgspec.structs import replace

import xavinit
from xavinit.errors import OutputError, UsageError
from xavinit.output import disk, files
from xavinit.plan import Plan, TensorPlan, Uniform
from xavinit.streams import STREAMS, Fill, Piece, make_stream, split_tensor

JOBS = [1, 2, 7]


class Counter:
    """A stream with an order: the numbers seed, seed + 1, … over all tensors of the plan."""

    name = "counter"
    is_ordered = True

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        return split_tensor(tensor)

    def make_fill(self) -> Fill:
        last = self._seed

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            nonlocal last
            first, last = last, last + stop - start
            out[:] = np.arange(first, last).astype(tensor.dtype.name).tobytes()

        return fill


class Sum(Uniform, frozen=True):
    """A law that sees the whole tensor: the sums of all its elements so far."""

    is_whole = True


class Sums:
    """`xavinit-1`, but that it also knows the law `Sum`."""

    name = "sums"
    is_ordered = False

    def __init__(self, seed: int) -> None:
        self._parts = make_stream("xavinit-1", seed, ())

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        return self._parts.split(tensor, buffers)

    def make_fill(self) -> Fill:
        fill_parts = self._parts.make_fill()

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            if not isinstance(tensor.law, Sum):
                fill_parts(out, tensor, start, stop)
                return
            assert (start, stop) == (0, tensor.size)
            fill_parts(out, replace(tensor, law=Uniform(tensor.law.bound)), start, stop)
            numbers = np.frombuffer(out, np.float32)
            out[:] = np.cumsum(numbers, dtype=np.float32).tobytes()

        return fill


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for toy in (Counter, Sums):
        module = ModuleType(f"toy_{toy.name}")
        module.make_stream = toy  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(STREAMS, toy.name, module.__name__)


# Every format has these in another order; about 9 MB, some of it in several blocks.
TENSORS: dict[str, Any] = {
    "z": [1001, 701],
    "m": {"shape": [17, 3], "dtype": "float64"},
    "k": {"shape": [0, 3]},
    "a.{3}": {"shape": [5, 6], "dtype": "float64"},
    "y": {"shape": [500, 701], "dtype": "float64"},
    "b": [1001, 301],
}


def make_counted(seed: int = 100) -> Plan:
    return replace(xavinit.make_plan({"seed": seed, "tensors": TENSORS}), stream="counter")


def count(plan: Plan) -> dict[str, np.ndarray[Any, Any]]:
    """What the counter gives, by its definition."""
    ends = list(accumulate((t.size for t in plan.tensors), initial=plan.seed))
    return {
        t.name: np.arange(end, end + t.size).astype(t.dtype.name).reshape(t.shape)
        for t, end in zip(plan.tensors, ends, strict=False)
    }


# How each kind of output is asked for.
OUTPUTS: dict[str, dict[str, Any]] = {
    "w.safetensors": {},
    "w.h5": {},
    "npy": {"format": "npy"},
    "shards": {"max_shard_size": 2_000_000},  # the large tensors in shards of their own
}


def read_all(path: Path) -> dict[str, bytes]:
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {p.name: p.read_bytes() for p in paths}


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_ordered_stream_is_drawn_in_the_plans_order(output: str, tmp_path: Path) -> None:
    plan = make_counted()
    expected = xavinit.digest(count(plan))
    found = []
    for jobs in JOBS:
        path = tmp_path / str(jobs) / output
        path.parent.mkdir()
        xavinit.generate(plan, path, jobs=jobs, **OUTPUTS[output])
        assert xavinit.digest(path) == expected
        found.append(read_all(path))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_ordered_stream_is_compared_in_the_plans_order(output: str, tmp_path: Path) -> None:
    """Also of one file of several: what comes before it is drawn, and not read."""
    plan, path = make_counted(), tmp_path / output
    xavinit.generate(plan, path, **OUTPUTS[output])
    size = OUTPUTS[output].get("max_shard_size")
    for part in [path, *(path.glob("*[0-9l].safetensors") if path.is_dir() else ())]:
        for jobs in JOBS:
            verdict = xavinit.verify(part, plan, jobs=jobs, max_shard_size=size)
            assert verdict.list_lines() == []
    faults = xavinit.verify(path, replace(plan, seed=101), max_shard_size=size).faults
    values = {fault.tensor: fault for fault in faults if fault.kind == "values"}
    assert set(values) == {tensor.name for tensor in plan.tensors if tensor.size}
    assert (values["z"].expected, values["z"].got) == ("101.0", "100.0")


@pytest.mark.parametrize("jobs", JOBS)
def test_an_ordered_stream_fills_arrays_in_the_plans_order(jobs: int) -> None:
    plan = make_counted()
    for name, array in xavinit.draw(plan, jobs=jobs).items():
        np.testing.assert_array_equal(array, count(plan)[name])


def test_a_small_ordered_output_is_drawn_in_the_plans_order_too(tmp_path: Path) -> None:
    plan = xavinit.make_plan({"tensors": {"z": [3, 4], "e": [0, 2], "a": [5, 6]}})
    plan = replace(plan, stream="counter")
    for output, options in OUTPUTS.items():
        xavinit.generate(plan, tmp_path / output, **options)
        assert xavinit.digest(tmp_path / output) == xavinit.digest(count(plan))


def test_one_thread_draws_ahead_and_the_calling_thread_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    drawing: set[int] = set()
    writing: set[int] = set()
    real_draw, real_write = files.draw_task, disk.write_at

    def draw(*arguments: Any) -> memoryview:
        drawing.add(threading.get_ident())
        return real_draw(*arguments)

    def write(*arguments: Any) -> int:
        writing.add(threading.get_ident())
        return real_write(*arguments)

    monkeypatch.setattr(files, "draw_task", draw)
    monkeypatch.setattr(disk, "write_at", write)
    plan = make_counted()
    xavinit.generate(
        plan, tmp_path / "w.safetensors", jobs=7, progress=lambda *pair: told.append(pair)
    )
    assert told[-1] == (plan.nbytes, plan.nbytes)
    assert writing == {threading.get_ident()}
    assert len(drawing) == 1
    assert not drawing & writing


def test_files_are_open_one_at_a_time_and_each_goes_to_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[int] = set()
    synced: list[str] = []
    real_open, real_close, real_sync = disk.open_file, disk.close, disk.sync
    paths: dict[int, str] = {}

    def open_file(path: str) -> int:
        assert not opened
        handle = real_open(path)
        opened.add(handle)
        paths[handle] = os.path.basename(path)
        return handle

    def close(handle: int) -> None:
        opened.discard(handle)
        real_close(handle)

    def sync(handle: int) -> None:
        if handle in opened:
            synced.append(paths[handle])
        real_sync(handle)

    for name, function in (("open_file", open_file), ("close", close), ("sync", sync)):
        monkeypatch.setattr(disk, name, function)
    # The shard of the small tensors is left for that of a large one, and found again.
    xavinit.generate(make_counted(), tmp_path / "w", max_shard_size=2_000_000)
    assert sorted(synced) == sorted(path.name for path in (tmp_path / "w").iterdir())
    assert not opened


def test_a_pipe_takes_an_ordered_stream_where_the_orders_agree(tmp_path: Path) -> None:
    spec = {"tensors": {"a": {"shape": [999, 900], "dtype": "float64"}, "k": [0, 1], "b": [9, 9]}}
    plan = replace(xavinit.make_plan(spec), stream="counter")
    xavinit.generate(plan, tmp_path / "w.safetensors")
    for jobs in JOBS:
        pipe = io.BytesIO()
        xavinit.generate(plan, pipe, jobs=jobs)
        assert pipe.getvalue() == (tmp_path / "w.safetensors").read_bytes()


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_pipe_in_another_order_is_refused_before_the_first_byte(dry_run: bool) -> None:
    pipe = io.BytesIO()
    fact = 'the stream counter is drawn in the spec\'s order.*got "a.0" in the file.*has "z"'
    with pytest.raises(UsageError, match=fact):
        xavinit.generate(make_counted(), pipe, dry_run=dry_run)
    assert pipe.getvalue() == b""


def test_a_pipe_in_another_order_takes_a_stream_without_one() -> None:
    pipe = io.BytesIO()
    xavinit.generate({"tensors": TENSORS}, pipe)
    (length,) = struct.unpack("<Q", pipe.getvalue()[:8])
    assert len(pipe.getvalue()) == 8 + length + make_counted().nbytes


@pytest.mark.parametrize("output", ["w.safetensors", "w.h5", "npy", "shards"])
def test_an_object_is_refused_before_the_first_byte(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    store = use_memory_stores(monkeypatch)["s3", "b"]
    with pytest.raises(UsageError) as refused:
        xavinit.generate(make_counted(), f"s3://b/{output}", **OUTPUTS[output])
    assert str(refused.value) == (
        "the stream counter is one sequence, which no output in a store takes\n"
        "  hint: name a file or folder on a disk, and copy it"
    )
    assert not store.requests


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("call", ["pwrite", "fsync", "open", "close"])
def test_a_fault_in_an_ordered_output_leaves_nothing(
    output: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)
    plan = make_counted()
    for turn in range(1, 8):
        calls = 0

        def fail(*args: Any, turn: int = turn, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == turn:
                if call == "close":
                    real(*args)
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        folder = tmp_path / str(turn)
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            try:
                xavinit.generate(plan, folder / output, **OUTPUTS[output])
            except OutputError:
                pass
            else:
                assert calls < turn
        assert {path.name for path in folder.iterdir()} <= {output}
        assert threading.active_count() == 1
        if (folder / output).exists():
            assert xavinit.digest(folder / output) == xavinit.digest(count(plan))


def test_an_interrupt_of_an_ordered_output_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for output, options in OUTPUTS.items():
        with pytest.raises(KeyboardInterrupt):
            xavinit.generate(make_counted(), tmp_path / output, progress=interrupt, **options)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == 1


def make_summed() -> Plan:
    """Some tensors are made whole, of several blocks or of a few bytes; others are not."""
    spec = {"tensors": {"z": [1001, 701], "k": [0, 3], "c": [3, 5], "a": [1500, 900], "b": [9, 8]}}
    plan = replace(xavinit.make_plan(spec, seed=3), stream="sums")
    whole = {"z", "c"}
    tensors = [replace(t, law=Sum(0.5)) if t.name in whole else t for t in plan.tensors]
    return replace(plan, tensors=tuple(tensors))


@pytest.mark.parametrize("jobs", JOBS)
def test_a_law_that_sees_the_whole_tensor_is_the_same_in_every_output(
    jobs: int, tmp_path: Path
) -> None:
    plan = make_summed()
    assert plan.memory == 1001 * 701 * 4
    parts = replace(
        plan,
        tensors=tuple(
            replace(t, law=Uniform(0.5)) if isinstance(t.law, Sum) else t for t in plan.tensors
        ),
    )
    expected = xavinit.draw(parts, jobs=1)
    for tensor in plan.tensors:
        if isinstance(tensor.law, Sum):
            array = expected[tensor.name]
            expected[tensor.name] = np.cumsum(array, dtype=np.float32).reshape(array.shape)
    digest = xavinit.digest(expected)
    assert xavinit.digest(xavinit.draw(plan, jobs=jobs)) == digest
    for output, options in OUTPUTS.items():
        xavinit.generate(plan, tmp_path / output, jobs=jobs, **options)
        assert xavinit.digest(tmp_path / output) == digest
    pipe = io.BytesIO()
    xavinit.generate(plan, pipe, jobs=jobs)
    assert pipe.getvalue() == (tmp_path / "w.safetensors").read_bytes()
