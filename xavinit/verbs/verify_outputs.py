"""What `generate --verify` does: compare what would be written with what is there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from xavinit.errors import UsageError
from xavinit.places import exists, join
from xavinit.plan import Plan
from xavinit.reading import Fault, Found, compare_files
from xavinit.verbs.copies import WithFiles
from xavinit.verbs.generate_many import Names, parse_path
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.progress import Progress, shift_progress
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.target import Placed, makes_folder, name_default, place_output
from xavinit.verbs.verdict import Compared, Verdict, judge


def verify_outputs(
    specs: Sequence[SpecSource],
    path: str | os.PathLike[str] | None = None,
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
    with_files: WithFiles = (),
    strict: bool = False,
    progress: Progress | None = None,
    report: Callable[[Verdict], None] | None = None,
) -> tuple[Verdict, ...]:
    """Compare the output of each spec with what `generate` would write, and write nothing.

    Takes the arguments of `generate`; `path` is the output of one spec, or the folder of several,
    as for `generate_many`. `report` is called with each verdict as soon as it is known. An output
    that is missing is a fault.
    """
    overrides = make_overrides(seed, dtype, framework, dims, rng)
    is_folder = makes_folder(format, max_shard_size)
    taken = Names(os.fsdecode(path or ""))
    plans: list[Plan] = []
    placed: list[Placed] = []
    for spec in specs:
        plan, source = take_plan(spec, overrides, strict=strict)
        place = path
        if len(specs) > 1:
            name = parse_path(spec)
            default = name_default(spec, source, plan, format, is_folder=is_folder)
            place = taken.take(name, default)
        plans.append(plan)
        placed.append(
            place_output(
                plan,
                source,
                spec,
                place,
                format=format,
                max_shard_size=max_shard_size,
                shard_name=shard_name,
                with_files=with_files,
            )
        )
    files = [_find_file(output) for output in placed]
    verdicts: list[Verdict] = []
    total, done = sum(plan.nbytes for plan in plans), 0
    for plan, output, file in zip(plans, placed, files, strict=True):
        show = None if progress is None else shift_progress(progress, done, total)
        verdicts.append(_verify_output(plan, output, file, jobs, show))
        done += plan.nbytes
        if report is not None:
            report(verdicts[-1])
    return tuple(verdicts)


def _find_file(placed: Placed) -> str:
    if placed.file is None:
        raise UsageError("a pipe or device holds nothing to compare: name a file, or use cmp")
    return placed.file


def _verify_output(
    plan: Plan, placed: Placed, file: str, jobs: int | None, progress: Progress | None
) -> Verdict:
    started = time.perf_counter()
    layout = placed.layout
    files = [(part, join(file, part.name) if layout.folder else file) for part in layout.files]
    is_whole = layout.files[0].contents is None
    compared = Compared(
        path=file,
        format=placed.format.name,
        scope="every_byte" if is_whole else "tensors_and_attributes",
        tensors=plan.tensors,
        shards=None if layout.find_set is None else max(len(layout.files) - 1, 1),
    )
    if exists(file):
        found = compare_files(placed.format, layout, files, file if layout.folder else None)
    else:
        found = Found((Fault(kind="missing_file", path=file),))
    return judge(plan, compared, found, jobs=jobs, started=started, progress=progress)
