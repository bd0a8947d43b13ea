"""Time one set written by one process, by two parts at once and by two Dask workers.

    python benchmarks/scale.py [--sizes 1,4,8] [--rounds 3] [--folder FOLDER]

prints the tables of docs/scale.md: the shortest of the rounds, in which the ways take turns, and
the most memory that a process took. A Dask worker's is beyond what it had when it was idle.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xavinit

SHARD = "500MB"


def make_spec(gigabytes: int) -> dict[str, Any]:
    """Blocks of a model, 50 MB a tensor."""
    return {"tensors": {f"h.{{{20 * gigabytes}}}.w": {"shape": [3125, 4000]}}}


def run_all(commands: list[list[str]]) -> tuple[float, int]:
    """The seconds that commands take at once, and the most memory of one, in bytes."""
    started = time.perf_counter()
    running = [subprocess.Popen(command) for command in commands]
    most = 0
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"a run failed: {process.args}")
        most = max(most, usage.ru_maxrss * 1024)
    return time.perf_counter() - started, most


def read_memory(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise ValueError(key)


class Workers:
    """A Dask scheduler and two workers."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        dask = [sys.executable, "-m", "dask"]
        schedule = [
            *dask,
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--no-dashboard",
        ]
        work = [*dask, "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self._scheduler = subprocess.Popen(schedule, **quiet)  # type: ignore[call-overload]
        self._workers = [subprocess.Popen(work, **quiet) for _ in range(2)]  # type: ignore[call-overload]
        from distributed import Client

        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(2)

    def run(self, command: list[str]) -> tuple[float, int]:
        idle = []
        for worker in self._workers:
            Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # the peak begins anew
            idle.append(read_memory(worker.pid, "VmRSS"))
        seconds, _ = run_all([[*command, "--dask", self.address]])
        peaks = [read_memory(worker.pid, "VmHWM") for worker in self._workers]
        return seconds, max(peak - before for peak, before in zip(peaks, idle, strict=True))

    def stop(self) -> None:
        for process in (*self._workers, self._scheduler):
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,4,8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    workers = Workers(folder)
    print("| GB | one process, two threads | two parts at once | two Dask workers |")
    print("| --- | --- | --- | --- |")
    try:
        for size in map(int, asked.sizes.split(",")):
            cells = measure(folder, size, asked.rounds, workers)
            print(f"| {size} | {' | '.join(cells)} |", flush=True)
    finally:
        workers.stop()
        shutil.rmtree(folder)


def measure(folder: Path, size: int, rounds: int, workers: Workers) -> list[str]:
    """A row of the table."""
    spec = folder / "s.json"
    spec.write_text(json.dumps(make_spec(size)))
    command = [sys.executable, "-m", "xavinit", "generate", str(spec), "-q"]
    command += ["-o", str(folder / "w"), "--max-shard-size", SHARD]
    parts = [[*command, "--part", f"{n}/2", "-j", "1"] for n in (1, 2)]
    ways: list[Callable[[], tuple[float, int]]] = [
        lambda: run_all([[*command, "-j", "2"]]),
        lambda: run_all(parts),
        lambda: workers.run(command),
    ]
    best = [(float("inf"), 0)] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            seconds, memory = way()
            shutil.rmtree(folder / "w")
            best[place] = min(best[place][0], seconds), max(best[place][1], memory)
    return [f"{seconds:.1f} s, {memory / 2**20:.0f} MiB" for seconds, memory in best]


if __name__ == "__main__":
    print(f"xavinit {xavinit.__version__}, {len(os.sched_getaffinity(0))} cores")
    main()
