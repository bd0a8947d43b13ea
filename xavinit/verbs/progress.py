"""How a verb that takes long tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

# Called with the bytes done and the total bytes, about ten times a second.
Progress = Callable[[int, int], None]


def make_advance(total: int, progress: Progress | None) -> Callable[[int], None]:
    """What the crew tells the bytes done since the last call: it adds them up for `progress`."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return advance


def shift_progress(progress: Progress, before: int, total: int) -> Progress:
    """The progress of one of several pieces of work, as that of all."""
    return lambda done, _: progress(before + done, total)
