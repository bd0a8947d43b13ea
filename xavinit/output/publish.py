"""Atomic publication: a temporary sibling takes the target's place at once, or never.

Until then an old output stands untouched; after a failure or a signal nothing is left over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator

from xavinit.errors import OutputError, RefusedError
from xavinit.output.signals import hold_signals
from xavinit.wording import explain_os_error

# Errors that say "this file system cannot", not "this went wrong".
_UNSUPPORTED = {
    getattr(errno, name)
    for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "EXDEV")
    if hasattr(errno, name)
}


def is_stream(path: str) -> bool:
    """Is the path something that is written through and never replaced (device, FIFO, socket)?"""
    if path.startswith(("/dev/fd/", "/proc/self/fd/")) or path in ("/dev/stdout", "/dev/stderr"):
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


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
    """Refuse, before any work, what publication would refuse after it.

    `is_ours(path)` tells of an existing folder whether it may be replaced as a whole.
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
        raise _refuse(path)
    if folder and not is_ours(target):
        raise RefusedError(f"{path} holds files that are not of an earlier run; it is not replaced")


@contextlib.contextmanager
def publish_file(path: str, *, force: bool) -> Iterator[str]:
    """Give the path of a new empty file; at the end of the block it becomes `path`.

    The block brings the file's bytes to the disk (fsync), this the names. A symbolic link is
    followed: its target is replaced and the link kept. Signals wait while names change.
    """
    target = find_target(path)
    temporary = _name_temporary(target)
    try:
        with hold_signals():
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        with hold_signals():
            if force:
                os.replace(temporary, target)
            else:
                _publish_new(temporary, target, path)
            _remove_file(temporary)
            _sync_folder(os.path.dirname(target))
    finally:
        _clean_up(_remove_file, temporary)


@contextlib.contextmanager
def publish_folder(path: str, *, force: bool) -> Iterator[str]:
    """Give the path of a new empty folder; at the end of the block it becomes `path`."""
    target = find_target(path)
    temporary = _name_temporary(target)
    try:
        with hold_signals():
            os.mkdir(temporary)
        yield temporary
        _sync_folder(temporary)
        with hold_signals():
            if force and os.path.lexists(target):
                _exchange(temporary, target)
                _remove_folder(temporary)  # the old output now
            else:
                _rename_new(temporary, target, path)
            _sync_folder(os.path.dirname(target))
    finally:
        _clean_up(_remove_folder, temporary)


def _clean_up(remove: Callable[[str], None], temporary: str) -> None:
    """Remove what may be left, even if a signal comes just before the signals are held."""
    try:
        with hold_signals():
            remove(temporary)
    except BaseException:
        with hold_signals():
            remove(temporary)
        raise


def _sync_folder(path: str) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":
        return  # Windows has no such call
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def _name_temporary(target: str) -> str:
    """A short name beside the target; 64 random bits are nobody else's."""
    return os.path.join(os.path.dirname(target), f".xavinit-{secrets.token_hex(8)}.tmp")


def _remove_file(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was renamed into place
        os.unlink(path)


def _remove_folder(path: str) -> None:
    if not os.path.lexists(path):
        return
    with os.scandir(path) as entries:
        for entry in entries:
            os.unlink(entry.path)
    os.rmdir(path)


def _refuse(path: str) -> RefusedError:
    return RefusedError(f"{path} exists; use --force to replace it")


def _publish_new(temporary: str, target: str, path: str) -> None:
    """Give the file its name, unless the name is taken: a hard link fails where it is."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _refuse(path) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _rename_new(temporary, target, path)  # a file system without hard links


def _rename_new(temporary: str, target: str, path: str) -> None:
    """Rename, unless the name is taken."""
    try:
        if _rename_with_flag(temporary, target, _NO_REPLACE):
            return
        # No such call here. Windows refuses by itself to replace what is there, and so does any
        # system for a folder that is not empty; what is left is the moment after this look.
        if os.name != "nt" and os.path.lexists(target):
            raise _refuse(path)
        os.rename(temporary, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise _refuse(path) from None
        raise


def _exchange(temporary: str, target: str) -> None:
    """Swap two folders, in one step where the system can."""
    if _rename_with_flag(temporary, target, _EXCHANGE):
        return
    aside = temporary + ".old"
    os.rename(target, aside)
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(aside, target)
        raise
    os.rename(aside, temporary)  # what the caller then removes


# Flags of Linux's renameat2 and of macOS's renamex_np.
_NO_REPLACE = {"linux": 1, "darwin": 4}
_EXCHANGE = {"linux": 2, "darwin": 2}


def _rename_with_flag(source: str, target: str, flags: dict[str, int]) -> bool:
    """Rename by the system's own call with a flag; False where there is none."""
    import sys

    if sys.platform not in flags:
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    name = "renameat2" if sys.platform == "linux" else "renamex_np"
    if not hasattr(library, name):
        return False
    a, b = os.fsencode(source), os.fsencode(target)
    flag = ctypes.c_uint(flags[sys.platform])
    if sys.platform == "linux":
        here = ctypes.c_int(-100)  # AT_FDCWD: relative to the current folder
        result = library.renameat2(here, a, here, b, flag)
    else:
        result = library.renamex_np(a, b, flag)
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), source, None, target)
