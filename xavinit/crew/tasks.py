"""What the crew works on: tasks of so many bytes, and buffers that are used again and again."""

from __future__ import annotations

from typing import Protocol, TypeVar

BLOCK = 1 << 20  # bytes of a usual task: large enough for a system call, small enough for a cache


class Task(Protocol):
    """Anything that has a number of bytes."""

    @property
    def nbytes(self) -> int: ...


TaskT = TypeVar("TaskT", bound=Task)
State = TypeVar("State")  # what each thread has for itself
Result = TypeVar("Result")  # what is made of a task


class Buffer:
    """Memory as large as its largest use, a block at least; none before the first."""

    def __init__(self) -> None:
        self._bytes = memoryview(b"")

    def take(self, nbytes: int) -> memoryview:
        """So many bytes, not cleared; the next call gives the same memory."""
        if nbytes > len(self._bytes):
            self._bytes = memoryview(bytearray(max(nbytes, BLOCK)))
        return self._bytes[:nbytes]
