"""Atomic publication: a temporary sibling takes the target's place at once, or never.

Until then an old output stands untouched; after a failure or a signal nothing is left over.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

from xavinit.errors import OutputError, RefusedError
from xavinit.output import disk
from xavinit.output.signals import hold_signals
from xavinit.wording import explain_os_error


def find_target(path: str) -> str:
    """The file or folder that a path stands for, links followed; it need not exist."""
    try:
        target = os.path.realpath(path)
    except (OSError, ValueError) as error:  # the working folder is gone; a NUL in the path
        reason = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"cannot write {path}: {reason}") from error
    if os.path.islink(target):
        raise OutputError(f"cannot write {path}: its links go in a circle")
    return target


def check_target(path: str, *, folder: bool, force: bool, is_ours: Callable[[str], bool]) -> None:
    """Refuse, before any work, what `publish_file` or `publish_folder` would refuse after it.

    `is_ours(path)` says whether an existing folder may be replaced as a whole.
    """
    target = find_target(path)
    parent = os.path.dirname(target)
    if not os.path.isdir(parent):
        raise OutputError(f"cannot write {path}: no folder {parent}")
    if not os.path.lexists(target):
        return
    if os.path.isdir(target) and not folder:
        raise RefusedError(f"{path} is a folder; a file does not replace it")
    if folder and not os.path.isdir(target):
        raise RefusedError(f"{path} is a file; a folder does not replace it")
    if not force:
        raise refuse(path)
    if folder and not is_ours(target):
        raise RefusedError(f"{path} holds files that are not of an earlier run; it is not replaced")


@contextlib.contextmanager
def publish_file(path: str, *, force: bool) -> Iterator[str]:
    """Give the path of a new empty file; at the end of the block it becomes `path`.

    The block syncs the file's bytes; this function syncs the names. A symbolic link is followed:
    its target is replaced and the link kept. Signals wait while names change.
    """
    target = find_target(path)
    temporary = _name_temporary(os.path.dirname(target))
    try:
        with hold_signals():
            disk.close(disk.create_file(temporary))
        yield temporary
        with hold_signals():
            if force:
                disk.rename(temporary, target)
            else:
                _publish_new(temporary, target, path)
            _remove_file(temporary)
            sync_folder(os.path.dirname(target))
    finally:
        clean_up(_remove_file, temporary)


@contextlib.contextmanager
def publish_folder(path: str, *, force: bool) -> Iterator[str]:
    """Give the path of a new empty folder; at the end of the block it becomes `path`."""
    target = find_target(path)
    with make_temporary_folder(os.path.dirname(target)) as temporary:
        yield temporary
        with hold_signals():
            if force and os.path.lexists(target):
                _exchange(temporary, target)  # the old output is now what goes at the end
            else:
                _rename_new(temporary, target, path)
            sync_folder(os.path.dirname(target))


@contextlib.contextmanager
def make_temporary_folder(parent: str) -> Iterator[str]:
    """A new folder, gone at the end with all that is left in it."""
    temporary = _name_temporary(parent)
    try:
        with hold_signals():
            disk.make_folder(temporary)
        yield temporary
    finally:
        clean_up(remove_folder, temporary)


def clean_up(remove: Callable[[str], None], temporary: str) -> None:
    """Remove what may be left; if a signal or a fault interrupts that, try once more."""
    try:
        with hold_signals():
            remove(temporary)
    except BaseException:
        with hold_signals():
            remove(temporary)
        raise


def sync_folder(path: str) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":
        return  # Windows has no such call
    handle = disk.open_folder(path)
    try:
        disk.sync(handle)
    except OSError as error:
        if error.errno not in disk.UNSUPPORTED:  # some network file systems cannot
            raise
    finally:
        disk.close(handle)


def _name_temporary(parent: str) -> str:
    """A short name in the target's folder; 64 random bits are nobody else's."""
    return os.path.join(parent, f".xavinit-{os.urandom(8).hex()}.tmp")


def _remove_file(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was renamed into place
        disk.unlink(path)


def remove_folder(path: str) -> None:
    if not os.path.lexists(path):
        return
    for name in disk.list_folder(path):
        disk.unlink(os.path.join(path, name))
    disk.remove_folder(path)


def refuse(path: str) -> RefusedError:
    return RefusedError(f"{path} exists; use --force to replace it")


def _publish_new(temporary: str, target: str, path: str) -> None:
    """Give the file its name, unless the name is taken: a hard link fails where it is."""
    try:
        disk.link(temporary, target)
    except FileExistsError:
        raise refuse(path) from None
    except OSError as error:
        if error.errno not in disk.UNSUPPORTED:
            raise
        _rename_new(temporary, target, path)  # a file system without hard links


def _rename_new(temporary: str, target: str, path: str) -> None:
    """Rename, unless the name is taken."""
    try:
        if disk.rename_new(temporary, target):
            return
        # The system has no such call. Every system refuses to replace a folder that is not empty;
        # a file that appears just after this check would be replaced.
        if os.path.lexists(target):
            raise refuse(path)
        disk.rename(temporary, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise refuse(path) from None
        raise


def _exchange(temporary: str, target: str) -> None:
    """Replace a folder by another, in one step where the system can."""
    if disk.exchange(temporary, target):
        return
    aside = temporary + ".old"
    disk.rename(target, aside)
    try:
        disk.rename(temporary, target)
    except BaseException:
        disk.rename(aside, target)
        raise
    clean_up(remove_folder, aside)
