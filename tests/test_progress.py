"""The line of progress: on a terminal alone, of long work alone, one line at any width."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import open_terminal, read_all, run_in_terminal
from test_cli import SPEC

from xavinit.cli.progress import showing_progress

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TOTAL = 8 * 10**9


class Clock:
    """A time that passes when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A terminal that takes the place of standard error."""

    def __init__(self, columns: int) -> None:
        self.ours, theirs = open_terminal(columns)
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")

    def close(self) -> str:
        self.stream.close()
        return read_all(self.ours)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", clock)
        patch.setattr(time, "time", clock)  # of click's time left
        yield clock


def draw(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int, *, seconds: float, end: bool = True
) -> str:
    """What work of so many seconds writes to a terminal, at 1 GB a second."""
    screen = Screen(columns)
    monkeypatch.setattr(sys, "stderr", screen.stream)
    with showing_progress(quiet=False) as progress:
        assert progress is not None
        for tenth in range(1, round(seconds * 10) + 1):
            clock.now += 0.1
            progress(tenth * 10**8, TOTAL)
        if end:
            progress(TOTAL, TOTAL)
    return screen.close()


@pytest.mark.parametrize("columns", [10, 20, 30, 40, 80, 200])
def test_it_is_one_line_at_any_width(
    columns: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = draw(clock, monkeypatch, columns, seconds=5)
    assert "\n" not in text
    drawn = [CODES.sub("", part) for part in text.split("\r")]
    assert max(map(len, drawn)) + len("^C") < columns  # which the terminal adds of an interrupt
    # Each begins by erasing what was there, and the last leaves nothing, and the cursor.
    assert all(part.startswith("\x1b[?25l\x1b[K") for part in text.split("\r")[1:-1])
    assert text.endswith("\r\x1b[K\x1b[?25h")


def test_what_it_tells(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Percent, the time left and the present rate; narrow terminals get what fits."""
    lines = {}
    for columns in (10, 20, 30, 80):
        text = draw(clock, monkeypatch, columns, seconds=3.9)
        lines[columns] = CODES.sub("", text.split("\r")[-2])
    assert lines == {
        10: " 48%",
        20: " 48%  1 GB/s",
        30: " 48%  00:00:04  1 GB/s",
        80: "[#################-------------------]   48%  00:00:04  1 GB/s",
    }


def test_the_rate_is_the_present_one(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(80)
    monkeypatch.setattr(sys, "stderr", screen.stream)
    with showing_progress(quiet=False) as progress:
        assert progress is not None
        done = 0
        for speed in [10**8] * 50 + [10**7] * 50:  # a tenth as fast after five seconds
            clock.now += 0.1
            done += speed
            progress(done, TOTAL)
    last = CODES.sub("", screen.close().split("\r")[-2])
    assert last.endswith("100 MB/s")


def test_short_work_shows_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert draw(clock, monkeypatch, 80, seconds=0.9) == ""


def test_a_failure_leaves_no_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(80)
    monkeypatch.setattr(sys, "stderr", screen.stream)

    def fail() -> None:
        with showing_progress(quiet=False) as progress:
            assert progress is not None
            for tenth in range(30):
                clock.now += 0.1
                progress(tenth * 10**8, TOTAL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert screen.close().endswith("\r\x1b[K\x1b[?25h")


def test_a_pipe_and_a_quiet_run_get_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with showing_progress(quiet=False) as progress:
        assert progress is None
    screen = Screen(80)
    monkeypatch.setattr(sys, "stderr", screen.stream)
    with showing_progress(quiet=True) as progress:
        assert progress is None
    assert screen.close() == ""


def test_a_short_run_in_a_terminal_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(SPEC)
    code, text = run_in_terminal("generate", "model.yaml", cwd=tmp_path, columns=30)
    assert code == 0
    assert text.startswith("wrote model.safetensors")
    assert text.count("\n") == 1
    assert "\x1b" not in text
