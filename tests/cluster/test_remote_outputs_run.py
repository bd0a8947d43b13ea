"""`xavinit generate -o s3://…`, `az://…` on real servers: bytes, refusals, faults, deaths."""

from __future__ import annotations

import importlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from safetensors.numpy import load
from store_proxy import Proxy
from store_servers import BUCKET, Server
from test_dask import Cluster

import xavinit

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default::ResourceWarning")]

# Tensors of several parts, of one, and of a few bytes.
SPEC = "seed: 3\ntensors:\n  big: [2200, 2100]\n  'a.{4}': [700, 900]\n  z: [10, 10]\n"
OUTPUTS: dict[str, tuple[str, list[str]]] = {
    "file": ("w.safetensors", []),
    "hdf5": ("w.h5", []),
    "npy": ("w", ["-f", "npy"]),
    "shards": ("w", ["--max-shard-size", "10MB"]),
}
NAMES = {"npy": "manifest.json", "shards": "model.safetensors.index.json"}
MOMENTS = 5  # at which each of ten cases is killed


class Bucket:
    """A server's bucket and a prefix of it that is this test's own."""

    def __init__(self, server: Server, prefix: str, port: int | None = None) -> None:
        self.server = server
        self.prefix = prefix
        self.environment = {**os.environ, **server.get_environment(port)}
        self.client = None if server.scheme == "gs" else server.open_client()

    def url(self, name: str) -> str:
        return f"{self.server.scheme}://{BUCKET}/{self.prefix}/{name}"

    def read(self) -> dict[str, bytes]:
        """All objects under the prefix, by the service's own library."""
        begin = f"{self.prefix}/"
        if self.server.scheme == "gs":
            return self._read_google(begin)
        if self.server.scheme == "az":
            names = [blob.name for blob in self.client.list_blobs(name_starts_with=begin)]
            found = {name: self.client.download_blob(name).readall() for name in names}
        else:
            listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=begin)
            names = [entry["Key"] for entry in listed.get("Contents", [])]
            found = {
                name: self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
                for name in names
            }
        return {name.removeprefix(begin): content for name, content in sorted(found.items())}

    def _read_google(self, begin: str) -> dict[str, bytes]:
        requests = importlib.import_module("requests")  # it comes with the servers
        url = f"http://127.0.0.1:{self.server.port}/storage/v1/b/{BUCKET}/o"
        listed = requests.get(url, params={"prefix": begin}, timeout=60).json().get("items", [])
        return {
            entry["name"].removeprefix(begin): requests.get(
                f"{url}/{quote(entry['name'], safe='')}", params={"alt": "media"}, timeout=60
            ).content
            for entry in sorted(listed, key=lambda entry: str(entry["name"]))
        }

    def list_unfinished(self) -> list[str]:
        begin = f"{self.prefix}/"
        return [name for name in self.server.list_unfinished() if name.startswith(begin)]

    def list_over_objects(self) -> list[str]:
        """Those that Azure keeps over objects that stand: the known exception."""
        begin = f"{self.prefix}/"
        return [name for name in self.server.list_over_objects() if name.startswith(begin)]

    def start(self, spec: Path, output: str, *options: str) -> subprocess.Popen[bytes]:
        name, own = OUTPUTS[output]
        command = [sys.executable, "-m", "xavinit", "generate", str(spec), "-q"]
        command += ["-o", self.url(name), *own, *options]
        return subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE)

    def run(self, spec: Path, output: str, *options: str) -> tuple[int, str]:
        process = self.start(spec, output, *options)
        _, told = process.communicate()
        return process.returncode, told.decode()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "model.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def wholes(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, int], dict[str, bytes]]:
    """What an output is on a disk, by its name there and by the seed."""
    made: dict[tuple[str, int], dict[str, bytes]] = {}

    def make(output: str, seed: int = 3) -> dict[str, bytes]:
        if (output, seed) not in made:
            folder = tmp_path_factory.mktemp("whole")
            name, options = OUTPUTS[output]
            command = [sys.executable, "-m", "xavinit", "generate", str(model), "-q"]
            command += ["-o", str(folder / name), *options, "--seed", str(seed)]
            subprocess.run(command, check=True)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            made[output, seed] = {str(f.relative_to(folder)): f.read_bytes() for f in files}
        return made[output, seed]

    return make


@pytest.fixture
def bucket(server: Server, tmp_path: Path) -> Bucket:
    return Bucket(server, tmp_path.name)


@pytest.fixture
def bucket_behind_proxy(server: Server, proxy: Proxy, tmp_path: Path) -> Bucket:
    bucket = Bucket(server, tmp_path.name, proxy.port)
    bucket.environment["XAVINIT_STORE_PATIENCE"] = "3"
    return bucket


@pytest.mark.parametrize("output", OUTPUTS)
def test_objects_are_the_files_of_a_disk(
    bucket: Bucket, model: Path, wholes: Any, output: str
) -> None:
    assert bucket.run(model, output) == (0, "")
    found = bucket.read()
    assert found == wholes(output)
    assert not bucket.list_unfinished()
    for name, content in found.items():
        if name.endswith(".safetensors"):
            assert load(content).keys() <= {"big", "z", *(f"a.{i}" for i in range(4))}
    code, told = bucket.run(model, output)
    assert code == 6
    assert told.startswith(f"xavinit: {bucket.url('w')}")
    assert told.endswith(" exists; use --force to replace it\n")
    assert bucket.run(model, output, "--force", "--seed", "4") == (0, "")
    assert bucket.read() == wholes(output, 4)


def test_parts_write_one_set(bucket: Bucket, model: Path, wholes: Any) -> None:
    running = [bucket.start(model, "shards", "--part", f"{number}/2") for number in (1, 2)]
    for process in running:
        _, told = process.communicate()
        assert (process.returncode, told) == (0, b"")
    assert bucket.read() == wholes("shards")
    assert bucket.run(model, "shards", "--resume") == (0, "")


@pytest.mark.parametrize("server", ["rclone"], indirect=True)
def test_workers_of_dask_write_one_set(
    bucket: Bucket, model: Path, wholes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.server.get_environment().items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(tmp_path)
    try:
        for _ in range(2):
            cluster.start_worker()
        assert bucket.run(model, "shards", "--dask", cluster.address) == (0, "")
    finally:
        cluster.stop()
    assert bucket.read() == wholes("shards")


DEATHS = [
    *itertools.product(("rclone", "moto"), ("file", "shards", "npy"), [False]),
    ("azurite", "shards", False),
    ("azurite", "shards", True),
    ("gcs", "file", False),
    ("rclone", "shards", True),
    ("moto", "npy", True),
]


@pytest.mark.store_faults
@pytest.mark.parametrize(("server", "output", "force"), DEATHS, indirect=["server"])
def test_a_death_at_a_random_moment(
    bucket: Bucket, model: Path, wholes: Any, output: str, force: bool
) -> None:
    """By SIGTERM or SIGKILL: no object is half, no set is of two, and a second run ends it."""
    moments = random.Random(f"{bucket.server.name} {output} {force}")
    new = wholes(output)
    old = wholes(output, 9) if force else {}
    options = ["--force"] if force else []
    base = bucket.prefix
    started = time.monotonic()
    assert bucket.run(model, output, *options) == (0, "")
    lasts = time.monotonic() - started
    for number in range(MOMENTS):
        bucket.prefix = f"{base}-{number}"
        if force:
            assert bucket.run(model, output, "--seed", "9") == (0, "")
        kind = moments.choice([signal.SIGTERM, signal.SIGKILL])
        process = bucket.start(model, output, *options)
        time.sleep(moments.uniform(0.2, 1) * lasts)
        process.send_signal(kind)
        _, told = process.communicate(timeout=60)
        # A signal may come before it is caught, or when all is done.
        assert process.returncode in (0, -kind, 128 + kind), told
        assert told == b""
        if kind == signal.SIGTERM:
            assert not bucket.list_unfinished()
        check_nothing_half(output, bucket.read(), old, new)
        code, told_again = bucket.run(model, output, *options)
        assert code == 0 or (code == 6 and " exists; use --force" in told_again), told_again
        assert bucket.read() == new
        assert not bucket.list_over_objects()


def check_nothing_half(
    output: str, found: dict[str, bytes], old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    for name, content in found.items():
        if ".xavinit" not in name:
            assert content in (old.get(name), new.get(name)), name
    makes = f"w/{NAMES.get(output, '')}"
    if makes in found:
        assert any({**found, **whole} == found for whole in (old, new) if whole)


@pytest.mark.store_faults
@pytest.mark.parametrize("fault", ["500", "503", "reset", "lost"])
def test_a_store_with_faults(
    bucket_behind_proxy: Bucket, proxy: Proxy, model: Path, wholes: Any, fault: str
) -> None:
    """A quarter of all requests fail; each is tried again."""
    moments = random.Random(fault)

    def choose(method: str, path: str) -> str | None:
        # moto gives all uploads one date, so that one whose beginning was not answered looks old.
        begins = method == "POST" and path.endswith("?uploads")
        is_spared = begins and bucket_behind_proxy.server.name == "moto"
        return fault if moments.random() < 0.25 and not is_spared else None

    proxy.rule = choose
    bucket_behind_proxy.environment["XAVINIT_STORE_PATIENCE"] = "60"
    told = bucket_behind_proxy.run(model, "shards")
    proxy.rule = lambda method, path: None
    assert told == (0, "")
    assert proxy.faults
    assert bucket_behind_proxy.read() == wholes("shards")
    assert not bucket_behind_proxy.list_unfinished()


def is_part(method: str, path: str) -> bool:
    """Does a request send bytes: a part to S3, a block to Azure, a range to Google?"""
    signs = ("partNumber=", "comp=block&", "upload_id=")
    return method == "PUT" and any(sign in f"{path}&" for sign in signs)


@pytest.mark.store_faults
@pytest.mark.parametrize("output", ["file", "shards"])
def test_a_store_that_takes_no_more_parts(
    bucket_behind_proxy: Bucket, proxy: Proxy, model: Path, wholes: Any, output: str
) -> None:
    bucket = bucket_behind_proxy
    proxy.rule = lambda method, path: "503" if is_part(method, path) else None
    code, told = bucket.run(model, output)
    proxy.rule = lambda method, path: None
    assert code == 4
    assert told.startswith(f"xavinit: cannot write {bucket.url(OUTPUTS[output][0])}: the store ")
    hint = "nothing half is there: run it again"
    if output == "shards":
        hint = " files are there, each of them whole; the same command writes the rest"
    assert told.endswith(f"{hint}\n")
    assert not bucket.list_unfinished()
    check_nothing_half(output, bucket.read(), {}, wholes(output))
    assert bucket.run(model, output) == (0, "")
    assert bucket.read() == wholes(output)


@pytest.mark.store_faults
def test_a_stalled_store_holds_no_signal_up(
    bucket_behind_proxy: Bucket, proxy: Proxy, model: Path
) -> None:
    bucket = bucket_behind_proxy
    bucket.environment["XAVINIT_STORE_PATIENCE"] = "1000"
    proxy.rule = lambda method, path: "stall" if is_part(method, path) else None
    process = bucket.start(model, "file")
    assert proxy.stalled.wait(60)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (143, b"")
    assert not bucket.list_unfinished()
    assert not bucket.read()


@pytest.mark.store_faults
@pytest.mark.parametrize("server", ["moto", "azurite", "gcs"], indirect=True)
def test_a_store_that_goes_silent_holds_no_signal_up(
    bucket_behind_proxy: Bucket, proxy: Proxy, model: Path
) -> None:
    """Several uploads are under way; none can be aborted, which is told, and when the run ends."""
    bucket = bucket_behind_proxy
    bucket.environment["XAVINIT_STORE_PATIENCE"] = "1000"
    silent = threading.Event()

    def choose(method: str, path: str) -> str | None:
        if is_part(method, path):
            silent.set()
        return "stall" if silent.is_set() else None

    proxy.rule = choose
    process = bucket.start(model, "npy")
    assert proxy.stalled.wait(60)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)  # one after another they would take minutes
    assert process.returncode == 143
    assert re.match(rb"xavinit: (an|\d) unfinished uploads? .*may be left", told)
    assert told.count(b"\n") == 1


@pytest.mark.store_faults
@pytest.mark.parametrize("server", ["rclone"], indirect=True)
def test_an_upload_of_gigabytes_takes_little_memory(bucket: Bucket, tmp_path: Path) -> None:
    """Of any size up to 84 GB, whose parts are 8 MiB."""
    spec = tmp_path / "large.yaml"
    spec.write_text("tensors: {'w.{20}': [5000, 5000]}")
    # As the process itself sees it: what wait4 tells may be that of the process that forked it.
    script = f"""
import re, sys
from xavinit.process import run_command
sys.argv = ["xavinit", "generate", {str(spec)!r}, "-q", "-o", {bucket.url("w.safetensors")!r}]
assert run_command() == 0
print(re.search("VmHWM: *([0-9]+) kB", open("/proc/self/status").read().replace("\t", " "))[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=bucket.environment, capture_output=True, check=True
    )
    assert int(done.stdout) * 1024 < 256 << 20
    client = bucket.client
    key = f"{bucket.prefix}/w.safetensors"
    assert client.head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 2 * 10**9
    client.delete_object(Bucket=BUCKET, Key=key)
    plan = xavinit.make_plan(spec)
    assert plan.nbytes == 2 * 10**9
