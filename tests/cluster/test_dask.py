"""A set written by a Dask cluster: a real scheduler and two worker processes, which may be lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster_sets import SIZE, read_set, wait_for
from free_ports import find_free_port

import xavinit
from xavinit.errors import OutputError, RefusedError

# Dask's own threads and sockets end a little later than the tests that use them.
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default::ResourceWarning")]

MANY = {"seed": 5, "tensors": {"h.{120}.w": [500, 500]}}  # 120 shards of 1 MB


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{find_free_port()}"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._count = 0
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def start_worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self._start(
            "worker",
            self.address,
            *("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"),
            *("--local-directory", str(self._folder)),
            *options,
        )

    def stop(self, *processes: subprocess.Popen[bytes]) -> None:
        for process in processes or reversed(self._processes):
            process.kill()
            process.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        self._count += 1
        with (self._folder / f"{self._count}.log").open("wb") as log:
            command = [sys.executable, "-m", "dask", *arguments]
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        self._processes.append(process)
        return process


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Any]:
    from distributed import Client

    with Client(cluster.address, timeout=60, set_as_default=False) as made:
        yield made


def test_two_workers_make_the_same_bytes(
    cluster: Cluster, client: Any, spec: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    cluster.start_worker()
    cluster.start_worker()
    client.wait_for_workers(2)
    seen: list[tuple[int, int]] = []
    done = xavinit.generate(
        spec,
        tmp_path / "w",
        max_shard_size=SIZE,
        client=client,
        progress=lambda *told: seen.append(told),
    )
    assert read_set(tmp_path / "w") == whole
    assert done.part is not None
    assert (done.part.written, done.part.left, done.part.is_complete) == (done.shards, 0, True)
    assert seen[-1] == (done.nbytes, done.nbytes)
    (tmp_path / "w" / "model-00003-of-00007.safetensors").unlink(missing_ok=True)
    again = xavinit.generate(spec, tmp_path / "w", max_shard_size=SIZE, client=client).part
    assert again is not None
    assert (again.written, again.is_complete) == (1, True)
    assert read_set(tmp_path / "w") == whole


def test_the_command_line(
    cluster: Cluster, client: Any, spec: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    cluster.start_worker()
    client.wait_for_workers(1)
    command = [sys.executable, "-m", "xavinit", "generate", str(spec), "-o", "w"]
    command += ["--max-shard-size", SIZE, "--dask", cluster.address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("wrote w (safetensors): 7 shards, ")
    assert done.stderr.endswith("; the set is whole\n")
    assert read_set(tmp_path / "w") == whole
    seeds = subprocess.run(
        [*command, "--seed", "4"], cwd=tmp_path, capture_output=True, check=False
    )
    assert seeds.returncode == 6
    assert read_set(tmp_path / "w") == whole


def test_no_scheduler_is_a_message(spec: Path, tmp_path: Path) -> None:
    from xavinit.verbs import on_dask

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_dask, "_LONGEST_WAIT", 0.5)
        with (
            pytest.raises(OutputError, match=r"^cannot reach a Dask scheduler at tcp://127\.0"),
            on_dask.open_client(f"tcp://127.0.0.1:{find_free_port()}"),
        ):
            pass


PRELOADS = {
    "another stream": (
        "import xavinit.verbs.on_dask as module\nmodule.STREAM = 'xavinit-0'\n",
        r"^the worker tcp://[^ ]* has xavinit 0\.1\.0 with the stream xavinit-0; this is 0\.1",
    ),
    "another version": (
        "import xavinit.verbs.on_dask as module\nmodule.version = lambda name: '0.0.1'\n",
        r"^the worker tcp://[^ ]* has xavinit 0\.0\.1 with the stream xavinit-1; this is 0\.1\.0",
    ),
    "no xavinit": (
        "import sys\nsys.modules['xavinit'] = None\n",
        r"^the worker tcp://[^ ]* cannot use xavinit: .*No module named",
    ),
    "another folder": (
        "import os\nos.path.lexists = lambda path: False\n",
        r"^the worker tcp://[^ ]* does not see the folder .* that is here",
    ),
}


@pytest.mark.parametrize("what", PRELOADS)
def test_a_worker_that_would_write_something_else_is_refused(
    cluster: Cluster, client: Any, spec: Path, tmp_path: Path, what: str
) -> None:
    text, message = PRELOADS[what]
    (tmp_path / "odd.py").write_text(text)
    cluster.start_worker()
    cluster.start_worker("--preload", str(tmp_path / "odd.py"))
    client.wait_for_workers(2)
    with pytest.raises(RefusedError, match=message):
        xavinit.generate(spec, tmp_path / "w", max_shard_size=SIZE, client=client)
    assert not (tmp_path / "w").exists()


def test_a_worker_that_comes_later_is_asked_too(
    cluster: Cluster, client: Any, tmp_path: Path
) -> None:
    """It is not there when the others are asked; its tasks refuse to write."""
    from xavinit.verbs import on_dask

    (tmp_path / "odd.py").write_text(PRELOADS["another stream"][0])
    cluster.start_worker("--preload", str(tmp_path / "odd.py"))
    client.wait_for_workers(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_dask, "check_workers", lambda *_: None)
        with pytest.raises(RefusedError, match=r"^a worker has xavinit 0\.1\.0 with the stream"):
            xavinit.generate(MANY, tmp_path / "w", max_shard_size="50MB", client=client)
    assert not (tmp_path / "w").exists()


def test_a_cluster_without_workers(client: Any, spec: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^the Dask cluster has no workers$"):
        xavinit.generate(spec, tmp_path / "w", max_shard_size=SIZE, client=client)
    assert not (tmp_path / "w").exists()


def test_a_worker_that_is_killed_at_any_moment(
    cluster: Cluster, client: Any, tmp_path: Path
) -> None:
    """50 runs, in each of which kill -9 ends one of the two workers: none loses anything."""
    plan = xavinit.make_plan(MANY)
    xavinit.generate(plan, tmp_path / "whole", max_shard_size="1MB")
    expected = read_set(tmp_path / "whole")
    workers = [cluster.start_worker(), cluster.start_worker()]
    client.wait_for_workers(2)
    started = time.monotonic()
    xavinit.generate(plan, tmp_path / "w", max_shard_size="1MB", client=client)
    takes = time.monotonic() - started
    moments = random.Random("worker")
    shown = set()
    for turn in range(50):
        for path in (tmp_path / "w").iterdir():
            path.unlink()
        victim = workers.pop(turn % 2)

        def kill(victim: subprocess.Popen[bytes] = victim) -> None:
            shown.add(len(list((tmp_path / "w").glob("model-*"))))
            victim.send_signal(signal.SIGKILL)

        timer = threading.Timer(takes * moments.uniform(0.1, 1.0), kill)
        timer.start()
        workers.append(cluster.start_worker())  # for the next turn; it may come in time for this
        done = xavinit.generate(plan, tmp_path / "w", max_shard_size="1MB", client=client)
        timer.join()
        victim.wait()
        assert done.part is not None
        assert done.part.is_complete
        found = read_set(tmp_path / "w")
        assert sum(name.startswith(".xavinit-") for name in found) <= 1  # what was killed
        assert {name: found[name] for name in expected} == expected
        client.wait_for_workers(2)
        wait_for("end of the lost worker", lambda: len(client.scheduler_info()["workers"]) == 2)
    assert len(shown) > 10  # the moments were not all the same


def test_a_lazy_array_is_drawn_by_workers(cluster: Cluster, client: Any) -> None:
    import xavinit.dask

    cluster.start_worker()
    cluster.start_worker()
    client.wait_for_workers(2)
    spec = {
        "seed": 5,
        "tensors": {"w": [700, 900], "v": [3]},
        "rules": [{"match": "v", "init": "zeros"}],
    }
    lazy = xavinit.dask.array("w", spec, chunks=(200, 300))
    assert lazy.numblocks == (4, 3)
    found = client.compute(lazy).result()
    assert (found == xavinit.draw(spec, "w")).all()
    part = client.compute(lazy[123:456:3, ::-1].sum(axis=1)).result()
    assert np.allclose(part, xavinit.draw(spec, "w", (slice(123, 456, 3),)).sum(axis=1), atol=1e-4)


def test_a_lazy_array_may_be_larger_than_memory() -> None:
    import xavinit.dask

    tensors = {"w": [1_000_000, 500_000]}  # 2 TB
    lazy = xavinit.dask.array("w", {"tensors": tensors})
    index = (slice(500_000, 500_003), slice(499_990, None))
    found = lazy[index].compute(scheduler="synchronous")
    assert (found == xavinit.draw({"tensors": tensors}, "w", index)).all()
