"""The public verbs over a whole spec: `make_plan`, `generate`, `write`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.errors import (
    MissingLibraryError,
    OutputError,
    RefusedError,
    SpecError,
    UsageError,
    XavinitError,
)
from xavinit.formats import FORMATS, Format, Layout, find_suffix, parse_format
from xavinit.plan import Plan, plan_spec
from xavinit.spec import Document, Overrides, load_document, resolve_spec
from xavinit.wording import explain_os_error, format_choices

if TYPE_CHECKING:
    import numpy as np

    from xavinit.output import BinaryWriter

    Array = np.ndarray[Any, np.dtype[Any]]

# A spec: the path of its file, `-` for standard input, or its data.
SpecSource = str | os.PathLike[str] | Mapping[str, Any]
# Told of bytes done and bytes in all, about ten times a second.
Progress = Callable[[int, int], None]


def make_plan(
    spec: SpecSource,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
) -> Plan:
    """Read a spec and decide everything about every tensor, drawing nothing.

    Parameters:
        spec: the path of a YAML or JSON file, `-` for standard input, or the spec as a dict.
        seed: 0 … 2⁶⁴−1; replaces the spec's.
        dtype: replaces the dtype of the spec's `defaults`.
        framework: `pytorch`, `keras` or `flax`; replaces the spec's.
        dims: values for dims that the spec names.

    Raises `SpecError` (a `ValueError`) for a bad spec, with file, line and column; `UsageError`
    (a `ValueError`) for a bad argument; `InputError` where the file cannot be read.

    >>> plan = make_plan({"tensors": {"hidden.weight": [128, 784]}})
    >>> plan.tensors[0].fans, str(plan.tensors[0].law)
    (Fans(fan_in=784, fan_out=128), 'uniform ±0.0811107')
    """
    return _read_plan(load_document(spec), Overrides(seed, dtype, framework, dims or {}))


def _read_plan(document: Document, overrides: Overrides) -> Plan:
    with document.locating():
        plan = plan_spec(resolve_spec(document.data, overrides))
    for warning in plan.warnings:
        document.locate(warning)
    return plan


def generate(
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> dict[str, Array]:
    """Draw every tensor of a spec into memory.

    Takes the arguments of `make_plan` (or a plan made already), and `jobs`, the number of
    threads (all cores). Returns the arrays by name in the spec's order. bfloat16 and float8
    arrays need ml_dtypes, else `MissingLibraryError`.

    >>> weights = generate({"tensors": {"hidden.weight": [128, 784]}}, seed=42)
    >>> weights["hidden.weight"].shape, weights["hidden.weight"].dtype.name
    ((128, 784), 'float32')
    """
    import numpy as np

    from xavinit.output import fill_arrays

    plan, _ = _take_plan(spec, Overrides(seed, dtype, framework, dims or {}))
    kinds = {tensor.dtype.name: tensor.dtype.npy for tensor in plan.tensors}
    types = {name: _find_array_type(name, code) for name, code in kinds.items()}
    flat = {tensor.name: np.empty(tensor.nbytes, np.uint8) for tensor in plan.tensors}
    views = {name: memoryview(array) for name, array in flat.items()}  # type: ignore[arg-type]
    crew = _make_crew(plan, jobs)
    fill_arrays(plan.tensors, views, crew, lambda _: None)
    return {t.name: flat[t.name].view(types[t.dtype.name]).reshape(t.shape) for t in plan.tensors}


class Report(Struct, frozen=True):
    """What `write` did: where, in which format, how much, and how long it took."""

    path: str
    format: str
    tensors: int
    parameters: int
    nbytes: int  # of the tensors
    seed: int
    stream: str
    seconds: float
    warnings: tuple[SpecError, ...] = ()


def write(
    spec: SpecSource | Plan,
    path: str | os.PathLike[str] | BinaryWriter,
    *,
    format: str | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Draw every tensor of a spec into a weights file, in constant memory.

    Takes the arguments of `make_plan` (or a plan made already), and

    Parameters:
        path: where to; or an object with `write` (a pipe), which takes safetensors, or the
            .npy of a single tensor. The file appears whole or not at all.
        format: `safetensors`, `hdf5` or `npy`; without it the suffix of `path` decides.
        jobs: the number of threads; all cores by default.
        force: replace an output that exists.
        dry_run: check everything, write nothing.
        progress: called with the bytes done and the bytes in all, about ten times a second.

    Raises what `make_plan` raises; `RefusedError` where the output exists and `force` is not
    given; `OutputError` where it cannot be written; `MissingLibraryError`.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> write({"tensors": {"hidden.weight": [128, 784]}}, pipe).nbytes
    401408
    """
    started = time.perf_counter()
    plan, document = _take_plan(spec, Overrides(seed, dtype, framework, dims or {}))
    is_path = isinstance(path, (str, os.PathLike))
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else "-"
    from xavinit.output import check_space, check_target, is_stream

    streamed = not is_path or is_stream(name)
    fmt = choose_format(None if streamed else name, format)
    with document.locating() if document else contextlib.nullcontext():
        layout = _lay_out(plan, fmt, name, streamed)
    if not streamed:
        _check_not_spec(name, spec)
        check_target(name, folder=layout.folder, force=force, is_ours=is_own_folder)
        check_space(name, layout.nbytes)
    if not dry_run:
        _write_layout(plan, layout, path, streamed, force, jobs, progress)
    return Report(
        path=name,
        format=fmt.name,
        tensors=len(plan.tensors),
        parameters=plan.parameters,
        nbytes=plan.nbytes,
        seed=plan.seed,
        stream=plan.stream,
        seconds=time.perf_counter() - started,
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
                f"the suffix of {path} tells no format: name a format "
                f"({format_choices(FORMATS)}), or use a suffix: {suffixes}"
            )
        return parse_format(by_suffix)
    if path is not None and by_suffix not in (None, name):
        parse_format(name)
        raise UsageError(f"{path} has the suffix of {by_suffix}, but the format is {name}")
    return parse_format(name)


def is_own_folder(path: str) -> bool:
    """Does a folder hold an earlier npy output and nothing else?"""
    from xavinit.formats.npy import MANIFEST, read_index

    try:
        found = {os.path.join(path, name) for name in os.listdir(path)}
        ours = {stored.path for stored in read_index(path)}
    except (OSError, XavinitError):
        return False
    return found == ours | {os.path.join(path, MANIFEST)}


def _take_plan(spec: SpecSource | Plan, overrides: Overrides) -> tuple[Plan, Document | None]:
    """The plan of a spec with its document, for errors found later; or the plan given."""
    if not isinstance(spec, Plan):
        document = load_document(spec)
        return _read_plan(document, overrides), document
    if overrides != Overrides():
        raise UsageError("a plan is made already: give seed, dtype, framework, dims to make_plan")
    return spec, None


def _lay_out(plan: Plan, fmt: Format, path: str, streamed: bool) -> Layout:
    if streamed and not fmt.streams:
        raise UsageError(f"{fmt.name} cannot be written to a pipe or device: name a file")
    # A name with the format's suffix, or a pipe, is a single file.
    single = fmt.lay_out_single
    if single is not None and (streamed or find_suffix(path) == fmt.name):
        return single(plan)
    return fmt.lay_out(plan)


def _check_not_spec(path: str, spec: object) -> None:
    if not isinstance(spec, (str, os.PathLike)):
        return
    if os.path.exists(path) and os.path.exists(spec) and os.path.samefile(path, spec):
        raise RefusedError(f"{path} is the spec itself; it is not replaced")


def _make_crew(plan: Plan, jobs: int | None) -> Any:
    from xavinit.output import Crew
    from xavinit.streams import Stream

    return Crew(Stream(plan.seed), jobs)


def _write_layout(
    plan: Plan,
    layout: Layout,
    path: Any,
    streamed: bool,
    force: bool,
    jobs: int | None,
    progress: Progress | None,
) -> None:
    from xavinit.output import write_path, write_stream

    done, total = 0, plan.nbytes

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    crew = _make_crew(plan, jobs)
    if not streamed:
        write_path(layout, os.fspath(path), crew, force=force, advance=advance)
        return
    try:
        if isinstance(path, (str, os.PathLike)):
            with open(path, "wb", buffering=0) as stream:
                write_stream(layout, stream, crew, advance)
        else:
            write_stream(layout, path, crew, advance)
    except BrokenPipeError:
        raise  # the reader has enough: not an error of ours
    except OSError as error:
        name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else "the stream"
        raise OutputError(f"cannot write {name}: {explain_os_error(error)}") from error


def _find_array_type(name: str, code: str | None) -> Any:
    import numpy as np

    if code is not None:
        return np.dtype(code)
    try:
        import ml_dtypes
    except ImportError as error:
        raise MissingLibraryError(
            f"{name} arrays need ml_dtypes: pip install ml_dtypes (files do not need it)"
        ) from error
    return np.dtype(getattr(ml_dtypes, name))
