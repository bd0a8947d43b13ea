"""Where an output goes: its name, its format and layout, and what is refused before any work."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import RefusedError, UsageError
from xavinit.formats import (
    FORMATS,
    Format,
    Layout,
    ShardNames,
    choose_default,
    find_suffix,
    name_output,
    parse_format,
    parse_shard_names,
    parse_size,
)
from xavinit.places import join
from xavinit.plan import Plan
from xavinit.stores import is_url
from xavinit.verbs.asked_parts import check_share, list_old, parse_asked, refuse_unsharded
from xavinit.verbs.copies import WithFiles, add_copies
from xavinit.verbs.sources import Source, check_not_spec
from xavinit.wording import format_choices, format_value, suggest

if TYPE_CHECKING:
    from xavinit.output import BinaryWriter, Drawing, Share, Work
    from xavinit.verbs.remote import Remote

_WHOLE = 2**63 - 1  # bytes: a set of this size of shards is one file


class Output(Struct, frozen=True):
    """A plan and where it goes, checked: what could be refused before the first byte is not."""

    plan: Plan
    format: Format
    layout: Layout
    target: str | BinaryWriter
    file: str | None  # None: a pipe
    drawing: Drawing
    force: bool
    share: Share | None = None  # of a set that several runs write
    work: Work | None = None  # what is left of the share
    remote: Remote | None = None  # of an output in a store

    @property
    def nbytes(self) -> int:
        """The bytes of tensors that are to be written."""
        if self.remote is not None and self.remote.claimed is not None:
            return self.remote.claimed.nbytes
        return self.plan.nbytes if self.work is None else self.work.nbytes

    @property
    def file_nbytes(self) -> int:
        """The bytes of the files that are to be written."""
        if self.remote is not None:
            return self.remote.sending.nbytes
        files = None if self.work is None else self.work.files
        return self.layout.nbytes if files is None else sum(file.nbytes for file in files)


def check_output(
    plan: Plan,
    source: Source | None,
    spec: object,
    path: object,
    *,
    format: str | None,
    jobs: int | None,
    max_shard_size: int | str | None,
    shard_name: str | None,
    force: bool,
    part: object = None,
    resume: bool = False,
    engine: str = "",
    with_files: WithFiles = (),
) -> Output:
    """Lay out a plan and refuse before any work what would be refused after it.

    `source` tells where errors are; it and `spec` must not be replaced. `engine` is what writes
    the parts, if not this process.
    """
    from xavinit.output import Drawing, check_handle, check_pipe

    asked = parse_asked(part, resume=resume, engine=engine)
    if asked is not None and max_shard_size is None and not (source and source.max_shard_size):
        raise refuse_unsharded(asked)
    if asked is not None and with_files:
        raise UsageError(f"copies of files go with a whole set: {asked.what} takes none")
    placed = place_output(
        plan,
        source,
        spec,
        path,
        format=format,
        max_shard_size=max_shard_size,
        shard_name=shard_name,
        with_files=with_files,
    )
    fmt, layout, target, file = placed.format, placed.layout, placed.target, placed.file
    drawing = Drawing(plan, jobs)
    if file is None:
        if isinstance(target, str):
            check_handle(target)
        check_pipe(layout, drawing)
        check_not_spec(_find_pipe(target), spec)
    elif is_url(file):
        from xavinit.verbs.remote import check_remote

        remote = check_remote(file, source, spec, fmt, layout, drawing, asked, force=force)
        share, work = remote.share, remote.work
        return Output(plan, fmt, layout, target, file, drawing, force, share, work, remote)
    else:
        if source is not None and source.weights is not None:
            check_not_spec([file], source.weights)
        if asked is not None:
            share, work = check_share(file, spec, layout, asked, drawing, force=force)
            return Output(plan, fmt, layout, target, file, drawing, force, share, work)
        _check_file(file, spec, fmt, layout, force)
    return Output(plan, fmt, layout, target, file, drawing, force)


class Placed(Struct, frozen=True):
    """Where an output goes: its format and layout, its target, and the path of a file or folder."""

    format: Format
    layout: Layout
    target: str | BinaryWriter
    file: str | None  # None: a pipe


def place_output(
    plan: Plan,
    source: Source | None,
    spec: object,
    path: object,
    *,
    format: str | None,
    max_shard_size: int | str | None,
    shard_name: str | None,
    with_files: WithFiles = (),
) -> Placed:
    """Find the name, format and layout of an output, whatever is there."""
    from xavinit.output import is_pipe

    target = "" if path is None else _parse_target(path)
    if max_shard_size is None and source and source.max_shard_size and _names_set(target, format):
        max_shard_size = source.max_shard_size
    is_folder = makes_folder(format, max_shard_size) or len(with_files) > 0
    if path is None:
        target = name_default(spec, source, plan, format, is_folder=is_folder)
    elif isinstance(target, str) and not is_folder and names_folder(target):
        target = join(target, name_default(spec, source, plan, format, is_folder=False))
    file = target if isinstance(target, str) and not is_pipe(target) else None
    most = None if max_shard_size is None else parse_size(max_shard_size)
    what = "shards"
    if with_files and most is None:
        most, what = _WHOLE, "copies of files"
    if shard_name is not None and most is None:
        raise UsageError("a name of shards needs the size of a shard, such as 5GB")
    names = parse_shard_names(shard_name)
    fmt = choose_format(file, format) if most is None else _choose_sharded(file, format, what)
    with source.document.locating() if source else contextlib.nullcontext():
        layout = _lay_out(plan, fmt, file, most, names)
    if with_files:
        layout = add_copies(layout, names, with_files)
    return Placed(fmt, layout, target, file)


def choose_format(path: str | None, name: str | None) -> Format:
    """The format of an output: the one named, or that of its suffix, which must not disagree.

    `path` is None for a pipe, which takes safetensors unless told otherwise.
    """
    by_suffix = find_suffix(path) if path is not None else "safetensors"
    if name is None:
        if by_suffix is None:
            suffixes = format_choices(suffix for known in FORMATS.values() for suffix in known)
            raise UsageError(
                f"cannot tell the format from the suffix of {path}: name a format "
                f"({format_choices(FORMATS)}), or use a suffix: {suffixes}",
                hint=_suggest_output(path or ""),
            )
        return parse_format(by_suffix)
    if path is not None and by_suffix not in (None, name):
        parse_format(name)
        raise UsageError(f"{path} has the suffix of {by_suffix}, but the format is {name}")
    return parse_format(name)


def _suggest_output(path: str) -> str | None:
    """The hint beside the suffix of a format that is not written."""
    suffix = os.path.splitext(path)[1].removeprefix(".")
    return suggest(suffix, FORMATS, "format") if suffix else None


def _names_set(target: str | BinaryWriter, name: str | None) -> bool:
    """Can the output be a set, as the weights were whose spec is taken?"""
    from xavinit.output import is_pipe

    if not isinstance(target, str) or not target or is_pipe(target):
        return False
    return find_suffix(target) is None and name in (None, "safetensors")


def _choose_sharded(path: str | None, name: str | None, what: str) -> Format:
    """The format of a set, of shards or with copies, which is a folder."""
    if path is None:
        raise UsageError(f"{what} cannot be written to a pipe or device: name a folder")
    if find_suffix(path) is not None:
        raise UsageError(f"{what} need the name of a folder, without a suffix; got {path}")
    fmt = parse_format(name or "safetensors")
    if fmt.lay_out_shards is None:
        raise UsageError(f"only safetensors has {what}; got the format {fmt.name}")
    return fmt


def name_default(
    spec: object, source: Source | None, plan: Plan, name: str | None, *, is_folder: bool
) -> str:
    """The spec's own name, with the suffix of a format, or without for a folder.

    Each framework's output has a name of its own, so that none replaces another's.
    """
    if not isinstance(spec, (str, bytes, os.PathLike)) or spec == "-":
        raise UsageError(
            "the output of a spec that is not a file has no name of its own: give it one"
        )
    if source is not None and source.weights is not None:
        path = os.fsdecode(spec)
        raise UsageError(f"{path} is a weights file, which stands for its spec: name the output")
    if name is None:
        name = "safetensors" if is_folder else choose_default(plan)
    else:
        parse_format(name)
    stem = os.path.splitext(os.path.basename(os.fsdecode(spec)))[0]
    if plan.framework != "pytorch" and name != "keras":  # whose suffix tells it
        stem += f".{plan.framework}"
    return name_output(stem, name, is_folder=is_folder)


def makes_folder(format: str | None, max_shard_size: object) -> bool:
    """Is the output itself a folder, of .npy files or of shards?"""
    return format == "npy" or max_shard_size is not None


def names_folder(path: str) -> bool:
    """Does a path mean a folder to write into? A name with a format's suffix means a file."""
    return path.endswith(("/", os.sep)) or (os.path.isdir(path) and find_suffix(path) is None)


def _parse_target(path: object) -> str | BinaryWriter:
    if isinstance(path, (str, bytes, os.PathLike)):
        is_url(target := os.fsdecode(path))  # refuses an address of another kind
        return target
    if hasattr(path, "write"):
        return path
    raise UsageError(f"path must be a path or have a write method; got {format_value(path)}")


def _lay_out(
    plan: Plan, fmt: Format, file: str | None, most: int | None, names: ShardNames
) -> Layout:
    """The layout of a plan in a file or folder, or (None) in a pipe; in shards of `most` bytes."""
    if most is not None and fmt.lay_out_shards is not None:
        return fmt.lay_out_shards(plan, most, names)
    if file is None and not fmt.fits_pipe:
        raise UsageError(f"{fmt.name} cannot be written to a pipe or device: name a file")
    # A name with the format's suffix, or a pipe, is a single file.
    single = fmt.lay_out_single
    if single is not None and (file is None or find_suffix(file) == fmt.name):
        return single(plan)
    layout = fmt.lay_out(plan)
    if file is None and layout.folder:
        raise UsageError(f"{fmt.name} makes a folder: it cannot be written to a pipe or device")
    return layout


def _check_file(file: str, spec: object, fmt: Format, layout: Layout, force: bool) -> None:
    """Refuse, before any work, an output that would be refused after it."""
    from xavinit.output import check_set, check_space, check_target

    inside = [part.name for part in layout.files] if layout.folder else []
    check_not_spec([file, *(os.path.join(file, name) for name in inside)], spec)
    if layout.find_set is not None:
        copies = layout.files[: len(layout.copies)]
        check_set(file, force=force, find_set=layout.find_set, copies=copies)
    else:
        check_target(file, folder=layout.folder, force=force, is_ours=fmt.is_ours)
    if layout.folder:
        check_not_spec((os.path.join(file, name) for name in list_old(file, layout)), spec)
    if not layout.folder and (rival := fmt.find_rival(os.path.realpath(file))) is not None:
        raise RefusedError(
            f"{file} would stand beside {rival}, of a sharded set: two checkpoints in one folder",
            hint="use another folder or name, or replace the set: "
            f"-o {os.path.dirname(file) or '.'} with --max-shard-size and --force",
        )
    check_space(file, layout.nbytes)


def _find_pipe(target: str | BinaryWriter) -> list[str | int]:
    """The path of a pipe, or the handle of what has one."""
    if isinstance(target, str):
        return [target]
    try:
        handle = target.fileno()  # type: ignore[attr-defined]  # or not
    except (AttributeError, OSError, ValueError):
        return []
    return [handle] if isinstance(handle, int) else []
