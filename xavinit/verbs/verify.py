"""The verb that compares a weights file with what a spec makes: `verify`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

from xavinit.errors import InputError, UnreadableError, UsageError
from xavinit.formats import (
    FileLayout,
    Format,
    Layout,
    Recipe,
    find_odd_byte,
    parse_format,
    parse_shard_names,
    parse_size,
)
from xavinit.places import exists, join, split
from xavinit.plan import STREAM, Plan
from xavinit.reading import Fault, Found, compare_files
from xavinit.verbs.prepare import make_overrides, read_plan, take_plan
from xavinit.verbs.progress import Progress
from xavinit.verbs.sources import Source, SpecSource, take_recipe
from xavinit.verbs.subjects import Carried, Subject, find_recipe, find_subject
from xavinit.verbs.verdict import Compared, Verdict, judge
from xavinit.verbs.verify_laws import find_tensors, judge_file


def verify(
    path: str | os.PathLike[str],
    spec: SpecSource | Plan | None = None,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    max_shard_size: int | str | None = None,
    shard_name: str | None = None,
    statistics: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Compare a weights file with what `generate` writes for a spec, and say what differs.

    Takes the arguments of `make_plan` (or a plan made already), and

    Parameters:
        path: a file, one shard of a set, the folder or the index of a set, or a folder of `.npy`
            files. Its content says which format it is.
        spec: what it should be. Without it, the spec that the file carries: that shows only that
            the file is what it says (`Verdict.is_own_spec`).
        jobs: the number of threads; all cores by default, at most 8. The verdict is the same.
        max_shard_size: the limit of a set's shards; by default the one that the set carries.
        shard_name: the stem of their names; by default the one that the set carries.
        statistics: judge the values by the spec's laws alone, for a file that a framework drew:
            its bytes cannot be those that `generate` writes.
        progress: called with the bytes done and all bytes, about ten times a second.

    Every byte of safetensors and `.npy` files is compared; of HDF5 files the tensors and
    attributes (docs/verify.md). The verdict is true where nothing differs; its `faults` are all
    that does.

    Raises what `make_plan` raises; `InputError` where the file cannot be read, or, without a spec,
    is damaged (with a spec that is a fault); `UsageError` where it carries no spec.

    >>> import os, tempfile
    >>> from xavinit import generate
    >>> spec = {"tensors": {"hidden.weight": [128, 784]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "w.safetensors")
    ...     _ = generate(spec, path)
    ...     verify(path, spec).is_same, str(verify(path, spec, seed=1).faults[0])
    (True, 'metadata xavinit: seed: expected 1, got 0')
    """
    started = time.perf_counter()
    if statistics and (max_shard_size is not None or shard_name is not None):
        raise UsageError("statistics look at values alone: they take no size or name of shards")
    subject = find_subject(os.fsdecode(path), shard_name)
    overrides = make_overrides(seed, dtype, framework, dims, rng)
    source: Source | None
    carried = Carried()
    is_theirs = False
    if spec is None:
        carried = find_recipe(subject)
        if carried.recipe is None:
            raise UsageError(
                f"{subject.path} carries no spec of xavinit",
                hint="give the spec that it should be compared with: --spec",
            )
        source = take_recipe(subject.path, carried.recipe)
        plan = read_plan(source.document, overrides, strict=strict)[1]
    else:
        plan, source = take_plan(spec, overrides, strict=strict)
        is_theirs = plan.stream != STREAM
        try:
            if is_theirs or subject.format == "safetensors":
                carried = find_recipe(subject)
            # A framework wrote it, whose numbers alone are those of the spec.
            is_theirs = is_theirs and carried.recipe is None
        except UnreadableError:
            raise
        except InputError:  # a fault that is told below
            carried, is_theirs = Carried(), False
    if statistics:
        return judge_file(
            plan,
            os.fsdecode(path),
            spec is None,
            jobs=jobs,
            started=started,
            progress=progress,
        )
    with source.document.locating() if source else contextlib.nullcontext():
        if is_theirs:
            compared, found = _compare_foreign(plan, os.fsdecode(path), is_own_spec=False)
        else:
            own = spec is None
            compared, found = _compare(plan, subject, carried, max_shard_size, shard_name, own)
    return judge(plan, compared, found, jobs=jobs, started=started, progress=progress)


def _compare(
    plan: Plan,
    subject: Subject,
    carried: Carried,
    max_shard_size: int | str | None,
    shard_name: str | None,
    is_own_spec: bool,
) -> tuple[Compared, Found]:
    """Compare all but the values of the tensors."""
    path = subject.path
    if subject.format is None:
        return _compare_foreign(plan, path, is_own_spec)
    fmt = parse_format(subject.format)
    layout = _lay_out(plan, fmt, subject, carried.recipe, max_shard_size, shard_name)
    files = _place_files(layout, subject)
    whole = [(file, name) for file, name in files if file is not None]
    regions = [region for file, _ in whole for region in file.regions]
    scope = "every_byte"
    tensors = tuple(region.tensor for region in regions)
    if layout.files[0].contents is not None:
        scope, tensors = "tensors_and_attributes", plan.tensors
    shards = None
    if layout.find_set is not None and subject.is_folder:
        shards = max(len(layout.files) - 1, 1)
    folder = path if subject.is_folder else None
    found = compare_files(fmt, layout, whole, folder, carried.versions)
    strangers = (
        Fault(kind="unsound_file", path=name, got="is none of the set's files")
        for file, name in files
        if file is None
    )
    return (
        Compared(path, fmt.name, scope, tensors, shards, is_own_spec),
        Found((*strangers, *found.faults), found.stored),
    )


def _compare_foreign(plan: Plan, path: str, is_own_spec: bool) -> tuple[Compared, Found]:
    """Compare the tensors of a file of a format that is not written."""
    index, found = find_tensors(plan, path)
    return Compared(path, index.format, "tensors", plan.tensors, None, is_own_spec), found


def _lay_out(
    plan: Plan,
    fmt: Format,
    subject: Subject,
    recipe: Recipe | None,
    max_shard_size: int | str | None,
    shard_name: str | None,
) -> Layout:
    """The layout of what the subject is."""
    if subject.is_folder and fmt.lay_out_shards is None:
        return fmt.lay_out(plan)
    if fmt.lay_out_shards is None:
        single = fmt.lay_out_single
        # One of several .npy files is compared alone.
        return fmt.lay_out(plan) if single is None or len(plan.tensors) > 1 else single(plan)
    if max_shard_size is None and recipe is not None:
        max_shard_size = recipe.max_shard_size
    if max_shard_size is None:
        if shard_name is not None:
            raise UsageError("a name of shards needs the size of a shard, such as 5GB")
        if subject.names is None:
            return fmt.lay_out(plan)
        if exists(join(subject.path, subject.names.index)):
            raise UsageError(
                f"{subject.path} is a sharded set that does not say the size of its shards",
                hint="give it: --max-shard-size",
            )
        return fmt.lay_out_shards(plan, max(plan.nbytes, 1), subject.names)
    if shard_name is None:
        carried = recipe.shard_name if recipe is not None else None
        shard_name = carried or (subject.names.base if subject.names and not recipe else None)
    return fmt.lay_out_shards(plan, parse_size(max_shard_size), parse_shard_names(shard_name))


def _place_files(layout: Layout, subject: Subject) -> list[tuple[FileLayout | None, str]]:
    """The files of a layout, each with its path; None for one that the layout does not have."""
    if subject.is_folder:
        return [(file, join(subject.path, file.name)) for file in layout.files]
    if not layout.folder:
        return [(layout.files[0], subject.path)]
    # One of several: by its name, else by what is in it.
    base = split(subject.path)[1]
    named = next((file for file in layout.files if file.name == base), None)
    if named is None:
        files = (file for file in layout.files if file.regions)
        named = next((file for file in files if find_odd_byte(file, subject.path) is None), None)
    return [(named, subject.path)]
