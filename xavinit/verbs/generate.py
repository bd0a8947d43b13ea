"""The verb that writes: `generate`, from a spec to a published file, folder or pipe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.errors import OutputError, SpecError, UsageError
from xavinit.formats import Layout
from xavinit.plan import Plan, count_passed
from xavinit.verbs.copies import WithFiles
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.progress import Progress, make_advance
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.target import Output, check_output
from xavinit.wording import explain_os_error, format_value

if TYPE_CHECKING:
    from xavinit.output import BinaryWriter, Drawing, Sending, Share, Work

PartSource = str | tuple[int, int]  # a part of a set, such as 2/8


class PartReport(Struct, frozen=True):
    """Of a set that several runs write: what this one found and did."""

    part: str  # such as 2/8
    written: int  # shards
    left: int  # shards of this part that were there already
    nbytes: int  # of the tensors of the shards written
    is_complete: bool  # is the set whole now, with its index?
    # Of a stream that is one sequence: the words that are not its own, over which the generator
    # runs to reach its own. None where each tensor has its own stream.
    passed: int | None = None


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
    part: PartReport | None = None  # if a part was asked for, or to resume; of a set in a store
    sending: Sending | None = None  # how objects are sent to a store


def generate(
    spec: SpecSource | Plan,
    path: str | os.PathLike[str] | BinaryWriter | None = None,
    *,
    format: str | None = None,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    max_shard_size: int | str | None = None,
    shard_name: str | None = None,
    part: PartSource | None = None,
    resume: bool = False,
    client: Any = None,
    with_files: WithFiles = (),
    force: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Draw every tensor of a spec into a weights file, in constant memory.

    Takes the arguments of `make_plan` (or a plan made already), and

    Parameters:
        path: the output's path, or the URL of an object or a prefix in a store (`s3://bucket/…`,
            `gs://`, `az://`: docs/scale.md); or an object with `write` (a pipe), which takes
            safetensors, or the .npy of a single tensor. A file appears whole or not at all. The
            blocks given to `write` are views that the next call overwrites. Without it, the name of
            the spec's file in the current folder, with the suffix of the framework and the format.
        format: `safetensors`, `hdf5`, `keras` or `npy`; by default the suffix of `path` decides.
        jobs: the number of threads; all cores by default, at most 8.
        max_shard_size: the most bytes of tensors in a file, as an integer or as text such as
            `5GB`: safetensors files and an index in the folder `path`, as Hugging Face splits
            and names them. Other files in the folder stay.
        shard_name: the stem of the names of those files, `model` by default, and after a dot a
            variant, as in `diffusion_pytorch_model.fp16`.
        part: `(i, n)` or `"i/n"`, from 1 to n: write only the shards of this part, into a folder
            that n runs share, in any order (docs/scale.md). Shards that are there are left. The run
            that finds all of them there writes the index.
        resume: write only the shards that are missing or cut short.
        client: a `distributed.Client`: the workers of its Dask cluster write the shards, each a
            task, into a folder that all of them see. `jobs` is then the threads of a task, by
            default one.
        with_files: paths of files, such as config.json, of which copies go into the folder `path`
            with `model.safetensors`, or the shards; on a disk all appear together, in a store
            the copies first. A different file of such a name is replaced only with `force`.
        force: replace an output that exists; of a part, the shards of this part.
        dry_run: check everything, write nothing.
        progress: called with the bytes done and the total bytes, about ten times a second.
        strict: take warnings for errors.

    Raises what `make_plan` raises; `RefusedError` where the output exists and `force` is not
    given; `OutputError` where it cannot be written; `MissingLibraryError`.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> generate({"tensors": {"hidden.weight": [128, 784]}}, pipe).nbytes
    401408
    """
    started = time.perf_counter()
    if client is not None and not (hasattr(client, "submit") and hasattr(client, "run")):
        raise UsageError(f"client must be a distributed.Client; got {format_value(client)}")
    plan, source = take_plan(spec, make_overrides(seed, dtype, framework, dims, rng), strict=strict)
    output = check_output(
        plan,
        source,
        spec,
        path,
        format=format,
        jobs=jobs,
        max_shard_size=max_shard_size,
        shard_name=shard_name,
        force=force,
        part=part,
        resume=resume,
        engine="" if client is None else "a Dask cluster",
        with_files=with_files,
    )
    return write_output(
        output, started=started, dry_run=dry_run, progress=progress, client=client, jobs=jobs
    )


def write_output(
    output: Output,
    *,
    started: float,
    dry_run: bool,
    progress: Progress | None,
    client: Any = None,
    jobs: int | None = None,
) -> Report:
    """Write what has been checked, unless the run is dry; `client` is that of a Dask cluster."""
    plan, layout, target = output.plan, output.layout, output.target
    advance = make_advance(output.nbytes, progress)
    work = output.work
    if not dry_run and output.file is None:
        _write_pipe(layout, target, output.drawing, advance)
    elif not dry_run and output.file is not None:
        work = _write_file(output, output.file, advance, client, jobs)
    part = None
    if output.share is not None and work is not None:
        part = _report_part(output.share, work, plan)
    return Report(
        path=target if isinstance(target, str) else "-",
        format=output.format.name,
        tensors=len(plan.tensors),
        parameters=plan.parameters,
        nbytes=plan.nbytes,
        seed=plan.seed,
        stream=plan.stream,
        seconds=time.perf_counter() - started,
        framework=plan.framework,
        shards=None if layout.find_set is None else len(layout.shards),
        warnings=plan.warnings,
        part=part,
        sending=None if output.remote is None else output.remote.sending,
    )


def _write_file(
    output: Output, path: str, advance: Callable[[int], None], client: Any, jobs: int | None
) -> Work | None:
    """Write a file, a folder, or of a set what is left; return what was written of a set."""
    drawing, share, work = output.drawing, output.share, output.work
    if share is not None and work is not None and client is not None:
        from xavinit.verbs.on_dask import write_on_dask

        return write_on_dask(client, output.plan, share, work, path, jobs, advance)
    if output.remote is not None:
        from xavinit.verbs.remote import write_remote

        return write_remote(output.remote, output.layout, drawing, advance, force=output.force)
    if share is not None and work is not None:
        from xavinit.output import write_share

        return write_share(share, work, path, drawing, advance)
    from xavinit.output import write_path

    write_path(output.layout, path, drawing, force=output.force, advance=advance)
    return None


def _report_part(share: Share, done: Work, plan: Plan) -> PartReport:
    written = sum(file.name not in share.layout.copies for file in done.files)
    left = len(share.files) - len(share.layout.copies) - written
    passed = None
    if plan.sequence:
        own = {region.tensor.stream for file in done.files for region in file.regions}
        passed = count_passed(plan.sequence, own)
    return PartReport(str(share.part), written, left, done.nbytes, done.is_complete, passed)


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
