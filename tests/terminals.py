"""A terminal of a given width, for tests of what a person sees."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMAND = (sys.executable, "-m", "xavinit")


def open_terminal(columns: int, rows: int = 40) -> tuple[int, int]:
    """The two ends of a terminal: ours, and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, theirs


def read_all(handle: int) -> str:
    """What is written until the other end is closed."""
    content = b""
    with contextlib.suppress(OSError):  # Linux says so of a terminal whose other end is closed
        while block := os.read(handle, 65536):
            content += block
    return content.decode()


def run_in_terminal(
    *arguments: str, cwd: Path, columns: int, stdout: int | None = None, **options: Any
) -> tuple[int, str]:
    """The exit code of a command and what it wrote to its terminal, or beside another stdout."""
    ours, theirs = open_terminal(columns)
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=environment,
        **options,
    )
    os.close(theirs)
    text = read_all(ours).replace("\r\n", "\n")
    os.close(ours)
    return process.wait(timeout=60), text


class Shell:
    """An interactive shell in a terminal, into which keys are typed."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self.ours, theirs = open_terminal(120)
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            # Without a terminal of its own, a shell has no jobs.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def wait_for(self, text: str, seconds: float = 20) -> bool:
        """Read until a text is seen, colors apart; what was seen before it is forgotten."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.ours], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return False
            block = os.read(self.ours, 65536).decode(errors="replace")
            self.seen = _CODES.sub("", self.seen + block)
        self.seen = self.seen.partition(text)[2]
        return True

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
