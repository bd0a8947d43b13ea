"""Completion, as shells ask for it, and driven in a terminal where the shell is there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import Shell
from test_cli import run

SPEC = "dims: {width: 64, depth: 3*width, heads: 4}\ntensors: {w: [width, depth]}\n"

# How each shell is started without anybody's own settings, and what `xavinit completion` is put in.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(xavinit completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit && compinit -u -D; eval "$(xavinit completion zsh)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "xavinit completion fish | source"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(SPEC)
    (tmp_path / "outputs").mkdir()
    return tmp_path


def complete(line: str, folder: Path) -> list[str]:
    """What is offered for the last word of a line, as bash asks for it: kinds and words."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_XAVINIT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = run(cwd=folder, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("xavinit comp", ["plain,completion"]),
        ("xavinit completion z", ["plain,zsh"]),
        ("xavinit plan mod", ["file,mod"]),
        ("xavinit check a.yaml mod", ["file,mod"]),
        ("xavinit generate model.yaml -o out", ["file,out"]),
        ("xavinit plan model.yaml --dtype bf", ["plain,bfloat16"]),
        ("xavinit plan model.yaml --set wi", ["plain,width=64"]),
        ("xavinit generate model.yaml --set d", ["plain,depth=3*width"]),
        ("xavinit plan model.yaml --set width=1 --set he", ["plain,heads=4"]),
        ("xavinit plan none.yaml --set wi", []),
        ("xavinit plan --set wi", []),
        ("xavinit plan outputs --set wi", []),
        ("xavinit generate model.yaml --fr", ["plain,--framework"]),
    ],
)
def test_what_is_offered(line: str, offered: list[str], folder: Path) -> None:
    assert complete(line, folder) == offered


@pytest.mark.parametrize("text", ["tensors: [", "- 1", "dims: 3", "dims: {a: [1]}", ""])
def test_a_spec_that_is_wrong_offers_nothing_and_says_nothing(text: str, folder: Path) -> None:
    (folder / "model.yaml").write_text(text)
    assert complete("xavinit plan model.yaml --set w", folder) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_what_to_install(shell: str, folder: Path) -> None:
    done = run("completion", shell, cwd=folder)
    assert done.returncode == 0
    assert f"_XAVINIT_COMPLETE={shell}_complete" in done.stdout.decode()


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    command, setup = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    # The command that a user has installed, under the name that the scripts call.
    (folder / "bin").mkdir()
    program = folder / "bin" / "xavinit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m xavinit "$@"\n')
    program.chmod(0o755)
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    shell = Shell(command, folder, environment)
    try:
        shell.type(f"{setup}; echo re''ady\n")
        assert shell.wait_for("ready\r\n"), shell.seen
        yield shell
    finally:
        shell.close()


@pytest.mark.parametrize(
    ("keys", "completed"),
    [
        ("xavinit generate model.yaml -o outp", "outputs/"),
        ("xavinit plan model.yaml --dtype bf", "bfloat16"),
        ("xavinit plan model.yaml --set wid", "width=64"),
    ],
)
def test_a_shell_completes(shell: Shell, keys: str, completed: str) -> None:
    shell.type(f"{keys}\t")
    assert shell.wait_for(completed), shell.seen
