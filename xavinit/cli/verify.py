"""`xavinit verify`."""

from __future__ import annotations

import sys
from typing import Any

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import (
    files_options,
    jobs_option,
    json_option,
    quiet_option,
    shard_options,
    show_warnings,
    spec_overrides,
)
from xavinit.cli.progress import showing_progress
from xavinit.console import print_text, say_error
from xavinit.errors import InputError, UsageError, VerificationError, XavinitError


@click.command(cls=Command, short_help="Compare weights files with what a spec makes.")
@files_options
@click.option(
    "--spec",
    metavar="SPEC",
    type=click.Path(allow_dash=True),
    help="What they should be; by default the spec that each carries.",
)
@click.option(
    "--statistics",
    is_flag=True,
    help="Judge values by the spec's laws alone: for a file that a framework drew.",
)
@spec_overrides
@jobs_option
@shard_options
@json_option("A JSON object for each file, on a line of its own.")
@quiet_option("No line for a file that is right, no progress, no warnings.")
def verify(
    files: tuple[str, ...],
    spec: str | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Compare each FILE with what xavinit generate writes for a spec, and tell what differs.

    FILE is a weights file, one shard, the folder or the index of a sharded set, or a folder of .npy
    files, on a disk or in an object store (s3://BUCKET/KEY, gs:// or az://). What it is shows by
    its content. Every byte of safetensors and .npy files is compared; of HDF5 and Keras files the
    tensors and attributes; of other formats the tensors.

    Without --spec, FILE is compared with the spec that it carries. That shows that it is what it
    says, not that this is what you want: compare the seed and the spec's digest, or give --spec.

    With --statistics, the bytes may be others: names, shapes and dtypes must be the spec's,
    constants exactly; values that are drawn must fit their law (distribution, mean, variance,
    bounds), and no tensor may repeat another or correlate with it. A file that is drawn from these
    laws is refused with a probability of at most 1e-6, which is told.

    A line is printed for each file that is right, and one for each thing that differs. The exit
    code is 0 where all files are right, 5 where one is not, and 4 where one cannot be read.
    """
    from xavinit.failures import error_to_json
    from xavinit.output import is_pipe
    from xavinit.report.verification import format_verdict, verdict_to_json

    if spec is not None and len(files) > 1 and (spec == "-" or is_pipe(spec)):
        raise UsageError(f"a pipe is read once: give --spec {spec} with one FILE")
    codes = set()
    for file in files:
        try:
            with showing_progress(quiet) as progress:
                verdict = xavinit.verify(file, spec, progress=progress, **options)
        except XavinitError as error:
            # Of one file among several: it cannot be read, or carries no spec, or none that is one.
            if not isinstance(error, InputError) and (spec is not None or len(files) == 1):
                raise
            codes.add(error.exit_code)
            if as_json:
                print_text(error_to_json(error, error.exit_code, file))
            else:
                say_error(error)
            continue
        show_warnings(verdict.warnings, quiet=quiet)
        if not verdict.is_same:
            codes.add(VerificationError.exit_code)
        if as_json:
            print_text(verdict_to_json(verdict))
        elif not (quiet and verdict.is_same):
            print_text(format_verdict(verdict))
        sys.stdout.flush()  # each as soon as it is known
    if codes:
        click.get_current_context().exit(max(codes))
