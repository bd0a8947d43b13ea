"""What a format tells the output: which files, their first bytes, and where each tensor lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.formats.shard_names import ShardNames
from xavinit.formats.stored import Index
from xavinit.plan import Plan, TensorPlan

if TYPE_CHECKING:
    from xavinit.places import Version


class Region(Struct, frozen=True):
    """The byte range [offset, offset + tensor.nbytes) of a file that a tensor fills."""

    tensor: TensorPlan
    offset: int


class Gap(Struct, frozen=True):
    """A byte range of a file that no tensor fills: it is written with zeros."""

    offset: int
    nbytes: int


class Contents(Struct, frozen=True):
    """What a file that a library makes must hold, whatever bytes it takes for that.

    `tensors` bear the names that the file has for them; `names` gives the spec's where that is
    another. `attributes` are texts by their names, for each object of the file by its path; those
    of the file itself are under `/`.
    """

    tensors: tuple[TensorPlan, ...] = ()
    attributes: Mapping[str, Mapping[str, str]] = {}
    names: Mapping[str, str] = {}


class FileLayout(Struct, frozen=True):
    """One file: `head` at its start, then the regions, then zeros up to `nbytes`.

    In a set, `shared` follows the head, the same bytes in memory for all files, and then `tail`.

    A format whose library must make the file itself (HDF5) gives `begin` instead: it makes the
    file at a path, values not yet filled in, and returns the regions, in any order. `contents`
    then says what is in it.
    """

    name: str = ""  # within the folder; empty for an output that is a single file
    head: bytes = b""
    regions: tuple[Region, ...] = ()
    nbytes: int = 0  # of the file; unknown (0) where `begin` makes it
    begin: Callable[[str], tuple[Region, ...]] | None = None
    shared: bytes = b""
    tail: bytes = b""
    contents: Contents | None = None

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """What comes before the regions, in order."""
        return self.head, self.shared, self.tail

    def find_gaps(self) -> list[Gap]:
        """What lies between head, regions and end, so that a pipe gets the bytes that a file has.

        Raises `ValueError` for regions that overlap, or do not ascend: the format is at fault.
        """
        gaps = []
        end = sum(map(len, self.pieces))
        ranges = [(region.offset, region.tensor.nbytes) for region in self.regions]
        for start, nbytes in [*ranges, (end if self.begin else self.nbytes, 0)]:
            if start < end:
                raise ValueError(f"a region at {start} of {self.name!r}, whose bytes end at {end}")
            if start > end:
                gaps.append(Gap(end, start - end))
            end = start + nbytes
        return gaps


class Layout(Struct, frozen=True):
    """All files of an output: one, or those of a folder.

    If `find_set` is given, the files go into a folder among others that are not ours. It lists the
    names in that folder that belong to such a set. The file that makes them a set (the index) is
    the first of these names, and the last of `files`; copies are the first.

    `copies` are names of files that are no part of the set, but go into the folder with it.

    `metadata` is what `read_index` finds in each of the files, or in the folder.
    """

    files: tuple[FileLayout, ...]
    nbytes: int  # of all files; for HDF5 at most, since its container's own are estimated
    folder: bool = False
    find_set: Callable[[str], list[str]] | None = None
    set_names: ShardNames | None = None  # given with it
    metadata: Mapping[str, str] = {}
    index_name: str = ""  # of such a set, also where it is a single file and has no index
    copies: tuple[str, ...] = ()

    @property
    def shards(self) -> tuple[FileLayout, ...]:
        """The files of a set that hold tensors."""
        files = self.files if self.index is None else self.files[:-1]
        return files[len(self.copies) :]

    @property
    def index(self) -> FileLayout | None:
        """The file that makes the others a set; a single file needs none."""
        return self.files[-1] if self.files[-1].name == self.index_name else None


class Format(Struct, frozen=True):
    """A format: how to lay a plan out, and how to read an index back.

    `lay_out(plan)` is pure; it raises `SpecError` where the format cannot hold a tensor.
    `read_index(path)` opens a finished output, also one that xavinit did not write; it raises
    `InputError` where that is damaged.
    """

    name: str
    lay_out: Callable[[Plan], Layout]
    read_index: Callable[[str], Index]
    lay_out_single: Callable[[Plan], Layout] | None = None  # for a plan of one tensor
    # In files of so many bytes at most, with these names.
    lay_out_shards: Callable[[Plan, int, ShardNames], Layout] | None = None
    fits_pipe: bool = True  # can it be written in order
    names_tensors: bool = True  # else the name of the file is that of its only tensor
    # Does an existing folder hold an earlier output of this format and nothing foreign? Raises
    # `InputError` where it cannot be read.
    is_ours: Callable[[str], bool] = lambda path: False
    # The files that a manifest of these bytes lists; None where it is not one of ours.
    list_files: Callable[[bytes], list[str] | None] = lambda content: None
    # The metadata of a folder, whatever else is wrong with it; else `read_index` has them.
    read_metadata: Callable[[str], dict[str, str]] | None = None
    # The texts among the attributes of these objects of a file (in a store: of this version), each
    # by its path.
    read_attributes: (
        Callable[[str, Iterable[str], Version | None], dict[str, dict[str, str]]] | None
    ) = None
    # The name of an output beside this path that loaders would take for the same checkpoint.
    find_rival: Callable[[str], str | None] = lambda path: None
    # The same of a name, beside others, where there may be such.
    choose_rival: Callable[[str, Iterable[str]], str | None] | None = None


def lay_out_file(
    name: str,
    head: bytes,
    tensors: Iterable[TensorPlan] = (),
    alignment: int = 1,
    *,
    shared: bytes = b"",
    tail: bytes = b"",
) -> FileLayout:
    """A file: its head, then the tensors, each at the next multiple of `alignment` bytes."""
    start = len(head) + len(shared) + len(tail)
    regions = place_regions(tensors, start, alignment)
    end = regions[-1].offset + regions[-1].tensor.nbytes if regions else start
    return FileLayout(name, head, regions, end, shared=shared, tail=tail)


def place_regions(
    tensors: Iterable[TensorPlan], start: int, alignment: int = 1
) -> tuple[Region, ...]:
    """The tensors one after another from an offset on, each at the next multiple of `alignment`."""
    regions = []
    for tensor in tensors:
        start += -start % alignment
        regions.append(Region(tensor, start))
        start += tensor.nbytes
    return tuple(regions)
