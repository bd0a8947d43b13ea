"""Output: the same bytes however it is filled, whole or not at all, nothing left over."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import xavinit
from xavinit.crew.threads import Threads
from xavinit.errors import InputError, OutputError, RefusedError, UsageError
from xavinit.output import disk, files

# About 6 MB: more than the engine does without threads, blocks that end off every boundary.
SPEC: dict[str, Any] = {
    "seed": 11,
    "tensors": {
        "a": {"shape": [1001, 701], "init": "glorot_normal"},
        "b": {"shape": [333, 1111], "dtype": "bfloat16"},
        "c": {"shape": [17, 3]},
        "d": {"shape": [123, 1234], "dtype": "float64", "init": "glorot_truncated_normal"},
        "e": {"shape": [1 << 20], "dtype": "uint8", "init": "ones"},
        "f": {"shape": [0, 3]},
    },
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".safetensors", ".h5"])
def test_bytes_do_not_depend_on_threads_or_order(tmp_path: Path, suffix: str) -> None:
    first = tmp_path / f"first{suffix}"
    xavinit.generate(SPEC, first, jobs=1)
    backwards = {**SPEC, "tensors": dict(reversed(SPEC["tensors"].items()))}
    for jobs, spec in ((2, SPEC), (7, SPEC), (None, backwards)):
        other = tmp_path / f"other{suffix}"
        xavinit.generate(spec, other, jobs=jobs, force=True)
        assert other.read_bytes() == first.read_bytes()


def test_a_pipe_takes_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    for jobs in (1, 2, 7):
        pipe = io.BytesIO()
        xavinit.generate(SPEC, pipe, jobs=jobs)
        assert pipe.getvalue() == path.read_bytes()


def test_a_pipe_that_takes_a_few_bytes_at_a_time() -> None:
    class Slow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:99_991])

    slow, whole = Slow(), io.BytesIO()
    xavinit.generate(SPEC, slow)
    xavinit.generate(SPEC, whole)
    assert slow.getvalue() == whole.getvalue()


def test_arrays_are_the_files_values(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    for jobs in (1, 3):
        assert xavinit.digest(xavinit.draw(SPEC, jobs=jobs)) == xavinit.digest(path)


def test_short_writes_are_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole.safetensors"
    xavinit.generate(SPEC, whole)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:300_007], at))
    short = tmp_path / "short.safetensors"
    xavinit.generate(SPEC, short)
    assert short.read_bytes() == whole.read_bytes()


def test_a_system_without_pwrite_and_fdatasync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.safetensors"
    xavinit.generate(SPEC, whole)
    for name in ("pwrite", "fdatasync", "statvfs", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    other = tmp_path / "other.safetensors"
    xavinit.generate(SPEC, other, jobs=3)
    assert other.read_bytes() == whole.read_bytes()


def test_an_existing_output_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(RefusedError, match=r"w\.safetensors exists; use --force to replace it"):
        xavinit.generate(SPEC, path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["w.safetensors"]
    xavinit.generate(SPEC, path, force=True)
    assert len(path.read_bytes()) > 3


@pytest.mark.parametrize("target", ["w.safetensors", "folder"])
def test_an_output_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Two runs race: the second to finish finds the name taken."""
    path = tmp_path / target
    real = files._fill_file

    def fill_and_race(*args: Any) -> None:
        real(*args)
        if not path.exists():
            if target == "folder":
                path.mkdir()
            else:
                path.write_bytes(b"the other run's")

    monkeypatch.setattr(files, "_fill_file", fill_and_race)
    with pytest.raises(RefusedError, match="exists"):
        xavinit.generate(
            {"tensors": {"w": [2, 2]}}, path, format="npy" if target == "folder" else None
        )
    assert names(tmp_path) == [target]
    if target == "folder":
        assert names(path) == []
    else:
        assert path.read_bytes() == b"the other run's"


def test_many_runs_for_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    outcomes: list[str] = []

    def run(seed: int) -> None:
        try:
            xavinit.generate({"tensors": {"w": [300, 300]}}, path, seed=seed, jobs=1)
            outcomes.append("written")
        except RefusedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["written"]
    assert names(tmp_path) == ["w.safetensors"]
    assert len(xavinit.digest(path)) == 64


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "w.safetensors"
    xavinit.generate({"tensors": {"w": [2, 2]}}, path)
    with pytest.raises(RefusedError):
        xavinit.generate({"tensors": {"w": [2, 2]}}, path)
    # nor a rename with a flag
    monkeypatch.setattr(disk, "_rename_with_flag", lambda *_: False)
    other = tmp_path / "other.safetensors"
    xavinit.generate({"tensors": {"w": [2, 2]}}, other)
    assert other.read_bytes() == path.read_bytes()
    assert names(tmp_path) == ["other.safetensors", "w.safetensors"]


@pytest.mark.parametrize("has_exchange", [True, False])
def test_force_replaces_a_folder_of_ours_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_exchange: bool
) -> None:
    if not has_exchange:
        monkeypatch.setattr(disk, "_rename_with_flag", lambda *_: False)
    path = tmp_path / "folder"
    xavinit.generate({"tensors": {"a": [2, 2], "b": [2, 2]}}, path, format="npy")
    xavinit.generate({"tensors": {"c": [2, 2]}}, path, format="npy", force=True)
    assert names(path) == ["c.npy", "manifest.json"]
    assert names(tmp_path) == ["folder"]


def test_force_does_not_replace_a_folder_with_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(RefusedError, match="exists; use --force"):
        xavinit.generate({"tensors": {"a": [2, 2]}}, path, format="npy")
    xavinit.generate({"tensors": {"a": [2, 2]}}, path, format="npy", force=True)  # it was empty
    (path / "notes.txt").write_text("mine")
    with pytest.raises(RefusedError, match="holds files that are not of an earlier run"):
        xavinit.generate({"tensors": {"c": [2, 2]}}, path, format="npy", force=True)
    assert names(path) == ["a.npy", "manifest.json", "notes.txt"]


def test_a_file_and_a_folder_do_not_replace_each_other(tmp_path: Path) -> None:
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(RefusedError, match="is a folder; a file does not replace it"):
        xavinit.generate(SPEC, tmp_path / "d.safetensors", force=True)
    (tmp_path / "f").write_text("mine")
    with pytest.raises(RefusedError, match="is a file; a folder does not replace it"):
        xavinit.generate({"tensors": {"a": [2, 2]}}, tmp_path / "f", format="npy", force=True)
    assert (tmp_path / "f").read_text() == "mine"


def test_a_symbolic_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target = tmp_path / "deep" / "real.safetensors"
    target.write_bytes(b"old")
    link = tmp_path / "link.safetensors"
    link.symlink_to(target)
    xavinit.generate({"tensors": {"a": [2, 2]}}, link, force=True)
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    assert names(tmp_path / "deep") == ["real.safetensors"]


def test_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        xavinit.generate({"tensors": {"a": [2, 2]}}, tmp_path / "a.safetensors")
        xavinit.generate({"tensors": {"a": [2, 2]}}, tmp_path / "a.h5")
        xavinit.generate({"tensors": {"a": [2, 2]}}, tmp_path / "f", format="npy")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.rglob("*"))}
    assert modes == {
        "a.h5": 0o640,
        "a.safetensors": 0o640,
        "f": 0o750,
        "a.npy": 0o640,
        "manifest.json": 0o640,
    }


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "folder"])
@pytest.mark.parametrize("call", ["pwrite", "fsync", "open"])
@pytest.mark.parametrize("force", [False, True])
def test_a_fault_leaves_nothing_and_keeps_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str, force: bool
) -> None:
    path = tmp_path / name
    fmt = "npy" if name == "folder" else None
    spec = {"tensors": {"a": [700, 701], "b": [900, 901], "c": [3, 3]}}
    before = None
    if force:
        xavinit.generate(spec, path, format=fmt)
        before = xavinit.digest(path)
    real = getattr(os, call)
    calls = 0

    def fail_the_second(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, fail_the_second)
    # A fault as early as the look at the old folder is one of reading.
    with pytest.raises((InputError, OutputError), match=r"cannot \w+ .*: No space left on device"):
        xavinit.generate(spec, path, seed=1, format=fmt, force=force)
    monkeypatch.undo()
    if before is None and not (call == "fsync" and name != "folder"):
        assert names(tmp_path) == []
    elif before is not None and not (call == "fsync" and name != "folder"):
        assert names(tmp_path) == [name]
        assert xavinit.digest(path) == before
    else:  # the second fsync is that of the folder, after the new output is in place
        assert names(tmp_path) == [name]


def test_an_interrupt_while_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for jobs in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            xavinit.generate(SPEC, tmp_path / "w.safetensors", jobs=jobs, progress=interrupt)
        assert names(tmp_path) == []
    assert threading.active_count() == 1


def test_a_worker_that_fails_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> memoryview:
        raise MemoryError("no memory for a block")

    monkeypatch.setattr(files, "draw_task", fail)
    with pytest.raises(MemoryError):
        xavinit.generate(SPEC, tmp_path / "w.safetensors", jobs=3)
    assert names(tmp_path) == []


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = xavinit.generate(
        SPEC, tmp_path / "w.safetensors", jobs=2, progress=lambda *pair: told.append(pair)
    )
    assert told[-1] == (report.nbytes, report.nbytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_no_space_is_told_before_the_first_byte(tmp_path: Path) -> None:
    spec = {"tensors": {"a": {"shape": [2**40, 2**18]}}}
    with pytest.raises(OutputError, match=r"it needs 1.15e\+03 PB|it needs 1150 PB|it needs .* PB"):
        xavinit.generate(spec, tmp_path / "w.safetensors")
    assert names(tmp_path) == []


def test_dry_run_checks_and_writes_nothing(tmp_path: Path) -> None:
    report = xavinit.generate(SPEC, tmp_path / "w.safetensors", dry_run=True)
    assert report.tensors == 6
    assert names(tmp_path) == []
    with pytest.raises(OutputError, match="no folder"):
        xavinit.generate(SPEC, tmp_path / "none" / "w.safetensors", dry_run=True)


def test_the_spec_itself_is_never_the_output(tmp_path: Path) -> None:
    spec = tmp_path / "s.npy"
    spec.write_text('{"tensors": {"a": [2, 2]}}')
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate(spec, spec, force=True)
    (tmp_path / "link.npy").symlink_to(spec)
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate(spec, tmp_path / "link.npy", force=True)


def test_devices_and_fifos_are_written_through(tmp_path: Path) -> None:
    assert xavinit.generate(SPEC, "/dev/null").format == "safetensors"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"):
        xavinit.generate(SPEC, "/dev/full")
    with pytest.raises(UsageError, match="hdf5 cannot be written to a pipe or device"):
        xavinit.generate(SPEC, "/dev/null", format="hdf5")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    taken = io.BytesIO()
    reader = threading.Thread(target=lambda: taken.write(fifo.read_bytes()))
    reader.start()
    xavinit.generate(SPEC, fifo)
    reader.join()
    whole = io.BytesIO()
    xavinit.generate(SPEC, whole)
    assert taken.getvalue() == whole.getvalue()
    assert names(tmp_path) == ["fifo"]


def test_a_format_must_not_contradict_the_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the suffix of hdf5, but the format is npy"):
        xavinit.generate(SPEC, tmp_path / "w.h5", format="npy")
    with pytest.raises(
        UsageError, match=r"cannot tell the format from the suffix of .*: name a format"
    ):
        xavinit.generate(SPEC, tmp_path / "w.bin")
    report = xavinit.generate(SPEC, tmp_path / "w.bin", format="hdf5")
    assert report.format == "hdf5"
    with pytest.raises(UsageError, match="jobs must be an integer of at least 1; got 0"):
        xavinit.generate(SPEC, tmp_path / "w.h5", jobs=0)


def test_a_missing_library_is_told_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    spec = {"tensors": {"a": {"shape": [2, 2], "dtype": "bfloat16"}}}
    with pytest.raises(xavinit.MissingLibraryError, match="HDF5 needs a working h5py"):
        xavinit.generate(spec, tmp_path / "w.h5")
    assert names(tmp_path) == []
    with pytest.raises(xavinit.MissingLibraryError, match="bfloat16 arrays need ml_dtypes"):
        xavinit.draw(spec)
    xavinit.generate(spec, tmp_path / "w.safetensors")  # a file does not need it


@pytest.mark.parametrize("error", ["ValueError('numpy.dtype size changed')", "OSError(8, 'x')"])
def test_a_broken_library_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """What an extension built against another NumPy, or cut short, raises when it is imported."""
    import sys

    for name in ("h5py", "ml_dtypes"):
        (tmp_path / f"{name}.py").write_text(f"raise {error}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    spec = {"tensors": {"a": {"shape": [2, 2], "dtype": "bfloat16"}}}
    with pytest.raises(xavinit.MissingLibraryError, match="HDF5 needs a working h5py"):
        xavinit.generate(spec, tmp_path / "w.h5")
    with pytest.raises(xavinit.MissingLibraryError, match="bfloat16 arrays need ml_dtypes"):
        xavinit.draw(spec)


def test_an_interrupt_while_threads_start_leaves_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that outlived its file would write into whatever gets the handle next."""
    real = Threads.start
    started = 0

    def interrupt_the_third(self: Any, work: Any) -> None:
        nonlocal started
        started += 1
        if started == 3:
            raise KeyboardInterrupt
        real(self, work)

    monkeypatch.setattr(Threads, "start", interrupt_the_third)
    for target in (tmp_path / "w.safetensors", io.BytesIO()):
        started = 0
        with pytest.raises(KeyboardInterrupt):
            xavinit.generate(SPEC, target, jobs=4)
        assert threading.active_count() == 1
    assert names(tmp_path) == []


def test_a_system_that_gives_no_more_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OutputError, match="cannot start 1 threads: can't start new thread"):
        xavinit.generate(SPEC, tmp_path / "w.safetensors", jobs=4)
    with pytest.raises(OutputError, match="cannot start 1 threads: can't start new thread"):
        xavinit.generate(SPEC, io.BytesIO(), jobs=4)
    assert names(tmp_path) == []


@pytest.fixture
def foreground() -> Iterator[None]:
    """SIGINT as in the foreground: where the tests run in the background, it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("foreground")
@pytest.mark.parametrize("name", ["w.safetensors", "folder"])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "call", ["open", "mkdir", "link", "replace", "unlink", "rmdir", "fsync", "rename"]
)
def test_a_signal_at_any_step_of_publication_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, force: bool, call: str
) -> None:
    """SIGINT right after each system call, the first, the second …: whole, and no temporary."""
    spec = {"tensors": {"a": [20, 20], "b": [20, 20], "c": [20, 20]}}
    fmt = "npy" if name == "folder" else None
    real = getattr(os, call)
    for turn in range(1, 12):
        path = tmp_path / str(turn) / name
        path.parent.mkdir()
        if force:
            xavinit.generate(spec, path, format=fmt)
        calls = 0

        def interrupt(*args: Any, turn: int = turn, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            try:
                return real(*args, **kwargs)
            finally:
                if calls == turn:
                    signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, interrupt)
            try:
                xavinit.generate(spec, path, format=fmt, force=force, seed=1, jobs=1)
            except KeyboardInterrupt:
                pass
            else:
                assert calls < turn  # no such call any more
        assert set(names(path.parent)) <= {name}
        if force or path.exists():
            assert len(xavinit.digest(path)) == 64


def test_a_folder_with_a_strange_manifest_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    xavinit.generate({"tensors": {"a": [2, 2]}}, path, format="npy")
    for manifest in (
        '{"tensors":{"a":{"file":5}}}',
        '{"tensors":{"a":{"file":"../a.npy"}}}',
        "[]",
        "{",
    ):
        (path / "manifest.json").write_text(manifest)
        with pytest.raises(RefusedError, match="not of an earlier run"):
            xavinit.generate({"tensors": {"a": [2, 2]}}, path, format="npy", force=True)
