"""Tensors in memory, read as those of a file are."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from xavinit.formats import StoredTensor


class MemoryRange(Struct, frozen=True):
    """Little-endian elements in C order, in memory; `path` is what messages call the whole."""

    path: str
    content: memoryview
    version: None = None

    def open(self) -> MemoryRange:
        return self

    def close(self) -> None:
        """There is nothing to close."""

    def fill(
        self, opened: Any, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        count = tensor.dtype.count_bytes
        block[:] = self.content[count(start) : count(stop)]

    def find_unit(self, tensor: StoredTensor) -> int:
        return 1

    def count_memory(self, tensor: StoredTensor) -> int:
        return 0
