"""Runs the command line again and again, with a fault at the first call of the seam, the second, …

A program of its own, since it forks: `python fault_runs.py FOLDER KIND ARGUMENT…` where FOLDER/old
is what stands there before each run. A line of JSON for each run tells what came of it; the last
run is the first that ended before its fault was due.

KIND is what happens at the chosen call: an errno's name (the call fails, nothing done), `errors`
(three of them by turns), `after` (it fails though it was done), `dead` (it and all later calls
fail), `short` (half of a block is written) or `kill` (the process dies by SIGKILL).
"""

from __future__ import annotations

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
from typing import Any

import xavinit
import xavinit.report  # loaded by every run, so loaded once
from xavinit.formats.shards import INDEX, SINGLE
from xavinit.output import disk
from xavinit.process import main

CALLS = sorted(
    name
    for name, function in inspect.getmembers(disk, inspect.isfunction)
    if function.__module__ == disk.__name__ and not name.startswith("_")
)


def break_call(kind: str, turn: int, tell: Callable[[str], None]) -> None:
    """Make the call of this number fail, whichever function it is to."""
    count = 0

    by_turns = (errno.EIO, errno.ENOSPC, errno.EINTR)[turn % 3]
    code = by_turns if kind == "errors" else getattr(errno, kind, errno.EIO)

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


def run_once(folder: Path, kind: str, turn: int, arguments: list[str]) -> dict[str, Any]:
    """One run in a process of its own, and what it left."""
    work = folder / "work"
    shutil.copytree(folder / "old", work)
    told = folder / "told"
    told.write_bytes(b"")
    child = os.fork()
    if child == 0:
        os.chdir(work)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        handle = os.open(told, os.O_WRONLY | os.O_APPEND)
        break_call(kind, turn, lambda name: os.write(handle, name.encode() + b"\n") and None)
        sys.argv = ["xavinit", *arguments]
        main()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    result = {
        "turn": turn,
        "calls": told.read_text().split(),
        "code": code,
        "stderr": (folder / "stderr").read_text(),
        "names": sorted(str(path.relative_to(work)) for path in work.rglob("*")),
        "digest": find_digest(work / arguments[arguments.index("-o") + 1]),
    }
    shutil.rmtree(work)
    return result


def find_digest(path: Path) -> str | None:
    """The digest of an output, None where there is none, or what is wrong with it."""
    makes = ("manifest.json", INDEX, SINGLE)  # what makes a folder's files an output
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


if __name__ == "__main__":
    where, what, *rest = sys.argv[1:]
    warm_up()
    for number in range(1, 1000):
        outcome = run_once(Path(where), what, number, rest)
        print(json.dumps(outcome), flush=True)
        if not outcome["calls"]:
            break
