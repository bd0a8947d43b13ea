"""What the cluster tests share: when they run, a spec and its set, a Slurm, servers of objects.

They run with `pytest -m cluster` alone (`make test-cluster`), and need what Debian calls parallel,
slurm-wlm and munge; Slurm's daemons are started here, as root, and end with the tests. So do the
servers of object stores.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_sets import SIZE, SPEC, read_set, wait_for
from free_ports import find_free_port
from store_proxy import Proxy, start_proxy
from store_servers import BUCKET, Server, start_server

import xavinit
from xavinit.stores import Store, open_store, parse_url
from xavinit.stores.opening import forget_stores

HERE = Path(__file__).parent

if shutil.which("slurmctld") is None:  # Debian's daemons are not on every PATH
    os.environ["PATH"] += ":/usr/sbin"
# The command of the environment that runs the tests, in recipes too.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "cluster" in config.option.markexpr and "not cluster" not in config.option.markexpr:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="runs with -m cluster"))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The set as one run on one machine writes it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "model.yaml").write_text(SPEC)
    xavinit.generate(folder / "model.yaml", folder / "w", max_shard_size=SIZE)
    return read_set(folder / "w")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Each server of objects by its name, started when it is first asked for."""
    folder = tmp_path_factory.mktemp("servers")
    started: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Server:
            if name not in started:
                started[name] = stack.enter_context(start_server(name, folder))
            return started[name]

        yield start


@pytest.fixture(params=["rclone", "moto", "azurite", "gcs"])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    return servers(request.param)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """What stands before the server, and makes faults."""
    with start_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def store(server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The server's bucket, through the proxy."""
    for name, value in server.get_environment(proxy.port).items():
        monkeypatch.setenv(name, value)
    forget_stores()
    yield open_store(parse_url(f"{server.scheme}://{BUCKET}/"))
    forget_stores()


SLURM = """
ClusterName=xavinit
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2048 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Runs a command of Slurm's, on a cluster of this machine alone."""
    folder = (
        Path("/tmp") / f"xavinit-slurm-{os.getpid()}"
    )  # short: the path of a socket has a limit
    for path in (folder, folder / "state", folder / "spool"):
        path.mkdir(mode=0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = platform.node().partition(".")[0]
    ports = [find_free_port(), find_free_port()]
    config = folder / "slurm.conf"
    config.write_text(
        SLURM.format(host=host, folder=folder, ports=ports, cpus=len(os.sched_getaffinity(0)))
    )
    environment = {**os.environ, "SLURM_CONF": str(config)}
    munge = [f"--{name}={folder}/munge.{name.partition('-')[0]}" for name in ("socket", "pid-file")]
    munge += [f"--key-file={key}", f"--log-file={folder}/munge.log", f"--seed-file={folder}/seed"]
    commands = [
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config), "-N", host],
    ]

    def run(*command: str, **options: Any) -> str:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, **options
        )
        if done.returncode:
            raise OSError(f"{command[0]}: {done.stderr}")
        return done.stdout.strip()

    def is_idle() -> bool:
        with contextlib.suppress(OSError):  # it does not answer yet
            return run("sinfo", "-h", "-o", "%T") == "idle"
        return False

    daemons = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.log").open("wb") as log:
                daemons.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if command[0] == "munged":
                wait_for("munge", (folder / "munge.socket").exists)
        wait_for("idle node of Slurm", is_idle)
        yield run
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(folder)
