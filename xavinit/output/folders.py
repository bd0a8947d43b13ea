"""A folder on a disk in which several runs write one set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from xavinit.crew import Advance
from xavinit.errors import RefusedError
from xavinit.formats import FileLayout, Layout, State, find_state
from xavinit.output import disk
from xavinit.output.access import find_access
from xavinit.output.drawing import Drawing
from xavinit.output.files import fill_files
from xavinit.output.publish import find_target, make_temporary_folder, publish_file, sync_folder
from xavinit.output.sets import find_old

_MOST_TURNS = 20  # at a file that other runs put there and take away again


class Folder:
    """The folder at a path."""

    def __init__(self, path: str, layout: Layout, *, force: bool) -> None:
        self._path = path
        self._find_set = layout.find_set
        # With `force`, what a file with a new name gets: the access of the set that is replaced.
        present = self.list_set() if force else []
        self._access = find_access(self.name(present[0])) if present else None

    def name(self, name: str) -> str:
        return os.path.join(self._path, name)

    def prepare(self) -> None:
        target = find_target(self._path)
        with contextlib.suppress(FileExistsError):
            disk.make_folder(target, 0o777)
            sync_folder(os.path.dirname(target))

    def list_set(self) -> list[str]:
        return [] if self._find_set is None else find_old(self._path, self._find_set)

    def look(self, files: Sequence[FileLayout]) -> dict[str, State]:
        return {file.name: find_state(self.name(file.name), file) for file in files}

    def publish(self, file: FileLayout, drawing: Drawing, advance: Advance) -> bool:
        place = self.name(file.name)
        for turn in range(_MOST_TURNS):
            if os.path.islink(place):
                disk.unlink(place)  # the link goes; what it leads to, such as a hub's blob, stays
            force = os.path.lexists(place)
            try:
                with publish_file(place, force=force, access=self._access) as temporary:
                    fill_files([(file, temporary)], drawing, advance if not turn else _ignore)
            except RefusedError:  # another run came between
                state = find_state(place, file)
                if state == "whole":
                    return False
                if state != "missing" or turn == _MOST_TURNS - 1:  # and it went again, by a third
                    raise
            else:
                break
        return True

    def remove(self, names: Sequence[str]) -> None:
        is_changed = False
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another run removes them too
                disk.unlink(self.name(name))
                is_changed = True
        if is_changed:
            sync_folder(find_target(self._path))

    @contextlib.contextmanager
    def mark(self) -> Iterator[str]:
        target = find_target(self._path)
        folder = target if os.path.isdir(target) else os.path.dirname(target)
        with make_temporary_folder(folder, is_private=False) as marker:
            yield marker


def _ignore(_: int) -> None:
    """The progress of what is written again."""
