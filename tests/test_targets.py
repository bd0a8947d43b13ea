"""What an output may never be, and what may stand in its place: a stream, a strange folder."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import xavinit
from xavinit.errors import InputError, OutputError, RefusedError
from xavinit.formats import npy
from xavinit.output import disk

SPEC = '{"tensors": {"a": [2, 2], "b": [2, 2]}}'


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xavinit", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, **options
    )


def put(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(SPEC)
    return path


# Where the spec lies, and how the output is asked for.
PLACES: list[tuple[str, str, dict[str, Any]]] = [
    ("d/manifest.json", "d", {"format": "npy"}),
    ("d/a.npy", "d", {"format": "npy"}),
    ("d/model.safetensors", "d", {"max_shard_size": "5GB"}),
    ("d/model-00001-of-00002.safetensors", "d", {"max_shard_size": 16}),
    ("d/model-00007-of-00009.safetensors", "d", {"max_shard_size": 16}),
    ("d/model.safetensors.index.json", "d", {"max_shard_size": 16}),
    ("d/x.safetensors.index.y.json", "d", {"max_shard_size": 16, "shard_name": "x.y"}),
    ("d/w.safetensors", "d/w.safetensors", {}),
]


@pytest.mark.parametrize("how", ["itself", "link to it", "hard link", "link to its folder"])
@pytest.mark.parametrize(("place", "output", "options"), PLACES, ids=[p[0] for p in PLACES])
def test_the_spec_is_never_replaced(
    tmp_path: Path, place: str, output: str, options: dict[str, Any], how: str
) -> None:
    spec = put(tmp_path / place)
    source, target = spec, tmp_path / output
    if how == "link to it":
        source = tmp_path / "link.json"
        source.symlink_to(spec)
    elif how == "hard link":
        source = tmp_path / "hard.json"
        os.link(spec, source)
    elif how == "link to its folder":
        (tmp_path / "other").symlink_to(tmp_path / "d")
        target = tmp_path / "other" / Path(output).relative_to("d")
    for dry_run in (True, False):
        with pytest.raises(RefusedError, match="is the spec itself; it is not replaced"):
            xavinit.generate(source, target, force=True, dry_run=dry_run, **options)
    assert spec.read_text() == SPEC
    assert os.listdir(tmp_path / "d") == [spec.name]


def test_a_spec_within_an_old_output_is_not_removed(tmp_path: Path) -> None:
    """It bears the name of a tensor of that output, not of one of its own."""
    xavinit.generate({"tensors": {"c": [2, 2]}}, tmp_path / "d", format="npy")
    spec = put(tmp_path / "d" / "c.npy")
    with pytest.raises(RefusedError, match=r"c\.npy is the spec itself"):
        xavinit.generate(spec, tmp_path / "d", format="npy", force=True)
    assert spec.read_text() == SPEC


def test_the_spec_on_standard_input_is_never_replaced(tmp_path: Path) -> None:
    spec = put(tmp_path / "d" / "manifest.json")
    with spec.open() as file:
        done = run(tmp_path, "generate", "-", "-f", "npy", "-o", "d", "--force", stdin=file)
    assert done.returncode == 6
    assert done.stderr == "xavinit: d/manifest.json is the spec itself; it is not replaced\n"
    assert spec.read_text() == SPEC


@pytest.mark.skipif(os.name == "nt", reason="needs /dev")
@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/1"])
def test_weights_are_not_appended_to_the_spec(tmp_path: Path, output: str) -> None:
    spec = put(tmp_path / "s.json")
    with spec.open("ab") as file:
        command = [sys.executable, "-m", "xavinit", "generate", "s.json", "-o", output]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=file, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 6
    assert "is the spec itself" in done.stderr
    assert spec.read_text() == SPEC


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("folder", ["/dev/fd/", "/proc/self/fd/"])
@pytest.mark.parametrize("way", ["../../..", "1/../../../..", "./../../.."])
def test_only_handles_are_streams(tmp_path: Path, folder: str, way: str) -> None:
    """A path through the folder of handles is the file at its end, which --force alone replaces."""
    path = tmp_path / "x.safetensors"
    path.write_text("mine")
    with pytest.raises((RefusedError, OutputError)):
        xavinit.generate(json.loads(SPEC), f"{folder}{way}{path}")
    assert path.read_text() == "mine"


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs /dev/fd")
@pytest.mark.parametrize("number", ["99", "2147483647", "2147483648", "9" * 30, "9" * 5000])
def test_a_handle_that_is_not_open(tmp_path: Path, number: str) -> None:
    spec = put(tmp_path / "s.json")
    for dry_run in (True, False):
        with pytest.raises(OutputError, match=r"^cannot write /dev/fd/9*[0-9]*: Bad file desc"):
            xavinit.generate(spec, f"/dev/fd/{number}", dry_run=dry_run)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs /dev/fd")
def test_a_handle_that_is_open_is_written_from_where_it_stands(tmp_path: Path) -> None:
    whole = io.BytesIO()
    xavinit.generate(json.loads(SPEC), whole)
    with (tmp_path / "out").open("w+b", buffering=0) as file:
        file.write(b"before")
        xavinit.generate(json.loads(SPEC), f"/dev/fd/{file.fileno()}")
    assert (tmp_path / "out").read_bytes() == b"before" + whole.getvalue()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_that_becomes_a_file_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    real = os.open

    def swap(name: Any, *rest: Any, **options: Any) -> int:
        if name == str(path):
            path.unlink()
            path.write_text("mine")
        return real(name, *rest, **options)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(RefusedError, match="has become a file"):
        xavinit.generate(json.loads(SPEC), str(path))
    assert path.read_text() == "mine"


# --- A folder that is to be replaced ----------------------------------------------------------

HOSTILE = {
    "deep list": "[" * 1_000_000,
    "deep object": '{"a":' * 1_000_000,
    "deep within": '{"tensors":{},"xavinit":' + "[" * 1_000_000,
    "no UTF-8": b'{"tensors":{"\xff":{"file":"a.npy"}}}',
    "cut short": '{"tensors":{',
    "nothing": "",
    "null": "null",
    "another file": '{"tensors":{"a":{"file":"../a.npy"}}}',
    "a surrogate": '{"tensors":{"\\ud800":{"file":"a.npy"}}}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_folder_with_a_hostile_manifest_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    content = HOSTILE[kind]
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(RefusedError, match="holds files that are not of an earlier run"):
        xavinit.generate(json.loads(SPEC), folder, format="npy", force=True)
    assert (folder / "manifest.json").read_bytes() == data


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling link", "device", "huge"])
def test_a_folder_with_a_strange_manifest_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    path = folder / "manifest.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    with pytest.raises(RefusedError, match="holds files that are not of an earlier run"):
        xavinit.generate(json.loads(SPEC), folder, format="npy", force=True)
    assert os.listdir(folder) == ["manifest.json"]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_large_manifest_takes_no_more_memory_than_its_text(tmp_path: Path) -> None:
    """40 MB of empty lists would be 700 MB of Python's: they are skipped, not made."""
    folder = tmp_path / "d"
    folder.mkdir()
    lists = b"[]," * 14_000_000
    (folder / "manifest.json").write_bytes(b'{"tensors":{},"x":[' + lists + b"[]]}")
    (folder / "foreign").touch()
    code = (  # not ru_maxrss, which is also that of what started the process
        "import sys; from xavinit.formats import npy; assert not npy.is_ours(sys.argv[1])"
        "; print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 200_000_000


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("call", ["open", "listdir", "lstat"])
def test_a_folder_that_cannot_be_read_gives_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    folder = tmp_path / "d"
    xavinit.generate(json.loads(SPEC), folder, format="npy")
    real = getattr(os, call)

    def fail(name: Any, *rest: Any, **options: Any) -> Any:
        if str(name).startswith(str(folder)):
            raise OSError(number, os.strerror(number))
        return real(name, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(InputError, match=f"cannot read .*: {os.strerror(number)}"):
            npy.is_ours(str(folder))
    xavinit.generate(json.loads(SPEC), folder, format="npy", force=True)  # it is ours


# --- A file system without hard links and without renames that fail or exchange ----------------

# What FAT cannot do, and perhaps locks neither; simulated at the seam, not mounted.
POOR = """
import errno, sys
from xavinit.output import disk
from xavinit.process import main
def refuse(*_):
    raise OSError(errno.EPERM, "not here")
disk.link = refuse
disk._rename_with_flag = lambda *_: False
main()
"""


def run_ten(folder: Path, *arguments: str) -> Counter[int]:
    """How many of ten runs at once ended with each exit code."""
    command = [sys.executable, "-c", POOR, "generate", "s.json", "-q", *arguments]
    runs = [
        subprocess.Popen([*command, "--seed", str(seed)], cwd=folder, stderr=subprocess.PIPE)
        for seed in range(10)
    ]
    for process in runs:
        _, told = process.communicate(timeout=120)
        assert told.count(b"\n") <= 1, told
    return Counter(process.returncode for process in runs)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "w.safetensors"],
        ["-o", "w.h5"],
        ["-o", "w", "-f", "npy"],
        ["-o", "w", "--max-shard-size", "16"],
    ],
    ids=["safetensors", "hdf5", "npy", "shards"],
)
def test_ten_runs_on_a_poor_file_system(tmp_path: Path, arguments: list[str]) -> None:
    """Without --force one wins and nine are refused; with it, the last one stands whole."""
    put(tmp_path / "s.json")
    assert run_ten(tmp_path, *arguments) == {0: 1, 6: 9}
    whole = {xavinit.digest(xavinit.draw(json.loads(SPEC), seed=seed)) for seed in range(10)}
    assert xavinit.digest(tmp_path / arguments[1]) in whole
    assert run_ten(tmp_path, *arguments, "--force") == {0: 10}
    assert xavinit.digest(tmp_path / arguments[1]) in whole
    assert sorted(os.listdir(tmp_path)) == ["s.json", arguments[1]]


@pytest.mark.parametrize(
    ("change", "call", "turn", "poor"),
    [
        ("comes", "rename_new", 1, False),
        ("comes", "rename_new", 1, True),
        ("comes", "lock", 1, False),  # while it is checked
        ("comes", "lock", 2, True),  # before it is published
        ("goes", "exchange", 1, True),
        ("goes", "lock", 1, False),
        ("goes", "lock", 2, True),
    ],
)
def test_a_folder_that_another_run_moves_meanwhile_is_replaced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    call: str,
    turn: int,
    poor: bool,
) -> None:
    """With --force no other run's timing is a reason to refuse: it was asked to be the last."""
    folder, other = tmp_path / "w", tmp_path / "other"
    source, target = (folder, other) if change == "goes" else (other, folder)
    xavinit.generate(json.loads(SPEC), source, format="npy", seed=1)
    real = getattr(disk, call)
    calls = []

    def meet(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == turn:
            source.rename(target)
        return real(*arguments)

    if poor:
        monkeypatch.setattr(disk, "_rename_with_flag", lambda *_: False)
    monkeypatch.setattr(disk, call, meet)
    xavinit.generate(json.loads(SPEC), folder, format="npy", seed=2, force=True)
    assert len(calls) >= turn
    assert xavinit.digest(folder) == xavinit.digest(xavinit.draw(json.loads(SPEC), seed=2))
