"""Whole processes, timed from outside: wall seconds and peak memory."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# What getrusage counts in: bytes on macOS, kibibytes elsewhere.
_UNIT = 1 if sys.platform == "darwin" else 1024


class Program(NamedTuple):
    """A command under a short name; `{out}` in its arguments is the file it writes, if any."""

    name: str
    command: tuple[str, ...]


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    peak: int  # bytes


class Result(NamedTuple):
    """All runs of one program."""

    name: str
    runs: list[Run]

    @property
    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        return min(run.seconds for run in self.runs), max(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        return max(run.peak for run in self.runs)


def measure(programs: Sequence[Program], folder: Path, runs: int, nbytes: int) -> list[Result]:
    """Run every program once a round, `runs` rounds, so that a slow minute hits all alike.

    Each must write at least `nbytes` to its `{out}`.
    """
    results = [Result(program.name, []) for program in programs]
    for _ in range(runs):
        for program, result in zip(programs, results, strict=True):
            out = folder / "out.safetensors"
            result.runs.append(run_once(program, out))
            if nbytes and out.stat().st_size < nbytes:
                raise SystemExit(f"{program.name} wrote only {out.stat().st_size:,} bytes")
            remove(out)
    return results


def run_once(program: Program, out: Path) -> Run:
    """One timed process, in the folder of `out`, its standard output dropped."""
    command = [part.replace("{out}", str(out)) for part in program.command]
    # Another's unwritten pages must not be paid for here.
    os.sync()
    started = time.perf_counter()
    # The child's peak counts this small process too, which it is a copy of for an instant: so
    # nothing large is imported here.
    process = subprocess.Popen(
        command,
        cwd=out.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = complaint.decode(errors="replace")
        raise SystemExit(f"{program.name} ended with {process.returncode}:\n{text}")
    return Run(seconds, usage.ru_maxrss * _UNIT)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
