"""Outputs in object stores: what is refused before the first byte, and how the rest is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.formats import FileLayout, Format, Layout, Part
from xavinit.places import join
from xavinit.stores import Url, parse_url
from xavinit.verbs.asked_parts import Asked, refuse_unsharded
from xavinit.verbs.sources import Source, check_not_spec
from xavinit.wording import format_value

if TYPE_CHECKING:
    from xavinit.output import ClaimedWork, Drawing, Sending, Share, Work


class Remote(Struct, frozen=True):
    """An output in a store that has been checked: a set, a folder of files, or one file."""

    path: str
    sending: Sending
    share: Share | None = None
    work: Work | None = None
    claimed: ClaimedWork | None = None


def check_remote(
    path: str,
    source: Source | None,
    spec: object,
    fmt: Format,
    layout: Layout,
    drawing: Drawing,
    asked: Asked | None,
    *,
    force: bool,
) -> Remote:
    """Refuse, before any work, an output that would be refused after it."""
    from xavinit.output import check_object, check_sizes, plan_sending

    if drawing.stream.is_ordered:
        raise UsageError(
            f"the stream {drawing.stream.name} is one sequence, which no output in a store takes",
            hint="name a file or folder on a disk, and copy it",
        )
    url = parse_output(path, layout)
    if asked is not None and layout.find_set is None:
        raise refuse_unsharded(asked)
    specs = [spec] if source is None or source.weights is None else [spec, source.weights]
    inside = [file.name for file in layout.files] if layout.folder else []
    for own in specs:
        check_not_spec([path, *(join(path, name) for name in inside)], own)
    check_sizes(url, [file.nbytes or layout.nbytes for file in layout.files])
    share = work = claimed = None
    todo: tuple[FileLayout, ...] = layout.files
    if layout.find_set is not None:
        share, work, old = _check_set(path, layout, asked, force=force)
        index = layout.index
        todo = work.files if index is None or work.is_complete else (*work.files, index)
    elif layout.folder:
        from xavinit.output import find_claimed_work

        claimed = find_claimed_work(layout, path, fmt.list_files, force=force)
        old = [*claimed.claim.replaces] if force else []
        todo = (*claimed.files, layout.files[-1])
    else:
        check_object(url, fmt.choose_rival, force=force)
        old = []
    for own in specs:
        check_not_spec((join(path, name) for name in old), own)
    sending = plan_sending(url.scheme, [file.nbytes or layout.nbytes for file in todo])
    return Remote(path, sending, share, work, claimed)


def parse_output(path: str, layout: Layout) -> Url:
    """The URL of an output; `UsageError` where a layout's only file would have no name."""
    url = parse_url(path)
    if not url.key and not layout.folder:
        raise UsageError(f"an object needs a name after its bucket; got {format_value(path)}")
    return url


def _check_set(
    path: str, layout: Layout, asked: Asked | None, *, force: bool
) -> tuple[Share, Work, list[str]]:
    """A set's share, what is left of it, and the names that stand there and may go."""
    from xavinit.output import find_work, list_standing, take_share

    part = Part() if asked is None else asked.part
    resume = asked is not None and asked.resume
    share = take_share(layout, part, force=force, resume=resume, is_whole=asked is None)
    return share, find_work(share, path), list_standing(share, path) if force else []


def write_remote(
    remote: Remote,
    layout: Layout,
    drawing: Drawing,
    advance: Callable[[int], None],
    *,
    force: bool,
) -> Work | None:
    """Write what has been checked; of a set, return what was written."""
    if remote.share is not None and remote.work is not None:
        from xavinit.output import write_share

        return write_share(remote.share, remote.work, remote.path, drawing, advance)
    if remote.claimed is not None:
        from xavinit.output import write_claimed

        write_claimed(layout, remote.path, remote.claimed, drawing, advance)
        return None
    from xavinit.output import write_object

    write_object(layout, parse_url(remote.path), drawing, force=force, advance=advance)
    return None
