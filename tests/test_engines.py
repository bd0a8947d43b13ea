"""What is said where a Dask cluster cannot be used; tests/cluster has real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import xavinit
import xavinit.dask
from xavinit.errors import MissingLibraryError, UsageError
from xavinit.verbs.on_dask import open_client

SPEC: dict[str, Any] = {"tensors": {"w": [30, 40]}}


@pytest.fixture
def no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dask", "dask.array", "dask.base", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("no_dask")
def test_without_the_extra_a_message_says_what_to_install() -> None:
    message = r"^this needs Dask: pip install 'xavinit\[dask\]'$"
    with pytest.raises(MissingLibraryError, match=message):
        xavinit.dask.array("w", SPEC)
    with pytest.raises(MissingLibraryError, match=message), open_client("tcp://127.0.0.1:8786"):
        pass


class Client:
    """What looks like a client, and must not be asked anything."""

    def submit(self) -> None: ...

    def run(self) -> None: ...


def test_what_a_cluster_does_not_do(tmp_path: Path) -> None:
    def fail(path: Path, **options: Any) -> str:
        with pytest.raises(UsageError) as caught:
            xavinit.generate(SPEC, path, **options)
        return caught.value.describe()

    client, size = Client(), {"max_shard_size": "1kB"}
    assert fail(tmp_path / "w", client=client, part="1/2", **size) == (
        'a Dask cluster writes all parts; got part "1/2"'
    )
    assert fail(tmp_path / "w", client=3, **size) == ("client must be a distributed.Client; got 3")
    assert fail(tmp_path / "w.safetensors", client=client) == (
        "a Dask cluster needs a set of shards: give the size of a shard, such as 5GB"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_asks_no_cluster(tmp_path: Path) -> None:
    done = xavinit.generate(
        SPEC, tmp_path / "w", max_shard_size="1kB", client=Client(), dry_run=True
    ).part
    assert done is not None
    assert (done.part, done.written) == ("1/1", 1)


def test_the_command_line_takes_one_spec_to_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tensors: {w: [3, 4]}")
    command = [sys.executable, "-m", "xavinit", "generate", "a.yaml", "a.yaml", "--dask", "x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "xavinit: --dask takes one SPEC\n")
