"""The seam to the operating system: every call of the output that touches a disk is here.

Nothing here decides: each function is a system call, or a substitute where the system has none. So
a test can make the first call fail, then the second, the third … to the end, and see each time that
the old output or the new one is whole (tests/test_faults.py). Used as `disk.rename(…)`.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, Protocol, TypeVar

Made = TypeVar("Made")

# Errors that say "this file system cannot", not "this went wrong".
UNSUPPORTED = frozenset(
    getattr(errno, name)
    for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK", "EMLINK", "EINVAL", "EXDEV")
    if hasattr(errno, name)
)

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line ends


class BinaryWriter(Protocol):
    """What a pipe needs: `write` takes bytes and returns how many it took, or None for all."""

    def write(self, data: memoryview, /) -> int | None: ...


# --- Bytes ------------------------------------------------------------------------------------


def create_file(path: str, mode: int) -> int:
    """Make an empty file and open it; fails where the name is taken."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, mode)


def make_file(make: Callable[[str], Made], path: str) -> Made:
    """Let a library make the file at a path (HDF5 opens and writes files itself)."""
    return make(path)


def open_file(path: str) -> int:
    """Open a file to write anywhere in it; a new one takes the mode of any new file."""
    return os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)


def open_pipe(path: str) -> BinaryIO:
    """Open a device, FIFO or socket. Nothing is made or cut: it may have become a file."""
    return os.fdopen(os.open(path, os.O_WRONLY | _BINARY), "wb", buffering=0)


def copy_handle(handle: int) -> int:
    """Another handle of what one of our own has open."""
    if handle > _LARGEST_HANDLE:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # Python's own would be another kind
    return os.dup(handle)


def open_handle(handle: int) -> BinaryIO:
    """A handle as a pipe, from its present position on."""
    return os.fdopen(handle, "wb", buffering=0)


_LARGEST_HANDLE = 2**31 - 1  # a C int


def write_at(handle: int, block: memoryview, offset: int) -> int:
    """Write at an offset, from any thread; return how many bytes were taken."""
    if hasattr(os, "pwrite"):
        return os.pwrite(handle, block, offset)
    with _SEEK:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.write(handle, block)


_SEEK = threading.Lock()  # a handle has one position


def write_on(pipe: BinaryWriter, block: memoryview) -> int:
    """Write to a pipe; return how many bytes were taken."""
    count = pipe.write(block)
    if count is not None:
        return count
    if not isinstance(pipe, io.RawIOBase):
        return len(block)
    select.select([], [pipe], [])  # one that does not block and is full took nothing
    return 0


def sync(handle: int) -> None:
    """Bring a file to the disk, and return when it is there."""
    os.fsync(handle)


def start_writing(handle: int, offset: int, nbytes: int) -> None:
    """Let the system begin to write a range of a file to the disk, without waiting for it.

    Linux does so when it is told that a range will not be needed again.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, offset, nbytes, os.POSIX_FADV_DONTNEED)


def close(handle: int) -> None:
    os.close(handle)


def make_scratch(make: Callable[[str], Made]) -> tuple[BinaryIO, Made]:
    """Let a library make a file that has no name afterwards, and goes when it is closed.

    It is in memory where the system has a folder for that. What nobody writes takes no room.
    """
    import tempfile  # which loads much

    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    handle, path = tempfile.mkstemp(prefix="xavinit-", dir=folder)
    scratch = os.fdopen(handle, "rb", buffering=0)
    try:
        return scratch, make(path)
    except BaseException:
        scratch.close()
        raise
    finally:
        os.unlink(path)


def read_at(file: BinaryIO, nbytes: int, offset: int) -> bytes:
    """So many bytes from an offset on."""
    file.seek(offset)
    return file.read(nbytes)


def read_start(path: str, nbytes: int) -> bytes:
    """The first bytes of a file, or all of a shorter one."""
    with open(path, "rb") as file:
        return file.read(nbytes)


# --- Names ------------------------------------------------------------------------------------


def make_folder(path: str, mode: int) -> None:
    os.mkdir(path, mode)


def list_folder(path: str) -> list[str]:
    """The names in a folder, sorted."""
    return sorted(os.listdir(path))


def link(source: str, target: str) -> None:
    """Give a file a second name; fails where that is taken."""
    os.link(source, target)


def rename(source: str, target: str) -> None:
    """Give a file or folder another name; a file of that name is replaced."""
    os.replace(source, target)


def rename_new(source: str, target: str) -> bool:
    """Rename, but fail where the name is taken; False where the system has no such call."""
    return _rename_with_flag(source, target, _NO_REPLACE)


def exchange(source: str, target: str) -> bool:
    """Swap two names in one step; False where the system has no such call."""
    return _rename_with_flag(source, target, _EXCHANGE)


def unlink(path: str) -> None:
    os.unlink(path)


def remove_folder(path: str) -> None:
    """Remove an empty folder."""
    os.rmdir(path)


def open_folder(path: str) -> int:
    """Open a folder, to sync or lock it."""
    return os.open(path, os.O_RDONLY)


def lock(handle: int) -> None:
    """Wait until no other process has a lock here; the lock ends when the handle is closed."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)


# --- Access -----------------------------------------------------------------------------------


def find_status(path: str) -> os.stat_result | None:
    """What a name stands for, a link itself; None where it is free."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def list_attributes(path: str) -> list[tuple[str, bytes]]:
    """The extended attributes that the user may see; none where the system has no such thing."""
    if sys.platform != "linux":
        return []
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
        return [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
    except FileNotFoundError:  # another run has just put it aside
        return []
    except OSError as error:
        if error.errno not in UNSUPPORTED | {errno.EACCES, errno.ENODATA}:
            raise
    return []


def set_attribute(path: str, name: str, value: bytes) -> bool:
    """Set an extended attribute; False where the system or the user may not."""
    if sys.platform != "linux":
        return False
    try:
        os.setxattr(path, name, value, follow_symlinks=False)
    except OSError as error:
        if error.errno not in UNSUPPORTED | {errno.EACCES}:
            raise
        return False
    return True


def remove_attribute(path: str, name: str) -> None:
    """Remove an extended attribute, where there is one."""
    if sys.platform == "linux":
        try:
            os.removexattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno not in UNSUPPORTED | {errno.EACCES, errno.ENODATA}:
                raise


def set_owner(path: str, owner: int, group: int) -> bool:
    """Give a file to an owner and a group, or at least to the group; False where not even that."""
    if sys.platform == "win32":
        return True  # it has neither
    for wanted in (owner, -1):
        try:
            os.chown(path, wanted, group, follow_symlinks=False)
        except OSError as error:
            if error.errno not in UNSUPPORTED | {errno.EACCES}:
                raise
        else:
            return True
    return os.lstat(path).st_gid == group


def set_mode(path: str, mode: int) -> None:
    os.chmod(path, mode)


# --- Room -------------------------------------------------------------------------------------


def count_free(path: str) -> int | None:
    """The bytes that a user may still write to a path's file system; None where unknown."""
    if not hasattr(os, "statvfs"):
        return None
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


# Flags of Linux's renameat2 and of macOS's renamex_np.
_NO_REPLACE = {"linux": 1, "darwin": 4}
_EXCHANGE = {"linux": 2, "darwin": 2}


def _rename_with_flag(source: str, target: str, flags: dict[str, int]) -> bool:
    """Rename by the system's own call with a flag; False where there is none."""
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
    if code in UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), source, None, target)
