"""Each system call failed in turn, whoever makes it: HDF5's library too, streams, and readers."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_faults import OUTPUTS, QUICK, find_old_digest, find_states, make_old, run_all

import xavinit

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None, reason="needs Linux and a C compiler"
)
KINDS = [
    "errors",  # by turns what the slow tests try one by one
    "short",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("ENOSPC", "EIO", "EDQUOT", "EFBIG", "EINTR", "dead")
    ),
]
CASES = [
    pytest.param(output, before, marks=[pytest.mark.faults] * ((output, before) not in QUICK))
    for output in OUTPUTS
    for before in ("nothing", "force")
]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """system_faults.c, compiled."""
    path = tmp_path_factory.mktemp("library") / "system_faults.so"
    command = [str(COMPILER), "-Wall", "-shared", "-fPIC", "-o", str(path)]
    subprocess.run([*command, str(HERE / "system_faults.c"), "-ldl"], check=True)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("output", "before"), CASES)
def test_a_fault_of_any_system_call(
    tmp_path: Path, library: Path, output: str, before: str, kind: str
) -> None:
    arguments = make_old(tmp_path, output, before)
    runs = run_all(tmp_path, f"system:{kind}", arguments, library)
    states = find_states(tmp_path, runs)
    old_digest = find_old_digest(tmp_path, output, before)
    assert len(runs) > 5
    calls = {call for run in runs for call in run["calls"]}
    assert {"fsync", "unlink" if output in ("safetensors", "hdf5", "keras") else "mkdir"} <= calls
    for run in runs[:-1]:
        is_new = run["digest"] == states["digest"]
        if kind == "short":
            assert (run["code"], is_new, run["names"]) == (0, True, states["new"]), run
        elif run["code"] == 0:
            assert is_new, run
            assert run["names"] == states["new"], run
        else:
            assert run["code"] == 4, run
            assert run["stderr"].startswith("xavinit: cannot "), run
            assert run["stderr"].count("\n") == 1, run
            if kind != "dead" and is_new:
                assert run["names"] == states["new"], run
            elif kind != "dead":
                assert (run["names"], run["digest"]) == (states["old"], old_digest), run
            else:
                assert is_new or run["digest"] in (old_digest, None), run


@pytest.mark.parametrize("kind", [*KINDS, "EPIPE"])
def test_a_fault_of_any_call_of_a_stream(tmp_path: Path, library: Path, kind: str) -> None:
    make_old(tmp_path, "safetensors", "nothing")
    arguments = ["generate", "s.yaml", "-j", "1", "-o", "-"]
    runs = run_all(tmp_path, f"system:{kind}", arguments, library)
    assert {call for run in runs for call in run["calls"]} >= {"write"}
    for run in runs[:-1]:
        if run["code"] == 0:
            assert run["digest"] == runs[-1]["digest"], run
        else:
            assert kind not in ("short", "EINTR"), run
            is_closed = kind == "EPIPE" and run["calls"] == ["write"]  # else a fault of the spec's
            assert run["code"] == (141 if is_closed else 4), run
            assert run["stderr"].count("\n") == (0 if is_closed else 1), run


@pytest.mark.parametrize(
    "kind", ["EIO", "short", *(pytest.param(k, marks=pytest.mark.slow) for k in ("EINTR", "dead"))]
)
@pytest.mark.parametrize(
    "output",
    [
        pytest.param(output, marks=[pytest.mark.faults] * (output not in ("safetensors", "npy")))
        for output in OUTPUTS
    ],
)
def test_a_fault_of_any_call_of_a_reader(
    tmp_path: Path, library: Path, output: str, kind: str
) -> None:
    make_old(tmp_path, output, "force")
    name = OUTPUTS[output][1]
    runs = run_all(tmp_path, f"system:{kind}", ["digest", name], library)
    assert {call for run in runs for call in run["calls"]} & {"read", "pread", "pread64"}
    for run in runs[:-1]:
        # Python tries again where it was interrupted; HDF5's library does so but for open.
        is_carried_on = kind == "short" or (kind == "EINTR" and "open64" not in run["calls"])
        if is_carried_on:
            assert run["code"] == 0, run
        elif run["code"] != 0:
            assert run["code"] == 4, run
            assert run["stderr"].startswith("xavinit: cannot read "), run
            assert run["stderr"].count("\n") == 1, run


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("output", ["hdf5", "keras"])
def test_a_file_system_without_locks(
    tmp_path: Path, library: Path, output: str, number: int
) -> None:
    """Where flock fails as there, an HDF5 file is written and read; simulated, not mounted."""
    make_old(tmp_path, output, "nothing")
    name = OUTPUTS[output][1]
    code = f"import xavinit; xavinit.generate('s.yaml', {name!r}); print(xavinit.digest({name!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "old",
        env={**os.environ, "LD_PRELOAD": str(library), "XAVINIT_TEST_FLOCK": str(number)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == xavinit.digest(tmp_path / "old" / name)


def test_a_file_that_another_program_writes_is_not_read(tmp_path: Path) -> None:
    """Where there are locks, HDF5's own tells of it."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "w.h5"
    xavinit.generate({"tensors": {"w": [2, 2]}}, path)
    code = f"import h5py, sys; h5py.File({str(path)!r}, 'a'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code.replace("h5py.File(", "f = h5py.File(")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(xavinit.InputError, match="cannot read"):
            xavinit.digest(path)
        other.communicate()
    assert h5py.File(path).keys() == {"w"}
