"""What a format tells the output: which files, their first bytes, and where each tensor lies."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from xavinit.plan import Plan, TensorPlan


class Region(Struct, frozen=True):
    """The byte range [offset, offset + tensor.nbytes) of a file that a tensor fills."""

    tensor: TensorPlan
    offset: int


class FileLayout(Struct, frozen=True):
    """One file. `head` is written at its start; the regions follow in ascending order, gapless.

    A format whose library must make the file itself (HDF5) gives `begin` instead: it makes the
    file at a path, values not yet filled in, and returns the regions, in any order.
    """

    name: str = ""  # within the folder; empty for an output that is a single file
    head: bytes = b""
    regions: tuple[Region, ...] = ()
    begin: Callable[[str], tuple[Region, ...]] | None = None


class Layout(Struct, frozen=True):
    """All files of an output: one, or those of a folder.

    Where there is a `find_set`, the files stand in a folder among others that are not ours. It
    tells which names in that folder are a set of this kind; the one that makes them a set is first
    there, and last of `files`.
    """

    files: tuple[FileLayout, ...]
    nbytes: int  # in all; for HDF5 without the container's own
    folder: bool = False
    find_set: Callable[[str], list[str]] | None = None


class StoredTensor(Struct, frozen=True):
    """A tensor found in a file: what the index says, and where its bytes are."""

    name: str
    dtype: str  # a name of `plan.DTYPES`
    shape: tuple[int, ...]
    path: str
    offset: int
    nbytes: int


class Format(Struct, frozen=True):
    """A format: how to lay a plan out, and how to read an index back.

    `lay_out(plan)` is pure; it raises `SpecError` where the format cannot hold a tensor.
    `read_index(path)` opens a finished output, also one that xavinit did not write.
    """

    name: str
    lay_out: Callable[[Plan], Layout]
    read_index: Callable[[str], list[StoredTensor]]
    lay_out_single: Callable[[Plan], Layout] | None = None  # for a plan of one tensor
    lay_out_shards: Callable[[Plan, int], Layout] | None = None  # of so many bytes at most
    streams: bool = True  # can it be written to a pipe, in order
    # Does an existing folder hold an earlier output of this format and nothing foreign?
    is_ours: Callable[[str], bool] = lambda path: False


def place_regions(tensors: list[TensorPlan], start: int) -> tuple[Region, ...]:
    """The tensors one after another, without gaps, from an offset."""
    regions = []
    for tensor in tensors:
        regions.append(Region(tensor, start))
        start += tensor.nbytes
    return tuple(regions)
