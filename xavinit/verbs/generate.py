"""The verb that writes: `generate`, from a spec to a published file, folder or pipe."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from xavinit.errors import OutputError, RefusedError, SpecError, UsageError
from xavinit.formats import FORMATS, Format, Layout, find_suffix, parse_format, parse_size
from xavinit.plan import Plan
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.wording import explain_os_error, format_choices, format_value, suggest

if TYPE_CHECKING:
    from xavinit.output import BinaryWriter, Drawing

# Told of bytes done and bytes in all, about ten times a second.
Progress = Callable[[int, int], None]


class Report(Struct, frozen=True):
    """What `generate` did: where, in which format, how much, and how long it took."""

    path: str
    format: str
    tensors: int
    parameters: int
    nbytes: int  # of the tensors
    seed: int
    stream: str
    seconds: float
    shards: int | None = None  # files of tensors, where a limit of their size was asked for
    warnings: tuple[SpecError, ...] = ()


def generate(
    spec: SpecSource | Plan,
    path: str | os.PathLike[str] | BinaryWriter,
    *,
    format: str | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    max_shard_size: int | str | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Draw every tensor of a spec into a weights file, in constant memory.

    Takes the arguments of `make_plan` (or a plan made already), and

    Parameters:
        path: where to; or an object with `write` (a pipe), which takes safetensors, or the
            .npy of a single tensor. A file appears whole or not at all. The blocks given to
            `write` are views that the next call overwrites.
        format: `safetensors`, `hdf5` or `npy`; without it the suffix of `path` decides.
        jobs: the number of threads; all cores by default, at most 8.
        max_shard_size: the most bytes of tensors in a file, as an integer or as text such as
            `5GB`: safetensors files and an index in the folder `path`, as Hugging Face splits
            and names them. Other files in the folder stay.
        force: replace an output that exists.
        dry_run: check everything, write nothing.
        progress: called with the bytes done and the bytes in all, about ten times a second.

    Raises what `make_plan` raises; `RefusedError` where the output exists and `force` is not
    given; `OutputError` where it cannot be written; `MissingLibraryError`.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> generate({"tensors": {"hidden.weight": [128, 784]}}, pipe).nbytes
    401408
    """
    started = time.perf_counter()
    plan, source = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    from xavinit.output import Drawing, check_pipe, is_pipe

    target = _parse_target(path)
    file = target if isinstance(target, str) and not is_pipe(target) else None
    if max_shard_size is None and source and source.max_shard_size and _names_set(file, format):
        max_shard_size = source.max_shard_size
    most = None if max_shard_size is None else parse_size(max_shard_size)
    fmt = choose_format(file, format) if most is None else _choose_sharded(file, format)
    with source.document.locating() if source else contextlib.nullcontext():
        layout = _lay_out(plan, fmt, file, most)
    drawing = Drawing(plan, jobs)
    advance = _make_advance(plan.nbytes, progress)
    if file is None:
        check_pipe(layout, drawing)
        if not dry_run:
            _write_pipe(layout, target, drawing, advance)
    else:
        if source is not None:
            _check_not_spec(file, source.weights)
        _check_file(file, spec, fmt, layout, force)
        if not dry_run:
            from xavinit.output import write_path

            write_path(layout, file, drawing, force=force, advance=advance)
    return Report(
        path=target if isinstance(target, str) else "-",
        format=fmt.name,
        tensors=len(plan.tensors),
        parameters=plan.parameters,
        nbytes=plan.nbytes,
        seed=plan.seed,
        stream=plan.stream,
        seconds=time.perf_counter() - started,
        shards=None if most is None else max(len(layout.files) - 1, 1),
        warnings=plan.warnings,
    )


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
    """The hint beside a name of a format that is not written, or of a folder."""
    if path.endswith("/"):
        return "a folder takes -f npy, or shards of safetensors: --max-shard-size 5GB"
    suffix = os.path.splitext(path)[1].removeprefix(".")
    return suggest(suffix, FORMATS, "format") if suffix else None


def _names_set(path: str | None, name: str | None) -> bool:
    """Can the output be a set, as the weights were whose spec is taken?"""
    return path is not None and find_suffix(path) is None and name in (None, "safetensors")


def _choose_sharded(path: str | None, name: str | None) -> Format:
    """The format of a set of shards, which is a folder."""
    if path is None:
        raise UsageError("shards cannot be written to a pipe or device: name a folder")
    if find_suffix(path) is not None:
        raise UsageError(f"shards need the name of a folder, without a suffix; got {path}")
    fmt = parse_format(name or "safetensors")
    if fmt.lay_out_shards is None:
        raise UsageError(f"only safetensors has shards; got the format {fmt.name}")
    return fmt


def _parse_target(path: object) -> str | BinaryWriter:
    if isinstance(path, (str, bytes, os.PathLike)):
        return os.fsdecode(path)
    if hasattr(path, "write"):
        return path
    raise UsageError(f"path must be a path or have a write method; got {format_value(path)}")


def _lay_out(plan: Plan, fmt: Format, file: str | None, most: int | None) -> Layout:
    """The layout of a plan in a file or folder, or (None) in a pipe; in shards of `most` bytes."""
    if most is not None and fmt.lay_out_shards is not None:
        return fmt.lay_out_shards(plan, most)
    if file is None and not fmt.streams:
        raise UsageError(f"{fmt.name} cannot be written to a pipe or device: name a file")
    # A name with the format's suffix, or a pipe, is a single file.
    single = fmt.lay_out_single
    if single is not None and (file is None or find_suffix(file) == fmt.name):
        return single(plan)
    return fmt.lay_out(plan)


def _check_file(file: str, spec: object, fmt: Format, layout: Layout, force: bool) -> None:
    """Refuse before any work what would be refused after it."""
    from xavinit.output import check_set, check_space, check_target

    _check_not_spec(file, spec)
    if layout.find_set is None:
        check_target(file, folder=layout.folder, force=force, is_ours=fmt.is_ours)
    else:
        check_set(file, force=force, find_set=layout.find_set)
        for name in layout.find_set(file) if os.path.isdir(file) else ():
            _check_not_spec(os.path.join(file, name), spec)
    check_space(file, layout.nbytes)


def _check_not_spec(file: str, spec: object) -> None:
    if isinstance(spec, (str, bytes, os.PathLike)):
        with contextlib.suppress(OSError, ValueError):  # one of the two does not exist
            if os.path.samefile(file, spec):
                raise RefusedError(f"{file} is the spec itself; it is not replaced")


def _make_advance(total: int, progress: Progress | None) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return advance


def _write_pipe(
    layout: Layout, target: str | BinaryWriter, drawing: Drawing, advance: Callable[[int], None]
) -> None:
    from xavinit.output import write_pipe

    try:
        if isinstance(target, str):
            with _open_pipe(target) as pipe:
                write_pipe(layout, pipe, drawing, advance)
        else:
            write_pipe(layout, target, drawing, advance)
    except BrokenPipeError:
        raise  # the reader has enough: not an error of ours
    except OSError as error:
        name = target if isinstance(target, str) else "the stream"
        raise OutputError(f"cannot write {name}: {explain_os_error(error)}") from error


def _open_pipe(path: str) -> BinaryIO:
    from xavinit.output import open_pipe

    try:
        return open_pipe(path)
    except (OverflowError, ValueError) as error:  # /dev/fd/9999999999; a NUL
        reason = os.strerror(errno.EBADF) if isinstance(error, OverflowError) else error
        raise OutputError(f"cannot write {path}: {reason}") from error
