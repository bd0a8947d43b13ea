"""Stored tensors → the digest of them all, or of each (docs/reproducibility.md)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xavinit.crew import Advance, Buffer, Crew, parse_jobs
from xavinit.errors import InputError
from xavinit.formats import Index, Reader, StoredTensor
from xavinit.reading.tasks import limit_jobs


def make_head(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    """What is hashed of a tensor before its values."""
    texts = (len(text).to_bytes(8, "little") + text for text in (name.encode(), dtype.encode()))
    numbers = (number.to_bytes(8, "little") for number in (len(shape), *shape))
    return b"".join((*texts, *numbers))


def hash_all(index: Index, jobs: int | None, advance: Advance) -> str:
    """The digest of all tensors: one hash, made in this thread while the crew reads ahead."""
    total = hashlib.sha256()

    def hash_block(task: _Block, content: memoryview) -> None:
        if task.start == 0:
            total.update(_make_head(task.stored))
        total.update(content)

    with _open_crew(index, jobs) as crew:
        tasks = _list_blocks(_sort_tensors(index))
        crew.run_in_order(tasks, index.nbytes, _read_block, hash_block, advance)
    return total.hexdigest()


def hash_each(index: Index, jobs: int | None, advance: Advance) -> dict[str, str]:
    """The digest of each tensor alone, by name: each thread hashes another."""
    digests: dict[str, str] = {}

    def hash_tensor(reader: Reader, buffer: Buffer, stored: StoredTensor) -> None:
        total = hashlib.sha256(_make_head(stored))
        for task in _list_blocks([stored]):
            total.update(_read_block(reader, buffer, task))
        digests[stored.name] = total.hexdigest()

    with _open_crew(index, jobs) as crew:
        crew.run(index.tensors, index.nbytes, hash_tensor, advance)
    return {stored.name: digests[stored.name] for stored in index.tensors}


def _make_head(stored: StoredTensor) -> bytes:
    return make_head(stored.name, stored.dtype.name, stored.shape)


def _sort_tensors(index: Index) -> list[StoredTensor]:
    """The tensors in the order of the digest, which must be a pipe's own."""
    tensors = sorted(index.tensors, key=lambda stored: stored.name.encode())
    if index.is_pipe and tensors != list(index.tensors):
        raise InputError(
            "the tensors on standard input are not in the order of their names, in which they are "
            "hashed: name the file"
        )
    return tensors


@contextlib.contextmanager
def _open_crew(index: Index, jobs: int | None) -> Iterator[Crew[Reader]]:
    """A crew with a reader for each worker; a pipe is read by one."""
    with contextlib.ExitStack() as readers:
        jobs = 1 if index.is_pipe else limit_jobs(index.tensors, parse_jobs(jobs))
        yield Crew(lambda: readers.enter_context(Reader()), jobs)


class _Block(NamedTuple):
    """The elements [start, stop) of a tensor."""

    stored: StoredTensor
    start: int
    stop: int
    nbytes: int


def _list_blocks(tensors: Iterable[StoredTensor]) -> Iterator[_Block]:
    """The blocks of each tensor, a whole number of units each; an empty tensor has one too."""
    for stored in tensors:
        size, unit, count = stored.size, stored.unit, stored.dtype.count_bytes
        step = max(stored.block * 8 // stored.dtype.bits // unit, 1) * unit
        for start in range(0, max(size, 1), step):
            stop = min(start + step, size)
            yield _Block(stored, start, stop, count(stop - start))


def _read_block(reader: Reader, buffer: Buffer, task: _Block) -> memoryview:
    content = buffer.take(task.nbytes)
    reader.fill(task.stored, task.start, task.stop, content)
    return content
