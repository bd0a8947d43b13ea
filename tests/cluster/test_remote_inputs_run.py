"""Weights and specs read from real servers of objects: as from a disk, also through faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import msgspec
import pytest
from store_proxy import Proxy, fail_first
from store_servers import BUCKET, SECRET, Server
from weights_of_all_kinds import NAMES, make_inputs, make_set

import xavinit
from xavinit.errors import InputError, UnreadableError
from xavinit.formats import Reader, load_index
from xavinit.stores import Store

pytestmark = pytest.mark.cluster


def put(server: Server, key: str, content: bytes) -> None:
    """Make an object without our stores, straight to the server."""
    if server.scheme == "az":
        server.open_client().upload_blob(key, content, overwrite=True)
    elif server.scheme == "s3":
        server.open_client().put_object(Bucket=BUCKET, Key=key, Body=content)
    else:
        place = f"http://127.0.0.1:{server.port}/upload/storage/v1/b/{BUCKET}/o"
        url = f"{place}?uploadType=media&name={quote(key, safe='')}"
        with urlopen(Request(url, content, method="POST"), timeout=60) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    make_inputs(folder)
    return folder


@pytest.fixture
def url(server: Server, store: Store, disk: Path) -> str:
    """A prefix in the server's bucket, with a copy of the folder, read through the proxy."""
    for path in disk.rglob("*"):
        if path.is_file():
            put(server, f"models/{path.relative_to(disk).as_posix()}", path.read_bytes())
    return f"{server.scheme}://{BUCKET}/models"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xavinit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_objects_of_every_kind_read_as_their_files(url: str, disk: Path) -> None:
    for name in NAMES:
        there, here = f"{url}/{name}", disk / name
        assert xavinit.digest(there) == xavinit.digest(here), name
        assert xavinit.derive(there).text == xavinit.derive(here).text, name
        inspected = xavinit.inspect(here)
        assert msgspec.structs.replace(xavinit.inspect(there), path=inspected.path) == inspected
        assert xavinit.diff(there, here).is_same, name
    for name in ("w.safetensors", "w.h5", "k.weights.h5", "npy", "npy/", "set", "set/"):
        assert xavinit.verify(f"{url}/{name}").is_same, name
        assert xavinit.verify(disk / name.rstrip("/"), f"{url}/{name}").is_same, name


def test_the_command_line_reads_objects(url: str, server: Server) -> None:
    put(server, "s.yaml", b"tensors:\n  w: [3, 4]\n")
    done = run("inspect", f"{url}/w.safetensors", f"{url}/npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"==> {url}/npy <==" in done.stdout
    spec = f"{server.scheme}://{BUCKET}/s.yaml"
    assert run("plan", spec).returncode == 0
    assert run("verify", f"{url}/set", f"{url}/w.h5").returncode == 0
    done = run("digest", f"{url}/none")
    assert done.returncode == 4
    assert done.stderr == f"xavinit: cannot read {url}/none: no such object\n"


def test_what_is_not_there(url: str, server: Server) -> None:
    with pytest.raises(InputError) as caught:
        xavinit.inspect(f"{url}/none/")
    assert str(caught.value) == f"cannot read {url}/none/: no object has this prefix"
    with pytest.raises(InputError) as caught:
        xavinit.inspect(f"{server.scheme}://no-such-bucket/w")
    told = str(caught.value).removeprefix(
        f"cannot read {server.scheme}://no-such-bucket/w: no such "
    )
    assert told in ("object", "bucket", "container")


def test_deriving_a_set_reads_little_of_it(
    server: Server, store: Store, proxy: Proxy, tmp_path: Path
) -> None:
    files, sizes = make_set(2, 1536)
    for name, content in files.items():
        put(server, f"large/{name}", content.ljust(sizes.get(name, 0), b"\0"))
    proxy.sent = 0
    derived = xavinit.derive(f"{server.scheme}://{BUCKET}/large")
    assert "model.layers.{blocks}.input_layernorm.weight" in derived.spec["tensors"]
    assert proxy.sent < sum(sizes.values()) / 100


@pytest.mark.store_faults
@pytest.mark.parametrize("fault", ["500", "503", "reset", "half", "lost"])
def test_requests_that_fail_are_made_again(fault: str, url: str, proxy: Proxy, disk: Path) -> None:
    for name in ("w.safetensors", "w.h5", "set"):
        before = proxy.faults
        proxy.rule = fail_first(2, fault, "GET")
        assert xavinit.digest(f"{url}/{name}") == xavinit.digest(disk / name)
        assert proxy.faults == before + 2


@pytest.mark.parametrize("name", ["w.safetensors", "chunked.h5"])
def test_an_object_that_is_replaced_while_it_is_read(
    name: str, url: str, server: Server, disk: Path
) -> None:
    index = load_index(f"{url}/{name}")
    content = (disk / name).read_bytes()
    put(server, f"models/{name}", content[:-1] + bytes([content[-1] ^ 1]))
    tensor = max(index.tensors, key=lambda tensor: tensor.nbytes)
    with Reader() as reader, pytest.raises(UnreadableError) as caught:
        reader.read(tensor, 0, tensor.size)
    assert str(caught.value) == f"cannot read {url}/{name}: the object has changed"


@pytest.mark.store_faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_waits_for_the_store(
    number: signal.Signals, url: str, proxy: Proxy
) -> None:
    proxy.rule = lambda method, path: "stall" if method == "GET" else None
    command = [sys.executable, "-m", "xavinit", "digest", f"{url}/w.safetensors"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert proxy.stalled.wait(60)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert b"Traceback" not in told


def test_wrong_credentials_are_told_without_them(
    url: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server.name in ("moto", "gcs"):
        pytest.skip("this server takes any credentials")
    wrong = SECRET[::-1]
    name = "AZURE_STORAGE_ACCOUNT_KEY" if server.scheme == "az" else "AWS_SECRET_ACCESS_KEY"
    monkeypatch.setenv(name, "d3Jvbmc=" if server.scheme == "az" else wrong)
    done = run("inspect", f"{url}/w.safetensors")
    assert done.returncode == 4
    assert done.stderr.startswith(f"xavinit: cannot read {url}/w.safetensors: access denied")
    assert os.environ[name] not in done.stderr
