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
from xavinit.output.access import Access, find_access, give_access
from xavinit.signals import hold_signals
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
        raise OutputError(f"cannot write {path}: no folder {parent}", hint="make it first")
    try:
        # Another run may be replacing the folder: for a moment it is not there, or half of it is.
        with lock_folder(parent) if folder and force else contextlib.nullcontext():
            _check_old(target, path, folder=folder, force=force, is_ours=is_ours)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def _check_old(
    target: str, path: str, *, folder: bool, force: bool, is_ours: Callable[[str], bool]
) -> None:
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
def publish_file(path: str, *, force: bool, access: Access | None = None) -> Iterator[str]:
    """Give the path of a new empty file; at the end of the block it becomes `path`.

    The block syncs the file's bytes; this function syncs the names. A symbolic link is followed:
    its target is replaced and the link kept. Signals wait while names change. Who could not read
    the old file cannot read the new one either, also not while it is written; `access` is for one
    that replaces none.
    """
    target = find_target(path)
    parent = os.path.dirname(target)
    temporary = _name_temporary(parent)
    old = (find_access(target) if force else None) or access
    try:
        with hold_signals():
            disk.close(disk.create_file(temporary, 0o600 if old else 0o666))
        yield temporary
        if old is not None:
            give_access(temporary, old)
        with hold_signals():
            if force:
                disk.rename(temporary, target)
                is_done = True
            else:
                is_done = _link_new(temporary, target, path)
        if not is_done:
            _place_alone(temporary, target, path, force=False)
        with hold_signals():
            _remove_file(temporary)
            sync_folder(parent)
    finally:
        clean_up(_remove_file, temporary)


@contextlib.contextmanager
def publish_folder(path: str, makes: str, *, force: bool) -> Iterator[str]:
    """Give the path of a new empty folder; at the end of the block it becomes `path`.

    `makes` is the name of the file that makes it an output.
    """
    target = find_target(path)
    parent = os.path.dirname(target)
    old = find_access(target) if force else None
    with make_temporary_folder(parent, is_private=old is not None) as temporary:
        yield temporary
        if old is not None:
            keep_access(target, temporary, makes)
            give_access(temporary, old)
        with hold_signals():
            is_done = _place_folder(temporary, target, path, force=force)
        if not is_done:
            _place_alone(temporary, target, path, force=force)
        with hold_signals():
            sync_folder(parent)


def keep_access(old: str, new: str, first: str | None) -> None:
    """Give each file of a new folder the access of the old one's file of that name.

    One whose name is new takes that of `first`, a file that the old folder has, if one is given.
    """
    usual = find_access(os.path.join(old, first)) if first is not None else None
    for name in disk.list_folder(new):
        access = find_access(os.path.join(old, name)) or usual
        if access is not None:
            give_access(os.path.join(new, name), access)


@contextlib.contextmanager
def make_temporary_folder(parent: str, *, is_private: bool) -> Iterator[str]:
    """A new folder, gone at the end with all that is left in it."""
    temporary = _name_temporary(parent)
    try:
        with hold_signals():
            disk.make_folder(temporary, 0o700 if is_private else 0o777)
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


def _link_new(temporary: str, target: str, path: str) -> bool:
    """Give the file its name, unless the name is taken: a hard link fails where it is.

    False where the system can do neither that nor a rename that fails.
    """
    try:
        disk.link(temporary, target)
    except FileExistsError:
        raise refuse(path) from None
    except OSError as error:
        if error.errno not in disk.UNSUPPORTED:
            raise
        return _rename_new(temporary, target, path)  # a file system without hard links
    return True


def _rename_new(temporary: str, target: str, path: str) -> bool:
    """Rename, unless the name is taken; False where the system has no such call."""
    try:
        return disk.rename_new(temporary, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise refuse(path) from None
        raise


def _place_folder(temporary: str, target: str, path: str, *, force: bool) -> bool:
    """Give the folder its name; an old one that is replaced has the temporary name after it.

    False where the system has no such call.
    """
    if force and os.path.lexists(target):
        return disk.exchange(temporary, target)
    try:
        return _rename_new(temporary, target, path)
    except RefusedError:
        if not force:
            raise
    return disk.exchange(temporary, target)  # another run came first, just now


def _place_alone(temporary: str, target: str, path: str, *, force: bool) -> None:
    """Look whether the name is taken, and rename, while no other run does the same.

    For systems without a rename that fails or exchanges (FAT). Any other program may take the name
    between the look and the rename; a file of that moment is lost.
    """
    with lock_folder(os.path.dirname(target)), hold_signals():
        if not os.path.lexists(target):
            disk.rename(temporary, target)
        elif force:
            _put_in_place(temporary, target)
        else:
            raise refuse(path)


def _put_in_place(temporary: str, target: str) -> None:
    """Put a folder in the place of another, which goes."""
    aside = temporary + ".old"
    try:
        disk.rename(target, aside)
        disk.rename(temporary, target)
    except BaseException:
        # Either may have been done though it failed.
        if os.path.lexists(target):
            clean_up(remove_folder, aside)
        else:
            disk.rename(aside, target)
        raise
    clean_up(remove_folder, aside)


@contextlib.contextmanager
def lock_folder(path: str) -> Iterator[None]:
    """Within the block, no other run publishes in the folder. A killed run's lock ends with it."""
    if os.name == "nt":
        yield  # Windows opens no folders
        return
    handle = disk.open_folder(path)
    try:
        try:
            disk.lock(handle)
        except OSError as error:
            if error.errno not in disk.UNSUPPORTED:  # some network file systems cannot
                raise
        yield
    finally:
        disk.close(handle)
