"""Publication of a set: files that go into a folder among a user's own files.

For example the shards of a checkpoint and their index, beside a config.json. No system swaps
several files in one step, but only the index makes them a set. So the old set is moved aside, its
index first; then the new one is moved in, its index last. If a killed process or a power cut stops
that, the folder holds the old set, the new one, or none: never an index with files of both.
Copies of files that belong to the set, such as a config.json, come and go with it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from xavinit.errors import OutputError, RefusedError
from xavinit.formats import FileLayout, find_odd_byte
from xavinit.output import disk
from xavinit.output.publish import (
    clean_up,
    find_target,
    keep_access,
    lock_folder,
    make_temporary_folder,
    publish_folder,
    refuse,
    remove_folder,
    sync_folder,
)
from xavinit.signals import hold_signals
from xavinit.wording import explain_os_error

# The names of the set in a folder, the one that makes it a set first.
FindSet = Callable[[str], list[str]]


def check_set(
    path: str, *, force: bool, find_set: FindSet, copies: Sequence[FileLayout] = ()
) -> None:
    """Refuse, before any work, what `publish_set` would refuse after it."""
    old = find_old(path, find_set)
    if old and not force:
        raise refuse(os.path.join(path, old[0]))
    for file in copies:
        place = os.path.join(path, file.name)
        if os.path.isdir(place):
            raise RefusedError(f"{place} is a folder; it is not replaced")
        if not force and os.path.lexists(place) and find_odd_byte(file, place) is not None:
            raise RefusedError(f"{place} is another file; use --force to replace it")


def find_old(path: str, find_set: FindSet) -> list[str]:
    """The names of the set that stands in a folder, or would; refuse what can be no such folder."""
    target = find_target(path)
    if not os.path.lexists(target):
        parent = os.path.dirname(target)
        if not os.path.isdir(parent):
            raise OutputError(f"cannot write {path}: no folder {parent}", hint="make it first")
        return []
    if not os.path.isdir(target):
        raise RefusedError(f"{path} is a file; a folder of shards does not replace it")
    try:
        old = find_set(target)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error
    for name in old:
        if os.path.isdir(os.path.join(target, name)):
            raise RefusedError(f"{os.path.join(path, name)} is a folder; it is not replaced")
    return old


@contextlib.contextmanager
def publish_set(
    path: str,
    names: Sequence[str],
    *,
    force: bool,
    find_set: FindSet,
    copies: Sequence[FileLayout] = (),
) -> Iterator[str]:
    """Give the path of a new empty folder; at the end of the block its files stand in `path`.

    `names` are those files, the one that makes them a set last. The folder is made where there is
    none. With `force` the new set replaces the old one; other files stay as they are. `copies` are
    those of the files that belong to no set: of the same name, one that is the same is replaced,
    and with `force` any.
    """
    target = find_target(path)
    if not os.path.lexists(target):
        with publish_folder(path, names[-1], force=False) as temporary:  # whole at once
            yield temporary
        return
    with make_temporary_folder(target, is_private=True) as temporary:
        yield temporary
        with lock_folder(target):  # against another run, whose set may have the same names
            check_set(path, force=force, find_set=find_set, copies=copies)
            old = find_set(target)
            replaced = [f.name for f in copies if os.path.lexists(os.path.join(target, f.name))]
            if old or replaced:
                keep_access(target, temporary, old[0] if old else None)
            with hold_signals():
                _swap(target, [*old, *replaced], temporary, names)


def _swap(folder: str, old: Sequence[str], temporary: str, new: Sequence[str]) -> None:
    """Old files out, new files in; if that fails, the same steps backwards."""
    aside = os.path.join(temporary, "old")
    steps = [(folder, name, aside) for name in old] + [(temporary, name, folder) for name in new]
    done = []
    try:
        disk.make_folder(aside, 0o700)
        for step in steps:
            done.append(step)
            _move(*step)
            if len(done) == 1 or len(done) == len(steps) - 1:
                # On the disk too, the old index is gone before a shard is replaced, and all
                # shards are in place before the new index comes.
                sync_folder(folder)
        sync_folder(folder)
    except BaseException:
        for source, name, place in reversed(done):
            with contextlib.suppress(OSError):  # the last step may not have been taken
                _move(place, name, source)
        _remove_empty(aside)
        raise
    clean_up(remove_folder, aside)


def _remove_empty(aside: str) -> None:
    """Remove the folder of the old set; keep it under another name if files are left in it."""
    if not os.path.isdir(aside):
        return
    try:
        disk.remove_folder(aside)
    except OSError as error:
        kept = os.path.dirname(aside) + ".old"
        disk.rename(aside, kept)
        reason = f"{explain_os_error(error)}; files of the old set are in {kept}"
        raise OutputError(f"cannot put back the old set: {reason}") from error


def _move(source: str, name: str, place: str) -> None:
    disk.rename(os.path.join(source, name), os.path.join(place, name))
