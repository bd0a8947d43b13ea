"""Standard input, where a format can be read in order: safetensors, and a single `.npy`.

A pipe is read once, forward. What is asked for must lie ahead; what lies between is dropped.
"""

from __future__ import annotations

import math
import select
import sys
from typing import BinaryIO

from msgspec import Struct, structs

from xavinit.errors import InputError
from xavinit.file_kinds import HDF5, HEAD, NPY, SAFETENSORS, ZIP, find_kind
from xavinit.formats.npy_headers import LONGEST_HEAD, parse_header
from xavinit.formats.refusals import refuse_kind
from xavinit.formats.safetensors import parse_index
from xavinit.formats.stored import Index, StoredTensor, index_tensors
from xavinit.formats.strided import swap_bytes
from xavinit.wording import explain_os_error

NAME = "<stdin>"  # in messages
_NOT_IN_ORDER = "cannot be read in order: name the file"
_BLOCK = 1 << 16  # bytes dropped at once


class Pipe:
    """A binary stream, read forward to its real end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ahead = bytearray()  # read to be looked at
        self._place = 0

    def close(self) -> None:
        """Nothing: the stream is the process's own."""

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end; they are read again."""
        block = bytearray(max(count - len(self._ahead), 0))
        self._ahead += block[: self._read(memoryview(block))]
        return bytes(self._ahead[:count])

    def fill(self, offset: int, block: memoryview) -> None:
        """Fill a block with the bytes from an offset on; `EOFError` where there are too few."""
        if offset < self._place:
            raise ValueError(f"a pipe at byte {self._place} does not go back to {offset}")
        while skipped := min(offset - self._place, _BLOCK):
            self._take(memoryview(bytearray(skipped)))
        self._take(block)

    def read(self, offset: int, nbytes: int) -> bytearray:
        """So many bytes; memory is taken as they come, whatever was promised."""
        content = bytearray()
        while len(content) < nbytes:
            block = bytearray(min(nbytes - len(content), 1 << 20))
            self.fill(offset + len(content), memoryview(block))
            content += block
        return content

    def _take(self, block: memoryview) -> None:
        count = min(len(self._ahead), len(block))
        block[:count] = self._ahead[:count]
        del self._ahead[:count]
        count += self._read(block[count:])
        self._place += count
        if count < len(block):
            raise EOFError

    def _read(self, block: memoryview) -> int:
        """Fill a block from the stream; how much of it, which is less at the end alone."""
        filled = 0
        while filled < len(block):
            count = self._file.readinto1(block[filled:])  # type: ignore[attr-defined]  # of all binary files
            if count is None:  # one that does not block, and has nothing yet
                poll = select.poll()
                poll.register(self._file, select.POLLIN)
                poll.poll()
            elif count == 0:
                break
            else:
                filled += count
        return filled


class PipeRange(Struct, frozen=True):
    """Elements that begin at an offset of a pipe. Those that end at `end` are its last."""

    pipe: Pipe
    offset: int
    end: int | None = None  # of all tensors
    is_swapped: bool = False
    path: str = NAME
    version: None = None

    def open(self) -> Pipe:
        return self.pipe

    def fill(
        self, opened: Pipe, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        offset = self.offset + tensor.dtype.count_bytes(start)
        opened.fill(offset, block)
        if self.is_swapped:
            swap_bytes(block, tensor.dtype)
        if offset + len(block) == self.end:
            check_end(opened)

    def find_unit(self, tensor: StoredTensor) -> int:
        return 8 // math.gcd(tensor.dtype.bits, 8)  # whole bytes

    def count_memory(self, tensor: StoredTensor) -> int:
        return _BLOCK


def check_end(pipe: Pipe) -> None:
    """Nothing may follow the last tensor."""
    if pipe.peek(1):
        raise InputError(f"{NAME} is longer than its header says")


def load_pipe() -> Index:
    """The index of what stands on standard input; its tensors are in their order."""
    if sys.stdin is None or sys.stdin.closed:
        raise InputError(f"cannot read {NAME}: it is closed")
    pipe = Pipe(sys.stdin.buffer)
    try:
        head = pipe.peek(HEAD)
        kind = find_kind(head)
        if kind == SAFETENSORS:
            return _load_safetensors(pipe)
        if kind == NPY:
            return _load_npy(pipe)
    except OSError as error:
        raise InputError(f"cannot read {NAME}: {explain_os_error(error)}") from error
    if kind in (HDF5, ZIP):
        raise InputError(f"{NAME} is {kind}, which {_NOT_IN_ORDER}")
    raise refuse_kind(NAME, head)


def _load_safetensors(pipe: Pipe) -> Index:
    index = parse_index(NAME, None, pipe.read, lambda offset: PipeRange(pipe, offset))
    return _order(index, pipe)


def _load_npy(pipe: Pipe) -> Index:
    header = parse_header(NAME, pipe.peek(LONGEST_HEAD))
    if header.is_fortran:
        raise InputError(f"{NAME} is an array in Fortran order, which {_NOT_IN_ORDER}")
    source = PipeRange(pipe, header.start, is_swapped=header.is_swapped)
    tensor = StoredTensor("stdin", header.dtype, header.shape, source)
    return _order(index_tensors(NAME, [tensor], {}, format="npy"), pipe)


def _order(index: Index, pipe: Pipe) -> Index:
    """The tensors by their offsets; the last of them knows where the pipe ends."""
    places = [(t.source, t) for t in index.tensors if isinstance(t.source, PipeRange)]
    places.sort(key=lambda place: (place[0].offset, place[1].nbytes))
    ends = [source.offset + tensor.nbytes for source, tensor in places if tensor.nbytes]
    if not ends:
        for source, _ in places:
            pipe.fill(source.offset, memoryview(bytearray()))
        check_end(pipe)
    tensors = tuple(
        structs.replace(tensor, source=structs.replace(source, end=max(ends, default=None)))
        for source, tensor in places
    )
    return structs.replace(index, tensors=tensors, is_pipe=True)
