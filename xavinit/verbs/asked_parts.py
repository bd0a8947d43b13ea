"""The part of a set that a run is asked for, and what is refused before any work on it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.formats import Layout, Part, parse_part
from xavinit.verbs.sources import check_not_spec
from xavinit.wording import format_value

if TYPE_CHECKING:
    from xavinit.output import Drawing, Share, Work


class Asked(Struct, frozen=True):
    """A part, and what is told of who asks for it; with `resume`, what was cut short is redone."""

    part: Part
    what: str
    resume: bool


def parse_asked(given: object, *, resume: bool, engine: str) -> Asked | None:
    """The part that is asked for; to resume, or by an engine, the whole set; else None."""
    if given is not None and engine:
        raise UsageError(f"{engine} writes all parts; got part {format_value(given)}")
    if given is not None:
        return Asked(parse_part(given), "a part", resume)
    return Asked(Part(), engine or "to resume", resume) if resume or engine else None


def refuse_unsharded(asked: Asked) -> UsageError:
    return UsageError(
        f"{asked.what} needs a set of shards: give the size of a shard, such as 5GB",
        hint="a single file is written whole or not at all",
    )


def check_share(
    file: str, spec: object, layout: Layout, asked: Asked, drawing: Drawing, *, force: bool
) -> tuple[Share, Work]:
    """A part of a set, and what is left of it; refuse before any work what must not be."""
    from xavinit.output import check_space, find_work, take_share

    if layout.find_set is None:
        raise refuse_unsharded(asked)
    if drawing.stream.is_ordered:
        raise UsageError(
            "a set is written in parts where any shard can be drawn alone; the stream "
            f"{drawing.stream.name} is one sequence"
        )
    check_not_spec([file, *(os.path.join(file, part.name) for part in layout.files)], spec)
    share = take_share(layout, asked.part, force=force, resume=asked.resume)
    work = find_work(share, file)
    if force:
        check_not_spec((os.path.join(file, name) for name in list_old(file, layout)), spec)
    check_space(file, sum(part.nbytes for part in work.files))
    return share, work


def list_old(file: str, layout: Layout) -> list[str]:
    """What goes of a folder that is replaced."""
    with contextlib.suppress(FileNotFoundError):  # or has gone, by another run
        return os.listdir(file) if layout.find_set is None else layout.find_set(file)
    return []
