"""The verb that writes several outputs: `generate_many`, from specs to a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from xavinit.errors import OutputError, UsageError
from xavinit.places import join
from xavinit.stores import is_url
from xavinit.verbs.generate import PartSource, Report, write_output
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.progress import Progress, shift_progress
from xavinit.verbs.target import Output, check_output, makes_folder, name_default
from xavinit.wording import format_value

SpecPath = str | os.PathLike[str]


def generate_many(
    specs: Sequence[SpecPath],
    folder: str | os.PathLike[str],
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
    force: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    report: Callable[[Report], None] | None = None,
) -> tuple[Report, ...]:
    """Draw each of several specs into a weights file of its own, in one folder.

    Takes the arguments of `generate`, but for

    Parameters:
        specs: the paths of the files; a mapping, or standard input, has no name to give an output.
        folder: a folder that exists, or a prefix in a store. Each output has the name of its spec,
            with the format's suffix.
        report: called with each report, once its output is there.

    All are read, planned and laid out before the first byte: what is refused then is refused for
    all. What has been written stays where writing another fails.

    Raises what `generate` raises, and `UsageError` where two outputs would have one name.
    """
    if isinstance(specs, str | bytes | os.PathLike | Mapping):
        raise UsageError(f"specs must be a list of paths; got {format_value(specs)}")
    place = os.fsdecode(folder)
    if not is_url(place) and not os.path.isdir(place or "."):
        raise OutputError(f"cannot write to {place}: no such folder", hint="make it first")
    names = [parse_path(spec) for spec in specs]
    is_folder = makes_folder(format, max_shard_size)
    overrides = make_overrides(seed, dtype, framework, dims, rng)
    outputs = []
    taken = Names(place)
    for spec in names:
        plan, source = take_plan(spec, overrides, strict=strict)
        path = taken.take(spec, name_default(spec, source, plan, format, is_folder=is_folder))
        outputs.append(
            check_output(
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
            )
        )
    _check_space(outputs)
    reports: list[Report] = []
    before = 0
    total = sum(output.nbytes for output in outputs)
    while outputs:
        output = outputs.pop(0)  # with its buffers, which go when the next one takes its place
        show = None if progress is None else shift_progress(progress, before, total)
        before += output.nbytes
        started = time.perf_counter()
        reports.append(write_output(output, started=started, dry_run=dry_run, progress=show))
        if report is not None:
            report(reports[-1])
    return tuple(reports)


class Names:
    """The paths of several outputs in one folder, each taken once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._taken: dict[str, str] = {}

    def take(self, spec: str, name: str) -> str:
        """The path of a spec's output; `UsageError` where another spec has it."""
        path = join(self._folder, name)
        # Names that differ only in case are one to some file systems.
        other = self._taken.setdefault(path.casefold(), spec)
        if other is not spec:
            raise UsageError(f"{other} and {spec} would both be written to {path}")
        return path


def parse_path(given: object) -> str:
    """The path of one of several specs."""
    if not isinstance(given, str | bytes | os.PathLike):
        raise UsageError(f"specs must be paths; got {format_value(given)}")
    if given == "-":
        raise UsageError("standard input has no name for its output: give it alone")
    return os.fsdecode(given)


def _check_space(outputs: Sequence[Output]) -> None:
    from xavinit.output import check_space

    if outputs and outputs[0].file is not None and outputs[0].remote is None:
        check_space(outputs[0].file, sum(output.file_nbytes for output in outputs))
