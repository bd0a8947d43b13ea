"""The crew: threads that carry out tasks, each of so many bytes, in any order or in one.

It knows no format, no disk and no numbers. The caller gives a function that makes what each thread
needs, and one that carries out a task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xavinit.crew.crew import MOST_JOBS, Advance, Crew, Work, parse_jobs
from xavinit.crew.tasks import BLOCK, Buffer

if TYPE_CHECKING:
    from xavinit.crew.behind import Behind

__all__ = ["BLOCK", "MOST_JOBS", "Advance", "Behind", "Buffer", "Crew", "Work", "parse_jobs"]


def __getattr__(name: str) -> type[Behind]:
    """Load what few runs need at its first use."""
    if name != "Behind":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xavinit.crew.behind import Behind

    return Behind
