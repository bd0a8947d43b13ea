"""Disks that fill up, at every level: an output is whole, or refused and nothing left of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import xavinit
from xavinit.errors import OutputError
from xavinit.formats import parse_format
from xavinit.output import disk

resource = pytest.importorskip("resource")

SPEC: dict[str, Any] = {"tensors": {"a.{3}": [20, 90], "b/c": [40, 50]}}
LAYERS: dict[str, Any] = {
    "framework": "keras",
    "layers": [{"name": f"d{n}", "type": "dense", "in": 40, "out": 40} for n in range(4)],
}
OUTPUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "w.safetensors": (SPEC, {}),
    "w.h5": (SPEC, {}),
    "w.weights.h5": (LAYERS, {}),
    "npy": (SPEC, {"format": "npy"}),
    "shards": (SPEC, {"max_shard_size": "8kB"}),
}


def write(folder: Path, name: str, **options: Any) -> None:
    spec, usual = OUTPUTS[name]
    xavinit.generate(spec, folder / name, jobs=1, **usual, **options)


def try_to_write(folder: Path, name: str, **options: Any) -> str | None:
    """What is said where it cannot be written."""
    try:
        write(folder, name, **options)
    except OutputError as error:
        return str(error)
    return None


def find_largest_file(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return max(file.stat().st_size for file in files)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not tell how much is free, so that the disk itself has to."""
    monkeypatch.setattr(disk, "count_free", lambda _: None)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit of files' sizes")
@pytest.mark.parametrize("name", OUTPUTS)
def test_any_limit_of_a_files_size(tmp_path: Path, name: str) -> None:
    """`ulimit -f` at every kilobyte up to what the largest file takes."""
    write(tmp_path, name)
    needed = find_largest_file(tmp_path / name)
    work = tmp_path / "work"
    work.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in range(0, needed, 1024):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OutputError, match=r"^cannot write [^\n]*: File too large$"):
                write(work, name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert os.listdir(work) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("needs mount")
    if done.returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> None:
    """Fill a file system but for so many bytes."""
    (folder / "filler").write_bytes(b"")
    free = disk_free(folder)
    (folder / "filler").write_bytes(bytes(free - left))


def disk_free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("before", ["nothing", "force"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_disk_that_is_filled_to_any_level(
    tmp_path: Path, small_disk: Path, name: str, before: str
) -> None:
    old = None
    if before == "force":
        write(small_disk, name)
        old = xavinit.digest(small_disk / name)
    refused = 0
    for left in range(0, 200_000, 4096):
        fill(small_disk, left)
        names = sorted(os.listdir(small_disk))
        told = try_to_write(small_disk, name, force=before == "force", seed=1)
        if told is None:
            break
        refused += 1
        assert re.fullmatch(r"cannot write [^\n]*: No space left on device", told)
        assert sorted(os.listdir(small_disk)) == names
        assert old is None or xavinit.digest(small_disk / name) == old
    assert told is None
    assert refused
    write(tmp_path, name, seed=1)
    assert xavinit.digest(small_disk / name) == xavinit.digest(tmp_path / name)


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5"])
def test_the_containers_own_bytes_are_counted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for the tensors alone it is refused; nothing has been written by then."""
    spec = OUTPUTS[name][0]
    plan = xavinit.make_plan(spec)
    monkeypatch.setattr(disk, "count_free", lambda _: plan.nbytes + 10_000)
    with pytest.raises(OutputError, match=r"it needs .* free$"):
        write(tmp_path, name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"a": [2, 2]},
        {"a.{3000}": [2, 2]},
        {"g.{300}/{w,b}": [2, 2]},
        {"{20}/{20}/w": [1, 1]},
        {"x" * 1000 + ".{30}": [2, 2]},
        {"☃" * 333 + ".{30}/☃": [2, 2]},
        {"/".join("x" * 64): [1] * 32},
        {f"x{n}.y": {"shape": [1] * 32, "dtype": "bfloat16"} for n in range(999)},
        {f"{'z' * n}": [2, 2] for n in range(1, 900)},
    ],
    ids=["none", "one", "flat", "groups", "nested", "long", "wide", "deep", "rank", "lengths"],
)
def test_an_hdf5_file_is_never_larger_than_its_estimate(
    tmp_path: Path, tensors: dict[str, Any]
) -> None:
    spec = {"tensors": tensors}
    nbytes = parse_format("hdf5").lay_out(xavinit.make_plan(spec)).nbytes
    xavinit.generate(spec, tmp_path / "w.h5")
    size = (tmp_path / "w.h5").stat().st_size
    assert size <= nbytes <= 4 * size


@pytest.mark.parametrize("count", [1, 30, 1000])
def test_a_keras_file_is_never_larger_than_its_estimate(tmp_path: Path, count: int) -> None:
    layer = {"name": "long_" * 20 + "{i}", "type": "dense", "in": 2, "out": 2, "dtype": "bfloat16"}
    layers = [{**layer, "name": f"{'long_' * 20}{n}"} for n in range(count)]
    spec = {"framework": "keras", "layers": layers}
    nbytes = parse_format("keras").lay_out(xavinit.make_plan(spec)).nbytes
    xavinit.generate(spec, tmp_path / "w.weights.h5")
    size = (tmp_path / "w.weights.h5").stat().st_size
    assert size <= nbytes <= 4 * size


def test_the_command_line_on_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"tensors": {"w": [100, 100]}}')
    command = f"ulimit -f 8; exec {sys.executable} -m xavinit generate s.json -o w.h5"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "xavinit: cannot write w.h5: File too large\n"
