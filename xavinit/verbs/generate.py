"""The verb that writes: `generate`, from a spec to a published file, folder or pipe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import OutputError, SpecError
from xavinit.formats import Layout
from xavinit.plan import Plan
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.target import Output, check_output
from xavinit.wording import explain_os_error

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
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    max_shard_size: int | str | None = None,
    shard_name: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    strict: bool = False,
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
        strict: take warnings for errors.

    Raises what `make_plan` raises; `RefusedError` where the output exists and `force` is not
    given; `OutputError` where it cannot be written; `MissingLibraryError`.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> generate({"tensors": {"hidden.weight": [128, 784]}}, pipe).nbytes
    401408
    """
    started = time.perf_counter()
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
    )
    return write_output(output, started=started, dry_run=dry_run, progress=progress)


def write_output(
    output: Output, *, started: float, dry_run: bool, progress: Progress | None
) -> Report:
    """Write what has been checked, unless the run is dry."""
    plan, layout, target = output.plan, output.layout, output.target
    advance = _make_advance(plan.nbytes, progress)
    if not dry_run and output.file is None:
        _write_pipe(layout, target, output.drawing, advance)
    elif not dry_run and output.file is not None:
        from xavinit.output import write_path

        write_path(layout, output.file, output.drawing, force=output.force, advance=advance)
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
        shards=None if layout.find_set is None else max(len(layout.files) - 1, 1),
        warnings=plan.warnings,
    )


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
