"""Where a set stands: in a folder on a disk, or under a prefix in a store.

What a set is, who writes what of it and in which order knows nothing of the two (parts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from xavinit.crew import Advance
from xavinit.formats import FileLayout, Layout, State
from xavinit.output.drawing import Drawing
from xavinit.stores import is_url


class Home(Protocol):
    """Where the files of a layout stand, or will."""

    def name(self, name: str) -> str:
        """What a file there is called, for people."""

    def prepare(self) -> None:
        """Make the place, where there is none."""

    def list_set(self) -> list[str]:
        """The names there that are such a set's, its index first."""

    def look(self, files: Sequence[FileLayout]) -> dict[str, State]:
        """What stands at the name of each file."""

    def publish(self, file: FileLayout, drawing: Drawing, advance: Advance) -> bool:
        """Put a file there, whole; what is not as it must be goes.

        False where another run was faster.
        """

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, where they are there."""

    def mark(self) -> AbstractContextManager[str]:
        """Within the block, something of a random name stands there, by which to know the place."""


def find_home(path: str, layout: Layout, *, force: bool) -> Home:
    """The place that a path names; with `force`, files of a set that stands there may go."""
    if is_url(path):
        from xavinit.output.prefixes import Prefix

        return Prefix(path, layout, force=force)
    from xavinit.output.folders import Folder

    return Folder(path, layout, force=force)
