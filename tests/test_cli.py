"""The command line as its users meet it: real processes, exit codes, streams and signals."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit

SPEC = (
    "seed: 5\nrules:\n  - {match: '*.bias', init: zeros}\n"
    "tensors:\n  a.weight: [3, 4]\n  a.bias: [3]\n"
)
BIG = "tensors:\n  'w.{64}': [4096, 4096]\n"  # 4.3 GB, a few seconds at least


def run(*arguments: str, cwd: Path, stdin: str | None = None, **options: Any) -> Any:
    """Run the command in a folder; text out, since only a pipe of weights is bytes."""
    return subprocess.run(
        [sys.executable, "-m", "xavinit", *arguments],
        cwd=cwd,
        input=None if stdin is None else stdin.encode(),
        capture_output=True,
        check=False,
        timeout=60,
        **options,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(SPEC)
    return tmp_path


def start(
    *arguments: str, cwd: Path, stdout: int | None = None, signals: Any = signal.SIG_DFL
) -> subprocess.Popen[bytes]:
    """Start the command with signals as a shell's foreground job has them, or ignored."""

    def set_signals() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signals)

    return subprocess.Popen(
        [sys.executable, "-m", "xavinit", *arguments],
        cwd=cwd,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=set_signals,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_generate_writes_beside_and_says_one_line(folder: Path) -> None:
    done = run("generate", "model.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (0, b"")
    line = done.stderr.decode()
    assert line.startswith("wrote model.safetensors (safetensors): 2 tensors, 60 B, seed 5 in ")
    assert line.count("\n") == 1
    assert names(folder) == ["model.safetensors", "model.yaml"]


@pytest.mark.parametrize(("fmt", "name"), [("hdf5", "model.h5"), ("npy", "model")])
def test_the_default_name_follows_the_format(folder: Path, fmt: str, name: str) -> None:
    assert run("generate", "model.yaml", "-f", fmt, cwd=folder).returncode == 0
    assert names(folder) == sorted([name, "model.yaml"])


def test_generate_reports_json(folder: Path) -> None:
    done = run("generate", "model.yaml", "--json", "--seed", "9", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert {key: report[key] for key in ("path", "format", "tensors", "parameters", "bytes")} == {
        "path": "model.safetensors",
        "format": "safetensors",
        "tensors": 2,
        "parameters": 15,
        "bytes": 60,
    }
    assert (report["seed"], report["stream"], report["dry_run"]) == (9, "xavinit-1", False)


def test_quiet_says_nothing(folder: Path) -> None:
    done = run("generate", "model.yaml", "-q", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_pipe_in_and_out(folder: Path) -> None:
    assert run("generate", "model.yaml", cwd=folder).returncode == 0
    whole = (folder / "model.safetensors").read_bytes()
    assert run("generate", "-", stdin=SPEC, cwd=folder).stdout == whole
    assert run("generate", "model.yaml", "-o", "-", cwd=folder).stdout == whole
    assert run("generate", "model.yaml", "-o", "/dev/stdout", cwd=folder).stdout == whole


def test_json_on_stdin_gives_the_bytes_of_the_yaml(folder: Path) -> None:
    data = {
        "tensors": {"a.bias": [3], "a.weight": [3, 4]},
        "rules": [{"init": "zeros", "match": "*.bias"}],
        "seed": 5,
    }
    yaml = run("generate", "-", stdin=SPEC, cwd=folder).stdout
    assert run("generate", "-", stdin=json.dumps(data), cwd=folder).stdout == yaml


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["generate", "model.yaml", "-o", "there.h5"], 6, "there.h5 exists; use --force"),
        (["generate", "none.yaml"], 4, "cannot read none.yaml: No such file or directory"),
        (["generate", "."], 4, "cannot read .: Is a directory"),
        (["generate", "model.yaml", "-o", "no/w.h5"], 4, "cannot write no/w.h5: no folder"),
        (["generate", "model.yaml", "-o", "w"], 2, "cannot tell the format from the suffix of w:"),
        (["generate", "model.yaml", "-o", "w.npy"], 2, "holds one tensor; the spec has 2"),
        (
            ["generate", "model.yaml", "-o", "model.yaml"],
            2,
            "cannot tell the format from the suffix of",
        ),
        (["generate", "model.yaml", "-o", "-", "-f", "hdf5"], 2, "cannot be written to a pipe"),
        (["generate", "model.yaml", "-o", "-", "--json"], 2, "cannot both go to standard output"),
        (["generate", "model.yaml", "-o", ".", "-f", "npy", "--force"], 6, "not of an earlier run"),
        (["generate", "model.yaml", "--seed", "-1"], 2, "seed: must be an integer from 0 to 2⁶⁴−1"),
        (["generate", "model.yaml", "--seed", str(2**64)], 2, "got 18446744073709551616"),
        (["generate", "model.yaml", "--dtype", "float33"], 2, 'did you mean "float32"?'),
        (["generate", "model.yaml", "--set", "d=1"], 2, 'the spec has no dim "d"'),
        (["generate", "model.yaml", "--set", "d"], 2, "must be DIM=VALUE"),
        (
            ["generate", "model.yaml", "--framework", "caffe"],
            2,
            "--framework must be flax, keras or pytorch",
        ),
        (["generate", "model.yaml", "-f", "onnx"], 2, "-f/--format must be hdf5, keras, npy or"),
        (["generate", "model.yaml", "-j", "0"], 2, "invalid value for '-j'"),
        (["generate", "bad.yaml"], 3, 'bad.yaml:2:18: tensors["a"].shape[1]: must be'),
        (["plan", "bad.yaml"], 3, 'bad.yaml:2:18: tensors["a"].shape[1]: must be'),
        (["generate"], 2, "missing argument 'SPEC...'"),
        (["frobnicate"], 2, "no such command frobnicate"),
        (["explain"], 2, "no such command explain\n  hint: xavinit plan SPEC --explain TENSOR"),
        (["completion"], 2, "missing argument '{bash|fish|zsh}'. Choose from: bash, fish, zsh"),
    ],
)
def test_a_mistake_is_one_message_and_a_code(
    folder: Path, arguments: list[str], code: int, message: str
) -> None:
    (folder / "there.h5").write_text("old")
    (folder / "bad.yaml").write_text("tensors:\n  a: {shape: [2, -3]}\n")
    before = names(folder)
    done = run(*arguments, cwd=folder)
    text = done.stderr.decode()
    assert done.returncode == code, text
    assert message in text
    assert "Traceback" not in text
    assert done.stdout == b""
    assert names(folder) == before
    assert (folder / "there.h5").read_text() == "old"


def test_debug_shows_the_traceback(folder: Path) -> None:
    done = run("generate", "none.yaml", "--debug", cwd=folder)
    assert "Traceback" in done.stderr.decode()
    assert done.returncode != 0


def test_a_rule_that_matches_nothing_is_a_warning(folder: Path) -> None:
    text = SPEC.replace("*.bias", "*.biaz").replace("[3]\n", "[3, 3]\n")
    (folder / "w.yaml").write_text(text)
    done = run("generate", "w.yaml", cwd=folder)
    assert done.returncode == 0
    first = done.stderr.decode().splitlines()[0]
    assert first == 'w.yaml:3:13: rules[0].match: warning: "*.biaz" matches no tensor'


def test_plan_is_a_table(folder: Path) -> None:
    done = run("plan", "model.yaml", cwd=folder)
    assert done.stdout.decode().splitlines() == [
        "NAME      SHAPE  DTYPE    FAN_IN  FAN_OUT  LAW               BYTES",
        "a.weight  3×4    float32       4        3  uniform ±0.92582     48",
        "a.bias    3      float32       -        -  constant 0           12",
        "2 tensors, 15 parameters, 60 bytes (60 B)",
    ]


def test_plan_as_json(folder: Path) -> None:
    plan = json.loads(run("plan", "model.yaml", "--json", cwd=folder).stdout)
    weight = plan["tensors"][0]
    assert weight == {
        "name": "a.weight",
        "shape": [3, 4],
        "dtype": "float32",
        "fan_in": 4,
        "fan_out": 3,
        "law": {"type": "uniform", "bound": pytest.approx((6 / 7) ** 0.5)},
        "zero_rows": [],
        "zero_share": 2.0**-150 / (3 / 3.5) ** 0.5,
        "stream": "a.weight",
        "bytes": 48,
    }
    assert (plan["seed"], plan["parameters"], plan["bytes"]) == (5, 15, 60)


def test_version_tells_stream_and_kernel(folder: Path, kernel: str) -> None:
    expected = f"xavinit {xavinit.__version__} (stream xavinit-1, kernel {kernel})\n"
    assert run("--version", cwd=folder).stdout.decode() == expected


def test_the_versions_agree() -> None:
    from importlib.metadata import version

    assert version("xavinit") == xavinit.__version__


def test_weights_do_not_go_to_a_terminal(folder: Path) -> None:
    main, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", "generate", "model.yaml", "-o", "-"],
        cwd=folder,
        stdout=terminal,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(terminal)
    os.close(main)
    assert done.returncode == 2
    assert b"weights are not written to a terminal" in done.stderr


def test_a_pipe_closed_early_is_141_and_silent(folder: Path) -> None:
    (folder / "big.yaml").write_text(BIG)
    process = start("generate", "big.yaml", "-o", "-", cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.read(1000)) == 1000
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=30) == 141
    process.stderr.close()
    assert errors == b""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("output", ["w.safetensors", "w.h5", "folder"])
def test_a_signal_half_way_leaves_the_old_output(
    folder: Path, number: int, code: int, output: str
) -> None:
    (folder / "big.yaml").write_text(BIG)
    fmt = ["-f", "npy"] if output == "folder" else []
    arguments = ["-o", output, *fmt]
    assert run("generate", "model.yaml", *arguments, cwd=folder).returncode == 0
    before = xavinit.digest(folder / output)
    process = start("generate", "big.yaml", *arguments, "--force", cwd=folder)
    deadline = time.monotonic() + 20
    while not list(folder.glob(".xavinit-*")):  # it has begun
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # Stopped before it is interrupted: on a busy machine it may be done by the next line.
    process.send_signal(signal.SIGSTOP)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert names(folder) == sorted(["big.yaml", "model.yaml", output])
    assert xavinit.digest(folder / output) == before


def test_nohup_keeps_a_run_going(folder: Path) -> None:
    """A signal that the caller ignores stays ignored."""
    (folder / "some.yaml").write_text("tensors:\n  'w.{4}': [4096, 4096]\n")
    process = start("generate", "some.yaml", cwd=folder, signals=signal.SIG_IGN)
    while not list(folder.glob(".xavinit-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert names(folder) == ["model.yaml", "some.safetensors", "some.yaml"]


def test_a_full_standard_output_is_told(folder: Path) -> None:
    (folder / "big.yaml").write_text("tensors:\n  'w.{2000}': [4, 4]\n")
    for arguments in (["generate", "big.yaml", "-o", "-"], ["plan", "big.yaml"], ["schema"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "xavinit", *arguments],
                cwd=folder,
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 4
        assert done.stderr.startswith(b"xavinit: cannot write")
        assert done.stderr.endswith(b": No space left on device\n")
        assert done.stderr.count(b"\n") == 1


def test_a_stalled_reader_does_not_hold_up_a_signal(folder: Path) -> None:
    (folder / "big.yaml").write_text(BIG)
    process = start("generate", "big.yaml", "-o", "-", cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1000)
    time.sleep(0.3)  # the pipe is full now
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    process.communicate()


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w"])
def test_a_disk_that_fills_part_way(folder: Path, name: str) -> None:
    (folder / "big.yaml").write_text(BIG)
    limit = 40 << 20
    done = run(
        "generate",
        "big.yaml",
        "-o",
        name,
        *(["-f", "npy"] if name == "w" else []),
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 4
    assert done.stderr.decode() == f"xavinit: cannot write {name}: File too large\n"
    assert names(folder) == ["big.yaml", "model.yaml"]


def test_bytes_are_the_same_whatever_the_processor_and_the_clock(folder: Path) -> None:
    text = "tensors:\n" + "".join(
        f"  {init}.{dtype}: {{shape: [50, 61], init: {init}, dtype: {dtype}}}\n"
        for init in ("glorot_uniform", "glorot_normal", "glorot_truncated_normal")
        for dtype in ("float64", "float32", "float16", "bfloat16")
    )
    (folder / "all.yaml").write_text(text)
    digests = set()
    # the names are those of this NumPy's release: an unknown one would be passed over
    home = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    core = importlib.import_module(f"{home}._multiarray_umath")
    chosen = [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]]
    plain = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(chosen)}
    for suffix in (".safetensors", ".h5"):
        for environment in (None, plain):
            done = run(
                "generate", "all.yaml", "-o", f"w{suffix}", "--force", cwd=folder, env=environment
            )
            assert done.returncode == 0, done.stderr
            content = (folder / f"w{suffix}").read_bytes()
            digests.add((suffix, hashlib.sha256(content).hexdigest()))
            time.sleep(1.1)  # a container's time stamps would differ
    assert len(digests) == 2


def shell(command: str, cwd: Path) -> Any:
    """A command line as a shell runs it, with redirections."""
    return subprocess.run(
        ["bash", "-c", command.replace("xavinit", f"{sys.executable} -m xavinit", 1)],
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("xavinit generate model.yaml >&-", 0),
        ("xavinit generate model.yaml 2>&-", 0),
        ("xavinit generate model.yaml >&- 2>&- <&-", 0),
        ("xavinit generate model.yaml 2>/dev/full", 0),
        ("xavinit generate model.yaml -o - >&-", 4),
        ("xavinit plan model.yaml >&-", 4),
        ("xavinit generate - <&-", 4),
        ("xavinit generate none.yaml 2>&-", 4),
        ("xavinit generate none.yaml 2>/dev/full", 4),
        ("xavinit generate 2>/dev/full", 2),
    ],
)
def test_a_closed_or_full_stream_changes_no_exit_code(
    folder: Path, command: str, code: int
) -> None:
    done = shell(command, folder)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    written = ["model.safetensors"] if code == 0 else []
    assert names(folder) == sorted(["model.yaml", *written])
    if written:
        assert len(xavinit.digest(folder / "model.safetensors")) == 64


@pytest.mark.parametrize("arguments", ["--help", "--version", "generate --help", "schema"])
def test_a_reader_that_is_gone_is_141(folder: Path, arguments: str) -> None:
    done = shell(f"sleep 0.5 && (xavinit {arguments}; echo $? >code) | true", folder)
    assert done.stderr == b""
    deadline = time.monotonic() + 20
    while not (folder / "code").exists() or not (folder / "code").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (folder / "code").read_text() == "141\n"


def test_a_pipe_that_does_not_block_gets_every_byte(folder: Path) -> None:
    (folder / "some.yaml").write_text("tensors: {w: [1000, 2000]}")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "xavinit", "generate", "some.yaml", "-q", "-o", "-"],
        cwd=folder,
        stdout=writer,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    os.close(writer)
    time.sleep(0.5)  # the pipe is full
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    assert process.wait(timeout=20) == 0
    assert run("generate", "some.yaml", cwd=folder).returncode == 0
    assert content == (folder / "some.safetensors").read_bytes()


def test_output_appended_to_a_file(folder: Path) -> None:
    (folder / "log").write_bytes(b"before")
    assert shell("xavinit generate model.yaml -o /dev/stdout >>log", folder).returncode == 0
    assert (folder / "log").read_bytes().startswith(b"before")


def test_more_threads_than_work(folder: Path) -> None:
    for output in ("-", "w.safetensors"):
        done = run("generate", "model.yaml", "-o", output, "-j", "100000", cwd=folder)
        assert done.returncode == 0


INTERRUPTED_IMPORT = """
import signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground
sys.meta_path.insert(0, Interrupt())
sys.argv = ["xavinit", "generate", "model.yaml", "--force"]
from xavinit.__main__ import run
run()
"""


EARLY = ["xavinit.process", "xavinit.console", "xavinit.cli", "click"]


@pytest.mark.parametrize("module", [*EARLY, "msgspec", "yaml", "numpy"])
def test_an_interrupt_while_modules_load_is_silent(folder: Path, module: str) -> None:
    """At the moment of an import, so that no machine is too fast or too slow for the test."""
    done = interrupt_import(folder, INTERRUPTED_IMPORT.format(module=module))
    assert done.returncode == 130
    assert b"xavinit/" not in done.stderr
    assert b"Traceback" not in done.stderr
    if module in EARLY:
        assert done.stderr == b""
    assert names(folder) == ["model.yaml"]


def interrupt_import(folder: Path, script: str) -> Any:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "XAVINIT_KERNEL": "numpy"},  # it alone loads NumPy
        capture_output=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("module", ["click", "msgspec"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_a_destructor_runs_is_not_lost(
    folder: Path, module: str, name: str, code: int
) -> None:
    """Python drops the exceptions of destructors, and shows them."""
    if (module, name) == ("click", "SIGTERM"):
        pytest.skip("the system ends the process itself")
    script = INTERRUPTED_IMPORT.format(module=module).replace(
        "            signal.raise_signal(signal.SIGINT)\n",
        f"            Dying(signal.{name})\n"
        "\nclass Dying:\n"
        "    def __init__(self, number):\n        self.number = number\n"
        "    def __del__(self):\n        signal.raise_signal(self.number)\n",
    )
    (folder / "model.yaml").write_text(BIG)
    done = interrupt_import(folder, script)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert names(folder) == ["model.yaml"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["generate", "model.yaml", "-o", ""], 2, "the name of the output is empty"),
        (["generate", "model.yaml", "--set", "d=" + "9" * 5000], 2, 'the spec has no dim "d"'),
        (["generate", "model.yaml", "-o", "loop.h5", "--force"], 4, "its links go in a circle"),
        (["generate", "model.yaml", "-o", "no\x1b[31m\n/w.h5"], 4, "cannot write no\\x1b[31m\\n/w"),
    ],
)
def test_odd_arguments(folder: Path, arguments: list[str], code: int, message: str) -> None:
    (folder / "loop.h5").symlink_to("other.h5")
    (folder / "other.h5").symlink_to("loop.h5")
    done = run(*arguments, cwd=folder)
    assert done.returncode == code
    assert message in done.stderr.decode()
    first, *rest = done.stderr.splitlines()
    assert first.startswith(b"xavinit: ")
    assert all(line.startswith(b"  hint: ") for line in rest)
    assert (folder / "loop.h5").is_symlink()


def test_json_holds_any_file_name(folder: Path) -> None:
    name = os.fsdecode(b"\xfe.safetensors")
    done = run("generate", "model.yaml", "--json", "-o", name, cwd=folder)
    assert done.returncode == 0
    assert json.loads(done.stdout)["path"] == name


def test_a_spec_whose_name_has_another_suffix(folder: Path) -> None:
    (folder / "m.h5.yaml").write_text(SPEC)
    assert run("generate", "m.h5.yaml", "-f", "npy", cwd=folder).returncode == 0
    assert (folder / "m_h5" / "manifest.json").exists()
