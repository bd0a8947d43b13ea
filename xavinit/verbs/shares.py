"""Who would write what: a plan's shards, divided among several runs."""

from __future__ import annotations

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.formats import (
    FileLayout,
    Part,
    divide,
    parse_format,
    parse_parts,
    parse_shard_names,
    parse_size,
)
from xavinit.plan import Plan, TensorPlan


class PartPlan(Struct, frozen=True):
    """The shards of one part."""

    part: Part
    shards: tuple[str, ...]  # their names
    numbers: tuple[int, ...]  # the same, counted from 1
    tensors: int
    nbytes: int  # of the files


class Division(Struct, frozen=True):
    """A set in parts, and the tensors for which they cannot be even, with the part of each."""

    parts: tuple[PartPlan, ...]
    shards: int
    large: tuple[tuple[TensorPlan, Part], ...]

    @property
    def nbytes(self) -> int:
        """The bytes of all shards."""
        return sum(part.nbytes for part in self.parts)

    @property
    def fair(self) -> int:
        """The bytes of each part if all were even."""
        return -(-self.nbytes // len(self.parts))


def divide_plan(
    plan: Plan,
    parts: int,
    *,
    max_shard_size: int | str | None = None,
    shard_name: str | None = None,
) -> Division:
    """Divide the shards of a plan, as `generate` does when it is given a part."""
    count = parse_parts(parts)
    if max_shard_size is None:
        raise UsageError("parts need the size of a shard, such as 5GB")
    lay_out = parse_format("safetensors").lay_out_shards
    if lay_out is None:
        raise TypeError("safetensors has no shards")
    layout = lay_out(plan, parse_size(max_shard_size), parse_shard_names(shard_name))
    shards = layout.shards
    found = []
    large = []
    places = divide([shard.nbytes for shard in shards], count)
    fair = sum(shard.nbytes for shard in shards) / count
    for number, own in enumerate(places, start=1):
        files = [shards[place] for place in own]
        found.append(_make_part(Part(number, count), files, [place + 1 for place in own]))
        regions = (region for file in files for region in file.regions)
        large += [
            (region.tensor, found[-1].part) for region in regions if region.tensor.nbytes > fair
        ]
    large.sort(key=lambda pair: -pair[0].nbytes)  # of equal ones, in the order of parts
    return Division(tuple(found), len(shards), tuple(large))


def _make_part(part: Part, files: list[FileLayout], numbers: list[int]) -> PartPlan:
    return PartPlan(
        part,
        tuple(file.name for file in files),
        tuple(numbers),
        sum(len(file.regions) for file in files),
        sum(file.nbytes for file in files),
    )
