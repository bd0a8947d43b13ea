"""The verb that writes: `generate`, from a spec to a published file, folder or pipe."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import OutputError, RefusedError, SpecError, UsageError
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
from xavinit.plan import Plan
from xavinit.verbs.prepare import SpecSource, make_overrides, take_plan
from xavinit.wording import explain_os_error, format_choices, format_value

if TYPE_CHECKING:
    from xavinit.output import BinaryWriter, Drawing

# Called with the bytes done and the total bytes, about ten times a second.
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
    framework: str = "pytorch"  # whose names the tensors have
    shards: int | None = None  # files of tensors, if a limit of their size was given
    warnings: tuple[SpecError, ...] = ()


def generate(
    spec: SpecSource | Plan,
    path: str | os.PathLike[str] | BinaryWriter | None = None,
    *,
    format: str | None = None,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    max_shard_size: int | str | None = None,
    shard_name: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Draw every tensor of a spec into a weights file, in constant memory.

    Takes the arguments of `make_plan` (or a plan made already), and

    Parameters:
        path: the output's path; or an object with `write` (a pipe), which takes safetensors, or the
            .npy of a single tensor. A file appears whole or not at all. The blocks given to
            `write` are views that the next call overwrites. Without it, the name of the spec's
            file in the current folder, with the suffix of the framework and the format.
        format: `safetensors`, `hdf5`, `keras` or `npy`; by default the suffix of `path` decides.
        jobs: the number of threads; all cores by default, at most 8.
        max_shard_size: the most bytes of tensors in a file, as an integer or as text such as
            `5GB`: safetensors files and an index in the folder `path`, as Hugging Face splits
            and names them. Other files in the folder stay.
        shard_name: the stem of the names of those files, `model` by default, and after a dot a
            variant, as in `diffusion_pytorch_model.fp16`.
        force: replace an output that exists.
        dry_run: check everything, write nothing.
        progress: called with the bytes done and the total bytes, about ten times a second.

    Raises what `make_plan` raises; `RefusedError` where the output exists and `force` is not
    given; `OutputError` where it cannot be written; `MissingLibraryError`.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> generate({"tensors": {"hidden.weight": [128, 784]}}, pipe).nbytes
    401408
    """
    started = time.perf_counter()
    plan, document = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    from xavinit.output import Drawing, check_handle, check_pipe, is_pipe

    if path is None:
        is_folder = format == "npy" or max_shard_size is not None
        path = _name_output(spec, plan, format, is_folder=is_folder)
    target = _parse_target(path)
    file = target if isinstance(target, str) and not is_pipe(target) else None
    most = None if max_shard_size is None else parse_size(max_shard_size)
    if shard_name is not None and most is None:
        raise UsageError("a name of shards needs the size of a shard, such as 5GB")
    names = parse_shard_names(shard_name)
    fmt = choose_format(file, format) if most is None else _choose_sharded(file, format)
    with document.locating() if document else contextlib.nullcontext():
        layout = _lay_out(plan, fmt, file, most, names)
    drawing = Drawing(plan, jobs)
    advance = _make_advance(plan.nbytes, progress)
    if file is None:
        if isinstance(target, str):
            check_handle(target)
        check_pipe(layout, drawing)
        _check_not_spec(_find_pipe(target), spec)
        if not dry_run:
            _write_pipe(layout, target, drawing, advance)
    else:
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
        framework=plan.framework,
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
                f"({format_choices(FORMATS)}), or use a suffix: {suffixes}"
            )
        return parse_format(by_suffix)
    if path is not None and by_suffix not in (None, name):
        parse_format(name)
        raise UsageError(f"{path} has the suffix of {by_suffix}, but the format is {name}")
    return parse_format(name)


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


def _name_output(spec: object, plan: Plan, name: str | None, *, is_folder: bool) -> str:
    """The spec's own name in the current folder, with a suffix, or without for a folder.

    Each framework's output has a name of its own, so that none replaces another's.
    """
    if not isinstance(spec, (str, bytes, os.PathLike)) or spec == "-":
        raise UsageError(
            "path must be a path or have a write method; got null",
            hint="only the output of a spec that is a file has a name without one",
        )
    if name is None:
        name = "safetensors" if is_folder else choose_default(plan)
    else:
        parse_format(name)
    stem = os.path.splitext(os.path.basename(os.fsdecode(spec)))[0]
    if plan.framework != "pytorch" and name != "keras":  # whose suffix tells it
        stem += f".{plan.framework}"
    return name_output(stem, name, is_folder=is_folder)


def _parse_target(path: object) -> str | BinaryWriter:
    if isinstance(path, (str, bytes, os.PathLike)):
        return os.fsdecode(path)
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
    _check_not_spec([file, *(os.path.join(file, name) for name in inside)], spec)
    if layout.find_set is not None:
        check_set(file, force=force, find_set=layout.find_set)
    else:
        check_target(file, folder=layout.folder, force=force, is_ours=fmt.is_ours)
    if layout.folder and os.path.isdir(file):  # what goes
        old = os.listdir(file) if layout.find_set is None else layout.find_set(file)
        _check_not_spec((os.path.join(file, name) for name in old), spec)
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


def _check_not_spec(paths: Iterable[str | int], spec: object) -> None:
    from xavinit.output import check_apart

    if isinstance(spec, (str, bytes, os.PathLike)):
        check_apart(paths, os.fsdecode(spec))


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
    from xavinit.output import open_pipe, write_pipe

    try:
        if isinstance(target, str):
            with open_pipe(target) as pipe:
                write_pipe(layout, pipe, drawing, advance)
        else:
            write_pipe(layout, target, drawing, advance)
    except BrokenPipeError:
        raise  # the reader has enough: not an error of ours
    except OSError as error:
        name = target if isinstance(target, str) else "the stream"
        raise OutputError(f"cannot write {name}: {explain_os_error(error)}") from error
