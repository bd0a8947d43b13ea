"""What every verb prints: whole or exit 4, whatever takes it; in any encoding; no control codes."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "xavinit"]
MANY = "rules: [{match: none, init: zeros}]\ntensors: {'w.{3000}': [4, 4]}\n"  # and a warning

# Every way to standard output.
PRINTS = [
    "plan many.yaml",
    "plan --json many.yaml",
    "generate --help",
    "generate many.yaml -o -",
    "generate many.yaml -o /dev/stdout",
]
SHORT = [
    "schema",
    "--version",
    "--help",
    "completion",
    "generate many.yaml -o w.h5 --dry-run --json",
]
UNBUFFERED = ["", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "many.yaml").write_text(MANY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    return tmp_path


def start(
    arguments: str | list[str], command: list[str] = COMMAND, **options: Any
) -> subprocess.Popen[bytes]:
    """The command, which `completion` stands for as a shell asks for it."""
    words = arguments.split() if isinstance(arguments, str) else arguments
    environment = {**os.environ, **options.pop("env", {})}
    if words == ["completion"]:
        words, environment["_XAVINIT_COMPLETE"] = [], "bash_source"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*command, *words], env=environment, **options)


def run(arguments: str | list[str], **options: Any) -> tuple[int, bytes, bytes]:
    """The exit code, what stands on standard output (if that is a pipe), and the messages."""
    process = start(arguments, **options)
    out, messages = process.communicate(timeout=60)
    return process.returncode, out or b"", messages or b""


@cache
def find_whole(arguments: str) -> bytes:
    code, whole, _ = run(arguments)
    assert code == 0
    return whole


# --- Whole, or exit 4 ------------------------------------------------------------------------


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("arguments", PRINTS)
def test_a_file_that_may_not_grow_is_told(arguments: str, unbuffered: str) -> None:
    """The write that reaches the limit is short, the next one fails (`ulimit -f`)."""
    whole = find_whole(arguments)
    for limit in (len(whole) // 2, len(whole) - 1, len(whole)):
        with open("out", "wb") as file:
            code, _, messages = run(
                arguments,
                stdout=file,
                env={"PYTHONUNBUFFERED": unbuffered},
                preexec_fn=lambda limit=limit: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (limit, limit)
                ),
            )
        written = Path("out").read_bytes()
        assert written == whole[:limit]
        if limit == len(whole):
            assert code == 0
        else:
            assert code == 4
            last = messages.splitlines()[-1]
            assert last == b"xavinit: cannot write to standard output: File too large"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
def test_a_disk_filled_to_each_level(small_disk: Path, unbuffered: str) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    for arguments in ("plan many.yaml", "plan --json many.yaml", "generate many.yaml -o -"):
        whole = find_whole(arguments)
        assert len(whole) > 64 << 10
        for free in range(0, (64 << 10) + page, 5 * page):
            (small_disk / "full").write_bytes(bytes((64 << 10) - free))
            with open(small_disk / "out", "wb") as file:
                code, _, messages = run(
                    arguments, stdout=file, env={"PYTHONUNBUFFERED": unbuffered}
                )
            assert code == 4
            assert messages.endswith(b"cannot write to standard output: No space left on device\n")
            assert (small_disk / "out").read_bytes() == whole[:free]
            (small_disk / "out").unlink()
            (small_disk / "full").unlink()


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("arguments", [*PRINTS, *SHORT])
def test_a_full_device_is_told(arguments: str, unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        code, _, messages = run(arguments, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert code == 4
    last = messages.splitlines()[-1]
    assert last == b"xavinit: cannot write to standard output: No space left on device"


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("arguments", PRINTS)
def test_a_pipe_that_does_not_block_gets_all(arguments: str, unbuffered: str) -> None:
    whole = find_whole(arguments)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = start(arguments, stdout=writer, env={"PYTHONUNBUFFERED": unbuffered})
    if len(whole) > select.PIPE_BUF * 32:  # nobody reads until the pipe is full
        while select.select([], [writer], [], 0)[1]:
            assert process.poll() is None
            time.sleep(0.01)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == whole
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("arguments", [*PRINTS, *SHORT])
def test_a_pipe_without_a_reader_is_141_and_silent(arguments: str, unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    quiet = "-q" if arguments.startswith("generate many") else ""
    arguments = f"{arguments} {quiet}".replace("plan many", "plan plain")
    arguments = arguments.replace("--json many", "--json plain").rstrip()
    Path("plain.yaml").write_text("tensors: {'w.{3000}': [4, 4]}")
    code, _, messages = run(arguments, stdout=writer, env={"PYTHONUNBUFFERED": unbuffered})
    os.close(writer)
    assert (code, messages) == (141, b"")


# Short writes, full pipes and interrupted calls at every step, as no real system gives them.
FAULTY = """
import os, sys

real, count = os.write, 0

def write(handle, block):
    global count
    if handle != 1:
        return real(handle, block)
    count += 1
    if count % 3 == 0:
        raise BlockingIOError(11, "try again")
    return real(handle, block[: 1 + count * 37 % 5000])

os.write = write
sys.argv[0] = "xavinit"
from xavinit.__main__ import run
run()
"""


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
@pytest.mark.parametrize("arguments", PRINTS)
def test_short_writes_lose_nothing(arguments: str, unbuffered: str) -> None:
    whole = find_whole(arguments)
    code, out, _ = run(
        arguments,
        command=[sys.executable, "-c", FAULTY],
        env={"PYTHONUNBUFFERED": unbuffered},
    )
    assert code == 0
    assert out == whole


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_reader_that_stalls_holds_up_no_signal(number: int, code: int) -> None:
    """What is printed but not written is given up: to write it, the end would wait."""
    process = start(
        "plan many.yaml",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    writable = os.open(f"/proc/{process.pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    while select.select([], [writable], [], 0)[1]:
        assert process.poll() is None
        time.sleep(0.01)
    os.close(writable)
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    process.communicate()


def test_json_and_weights_do_not_share_standard_output() -> None:
    for name in ("-", "/dev/stdout", "/dev/fd/1"):
        code, out, messages = run(f"generate many.yaml -o {name} --json")
        assert (code, out) == (2, b"")
        assert b"cannot both go to standard output" in messages


# --- Messages fail no work -------------------------------------------------------------------


@pytest.mark.parametrize("unbuffered", UNBUFFERED)
def test_messages_that_cannot_be_written_change_nothing(unbuffered: str) -> None:
    whole = find_whole("plan many.yaml")
    environment = {"PYTHONUNBUFFERED": unbuffered}
    reader, closed = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for place in (full.fileno(), closed):
            code, out, _ = run("plan many.yaml", stderr=place, env=environment)
            assert (code, out) == (0, whole)
            assert run("plan none.yaml", stderr=place, env=environment)[0] == 4
            assert run("plan none.yaml --debug", stderr=place, env=environment)[0] == 4
            assert run("frobnicate", stderr=place, env=environment)[0] == 2
            assert run("", stderr=place, env=environment)[0] in (0, 2)  # as click has it
    os.close(closed)


# --- Encodings -------------------------------------------------------------------------------

ENCODINGS = ["ascii", "cp1252", "cp932", "utf-16"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_verb_prints_in_any_encoding(folder: Path, encoding: str) -> None:
    """What an encoding does not have is replaced; no verb fails for it."""
    (folder / "odd.yaml").write_text(
        "rules: [{match: ключ, init: ones}]\ntensors: {é.層.ñ: [3, 4], 'b': [2, 2]}\n",
        encoding="utf-8",
    )
    environment = {"PYTHONIOENCODING": encoding}
    for arguments, code in (
        ("--help", 0),
        ("generate --help", 0),
        ("plan odd.yaml", 0),
        ("schema", 0),
        ("plan --json odd.yaml", 0),
        ("generate odd.yaml --json --dry-run", 0),
        ("generate odd.yaml --dry-run", 0),
        ("generate odd.yaml --seed -1", 2),
        ("frobnicaté", 2),
        ("plan é.yaml", 4),
    ):
        found, out, messages = run(arguments, env=environment)
        text = out.decode(encoding)
        assert found == code, messages.decode(encoding)
        assert "internal error" not in messages.decode(encoding)
        assert "Traceback" not in messages.decode(encoding)
        if arguments == "schema" or "--json" in arguments:
            assert isinstance(json.loads(text), dict)


def test_substitutes_are_readable() -> None:
    environment = {"PYTHONIOENCODING": "ascii"}
    table = run("plan many.yaml", env=environment)[1].decode("ascii").splitlines()
    assert table[1].split()[:7] == ["w.0", "4x4", "float32", "4", "4", "uniform", "+-0.866025"]
    text = run("generate --help", env=environment)[1].decode("ascii")
    assert "(0 ... 2^64-1" in text


def test_a_choice_of_the_user_is_kept() -> None:
    _, table, _ = run("plan many.yaml", env={"PYTHONIOENCODING": "ascii:replace"})
    assert b"4?4" in table


def test_the_plain_locale_of_c() -> None:
    for switches in ({}, {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        environment = {"LC_ALL": "C", **switches}
        for arguments in ("schema", "generate -h", "plan many.yaml", "generate many.yaml --force"):
            code, _, messages = run(arguments, env=environment)
            assert code == 0, messages


# --- Characters that steer a terminal --------------------------------------------------------

HOSTILE = "\x1b[31m\u202e\u2066\u200b\x9b\r\nError: x"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "many.yaml", HOSTILE],
        [HOSTILE],
        ["--" + HOSTILE],
        ["plan", "--seed", HOSTILE, "many.yaml"],
        ["plan", "--framework", HOSTILE, "many.yaml"],
        ["plan", "--dtype", HOSTILE, "many.yaml"],
        ["plan", "--set", HOSTILE, "many.yaml"],
        ["plan", "--set", f"{HOSTILE}=1", "many.yaml"],
        ["plan", "--set", f"d={HOSTILE}", "many.yaml"],
        ["plan", "--" + HOSTILE + "=1", "many.yaml"],
        ["plan", "-" + HOSTILE, "many.yaml"],
        ["plan", HOSTILE],
        ["plan", HOSTILE, "--debug"],
        ["generate", "many.yaml", "-o", HOSTILE],
        ["generate", "many.yaml", "-o", HOSTILE + ".h5", "-f", "npy"],
        ["generate", "many.yaml", "-o", "w/" + HOSTILE + ".h5"],
        ["generate", "many.yaml", "-o", "w", "--max-shard-size", HOSTILE],
        ["generate", "many.yaml", "-o", HOSTILE + ".h5", "--dry-run"],
    ],
)
def test_arguments_reach_no_terminal_unescaped(arguments: list[str]) -> None:
    code, out, messages = run(arguments)
    assert code in (0, 2, 4)
    text = (out + messages).decode()
    assert "\nError: x" not in text
    assert all(char.isprintable() or char == "\n" for char in text), ascii(text)


def test_names_of_tensors_reach_no_terminal_unescaped(folder: Path) -> None:
    names = {HOSTILE + str(number): [2, 2] for number in range(3)}
    (folder / "odd.json").write_text(json.dumps({"tensors": names}))
    code, out, _ = run("plan odd.json")
    assert code == 0
    assert all(char.isprintable() or char == "\n" for char in out.decode())
    assert out.count(b"\\u202e") == 3


def test_clicks_errors_are_told_in_our_style() -> None:
    _, _, messages = run("plan many.yaml é two")
    assert messages.decode().splitlines() == [
        "xavinit: got unexpected extra arguments (é two)",
        "  hint: usage: xavinit plan [OPTIONS] SPEC",
    ]


# --- Limits of the process -------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["640", "4300", "0"])
def test_long_integers_whatever_python_allows(limit: str) -> None:
    """PYTHONINTMAXSTRDIGITS is the interpreter's; the limits of specs are our own."""
    environment = {"PYTHONINTMAXSTRDIGITS": limit}
    Path("long.yaml").write_text(f"dims: {{d: {'9' * 900}}}\ntensors: {{w: [4, 4]}}\n")
    for arguments, code in (
        (f"plan many.yaml --seed {'9' * 700}", 2),
        (f"plan many.yaml --seed {'9' * 5000}", 2),
        (f"plan many.yaml --set d={'9' * 5000}", 2),
        (f"generate many.yaml --dry-run -j {'9' * 700}", 0),
        (f"plan many.yaml --set d={'9' * 90}", 2),
        ("plan long.yaml", 3),
    ):
        found, _, messages = run(arguments, env=environment)
        assert b"internal error" not in messages
        assert found == code, messages


def test_a_handle_that_no_system_has() -> None:
    for number in ("99999", "9" * 30, "9" * 5000):
        code, _, messages = run(f"generate many.yaml -q -o /dev/fd/{number}")
        assert code == 4
        assert messages.count(b"\n") == 1
        assert b"cannot write /dev/fd/9" in messages


@pytest.mark.parametrize("kilobytes", [16_000, 20_000, 30_000, 80_000])
def test_little_address_space_is_told(kilobytes: int) -> None:
    """Python itself needs the most; what it says where it cannot begin is its own."""
    pytest.importorskip("xavinit.streams._kernel")  # NumPy's libraries end the process themselves

    def limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (kilobytes << 10, kilobytes << 10))

    begin = [sys.executable, "-c", "import runpy, os, enum, signal"]
    begins = subprocess.run(begin, preexec_fn=limit_memory, capture_output=True, check=False)
    if begins.returncode:
        pytest.skip("Python needs more to begin with")
    for arguments in ("schema", "plan many.yaml", "generate many.yaml --force -j 8"):
        code, _, messages = run(arguments, preexec_fn=limit_memory)
        assert b"internal error" not in messages
        assert b"Traceback" not in messages, messages
        assert code in (0, 4)
