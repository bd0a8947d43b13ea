"""Progress on a terminal: click's bar, on one line that is gone when the work is done."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import click

Progress = Callable[[int, int], None]

_QUIET_SECONDS = 1.0  # work that lasts no longer shows nothing
_RENDER_SECONDS = 0.1
_RATE_SECONDS = 3.0  # the present rate is that of the last few
_ERASE = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"  # which click hides
_WIDEST_BAR = 36
_NARROWEST_BAR = 6


@contextlib.contextmanager
def showing_progress(quiet: bool) -> Iterator[Progress | None]:
    """What shows progress on standard error, or None where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    try:
        yield line.show
    finally:
        line.erase()


class _Line:
    """The line of a bar, its rate and the time left."""

    def __init__(self) -> None:
        self._started = self._rendered = time.monotonic()
        self._bar: Any = None  # click does not say its type
        self._past: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._is_shown = False

    def show(self, done: int, total: int) -> None:
        if self._bar is None:
            # The line is erased before it is written: click itself leaves the end of a longer one.
            # Its own measure of the terminal is that of standard output, which may be a pipe.
            self._bar = click.progressbar(
                length=total, file=sys.stderr, item_show_func=_format_rate, width=_WIDEST_BAR
            )
            self._bar.start -= time.monotonic() - self._started
        now = time.monotonic()
        if now - self._rendered < _RENDER_SECONDS and done < total:
            return
        self._rendered = now
        self._past.append((now, done))
        while now - self._past[0][0] > _RATE_SECONDS and len(self._past) > 2:
            self._past.popleft()
        then, before = self._past[0]
        self._bar.current_item = int((done - before) / max(now - then, 1e-9))
        self._bar.make_step(done - self._bar.pos)
        if now - self._started > _QUIET_SECONDS and done < total:
            self._render()

    def _render(self) -> None:
        """Show what fits: the bar gives way first, then the time left, then the rate."""
        bar, columns = self._bar, _measure_terminal()
        bar.max_width = None
        bar.show_eta = True
        bar.item_show_func = _format_rate
        bar.bar_template = "%(info)s"
        if len(bar.format_progress_line()) > columns:
            bar.show_eta = False
        if len(bar.format_progress_line()) > columns:
            bar.item_show_func = None
        room = columns - len(bar.format_progress_line()) - len("[]  ")
        bar.width = min(room, _WIDEST_BAR)
        shape = "[%(bar)s]  %(info)s" if room >= _NARROWEST_BAR else "%(info)s"
        bar.bar_template = f"\x1b[K{shape}"
        self._is_shown = True
        bar.render_progress()

    def erase(self) -> None:
        if self._is_shown:
            sys.stderr.write(_ERASE + _SHOW_CURSOR)
            sys.stderr.flush()


def _format_rate(rate: int | None) -> str:
    from xavinit.wording import format_bytes

    return f"{format_bytes(rate or 0)}/s"


def _measure_terminal() -> int:
    """How many columns may be written: past them the terminal still has room for its ^C.

    At the last column, a new line would begin, and what stands above it would stay.
    """
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        columns = 0
    return (columns or 80) - 3
