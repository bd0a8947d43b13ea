"""Runs the command line again and again, with a fault at the first call of the seam, the second, …

A program of its own, since it forks: `python fault_runs.py FOLDER KIND ARGUMENT…` where FOLDER/old
is what stands there before each run. A line of JSON for each run tells what came of it; the last
run is the first that ended before its fault was due.

KIND is what happens at the chosen call: an errno's name (the call fails, nothing done), `errors`
(three of them by turns), `after` (it fails though it was done), `dead` (it and all later calls
fail), `short` (half of a block is written) or `kill` (the process dies by SIGKILL). With `system:`
before it (`errors`, `dead`, `short` or an errno's name), the call is one of the system's, made by
whatever library; then system_faults.c must be loaded. With `poor:` before it, the file system has
neither hard links nor renames that fail or exchange.

The first ARGUMENT may also be `digest`: the output that follows is read. Of an OUT that is `-`,
what goes to standard output is looked at.
"""

from __future__ import annotations

import ctypes
import errno
import inspect
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import xavinit
import xavinit.report.outputs  # loaded by every run, so loaded once
from xavinit.failures import format_error
from xavinit.formats.shard_names import DEFAULT
from xavinit.output import disk
from xavinit.process import explain_error, main

PIPED = "piped.safetensors"

CALLS = sorted(
    name
    for name, function in inspect.getmembers(disk, inspect.isfunction)
    if function.__module__ == disk.__name__ and not name.startswith("_")
)


def break_call(kind: str, turn: int, tell: Callable[[str], None]) -> None:
    """Make the call of this number fail, whichever function it is to."""
    count = 0
    code = find_code(kind, turn)

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(disk, name)

        def call(*args: Any) -> Any:
            nonlocal count
            count += 1
            if count < turn or (count > turn and kind != "dead"):
                return real(*args)
            tell(name)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "short":
                if name not in ("write_at", "write_on"):
                    return real(*args)
                block = args[1]
                return real(args[0], block[: (len(block) + 1) // 2], *args[2:])
            if kind == "after" or name == "close":  # a handle is gone, whatever close says
                real(*args)
            raise OSError(code, os.strerror(code))

        return call

    for name in CALLS:
        setattr(disk, name, wrap(name))


def make_poor() -> None:
    """Take from the seam what FAT cannot do."""

    def refuse(*_: str) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    disk.link = refuse
    disk._rename_with_flag = lambda *_: False


def break_system_call(kind: str, turn: int, work: Path, teller: int) -> None:
    """Make the system call of this number fail, of those about files of the folder or stdout."""
    code = 0 if kind == "short" else find_code(kind, turn)
    arm = ctypes.CDLL(None).fault_arm
    arm(os.fsencode(os.path.realpath(work)), 1, turn, code, kind == "dead", teller)


def find_code(kind: str, turn: int) -> int:
    by_turns = (errno.EIO, errno.ENOSPC, errno.EINTR, errno.EDQUOT)[turn % 4]
    return by_turns if kind == "errors" else int(getattr(errno, kind, errno.EIO))


def run_once(folder: Path, kind: str, turn: int, arguments: list[str]) -> dict[str, Any]:
    """One run in a process of its own, and what it left."""
    work = folder / "work"
    output = arguments[1 if arguments[0] == "digest" else arguments.index("-o") + 1]
    shutil.copytree(folder / "old", work)
    told = folder / "told"
    told.write_bytes(b"")
    child = os.fork()
    if child == 0:
        os.chdir(work)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        handle = os.open(told, os.O_WRONLY | os.O_APPEND)
        if output == "-":
            os.dup2(os.open(work / PIPED, os.O_WRONLY | os.O_CREAT), 1)
        if kind.startswith("poor:"):
            make_poor()
            kind = kind.removeprefix("poor:")
        if kind.startswith("system:"):
            break_system_call(kind.removeprefix("system:"), turn, work, handle)
        else:
            break_call(kind, turn, lambda name: os.write(handle, name.encode() + b"\n") and None)
        if arguments[0] == "digest":
            read(work / output)
        sys.argv = ["xavinit", *arguments]
        main()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    result = {
        "turn": turn,
        "calls": told.read_text().split(),
        "code": code,
        "stderr": (folder / "stderr").read_text(),
        "names": sorted(str(path.relative_to(work)) for path in work.rglob("*")),
        "digest": find_digest(work / (PIPED if output == "-" else output)),
    }
    shutil.rmtree(work)
    return result


def read(path: Path) -> NoReturn:
    """Read an output, and end as the command line would."""
    try:
        xavinit.digest(path)
    except Exception as error:
        told, code = explain_error(error)
        os.write(2, format_error(told).encode() + b"\n")
        os._exit(code)
    os._exit(0)


def find_digest(path: Path) -> str | None:
    """The digest of an output, None where there is none, or what is wrong with it."""
    # What makes a folder's files an output.
    makes = ("manifest.json", DEFAULT.index, DEFAULT.single)
    if not (any((path / name).exists() for name in makes) if path.is_dir() else path.is_file()):
        return None
    try:
        return xavinit.digest(path)
    except (OSError, xavinit.XavinitError) as error:
        return f"broken: {error}"


def warm_up() -> None:
    """Load here, once, what every run would load again."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "s.yaml")
        spec.write_text("tensors: {w: [3, 4]}")
        for name in ("w.safetensors", "w.h5", "w.npy"):
            xavinit.generate(spec, Path(folder, name), jobs=1)
            xavinit.digest(Path(folder, name))
        keras = {
            "framework": "keras",
            "layers": [{"name": "a", "type": "dense", "in": 2, "out": 2}],
        }
        xavinit.generate(keras, Path(folder, "w.weights.h5"), jobs=1)


if __name__ == "__main__":
    where, what, *rest = sys.argv[1:]
    warm_up()
    for number in range(1, 3000):
        outcome = run_once(Path(where), what, number, rest)
        print(json.dumps(outcome), flush=True)
        if not outcome["calls"]:
            break
