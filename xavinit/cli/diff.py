"""`xavinit diff`."""

from __future__ import annotations

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import debug_option, jobs_option, json_option, quiet_option
from xavinit.cli.progress import showing_progress
from xavinit.console import print_text, say
from xavinit.errors import VerificationError


@click.command(cls=Command, short_help="Compare two weights files of any formats.")
@click.argument("a", metavar="A", type=click.Path(allow_dash=True))
@click.argument("b", metavar="B", type=click.Path(allow_dash=True))
@click.option("--atol", type=float, default=0.0, help="Let |a - b| be up to ATOL + RTOL * |b|.")
@click.option("--rtol", type=float, default=0.0, help="The same, as a share of |b|.")
@click.option("--ignore-dtype", is_flag=True, help="Compare the values alone, of any two dtypes.")
@click.option(
    "--map",
    "maps",
    metavar="MAP",
    multiple=True,
    help="Pair renamed tensors, A_NAME=B_NAME or A_NAME=B_NAME:AXES; may be repeated. @FILE reads "
    "a map from each line.",
)
@click.option("--match", metavar="GLOB", help="Only the tensors whose names match, as in a rule.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Show so many differences.",
)
@jobs_option
@json_option("A JSON object with every tensor.")
@quiet_option("Print nothing; the exit code tells.")
@debug_option
def diff(
    a: str,
    b: str,
    atol: float,
    rtol: float,
    ignore_dtype: bool,
    maps: tuple[str, ...],
    match: str | None,
    most: int,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Compare A with B, tensor by tensor; B is what A should be.

    A and B are weights files of any formats, folders or indices of sets, on a disk or in an object
    store (s3://BUCKET/KEY, gs:// or az://), or - for standard input. Told are tensors that one of
    them lacks, other shapes and dtypes, and for each tensor how many elements differ, with the
    greatest difference, absolute, relative and in ulps of the coarser dtype, and where. By default
    numbers must be equal; NaN equals NaN, and 0 equals -0.

    Tensors are paired by name. Files of two frameworks are paired through the spec that one of them
    carries, or both: then names and indices are PyTorch's. Else --map pairs them, with braces as in
    a spec: 'h.{n}.weight=layers/{n}/kernel:T', where T reverses the axes of B's tensor, and 3,2,0,1
    gives them in A's order.

    The exit code is 0 where they are equal, 5 where they differ.
    """
    from xavinit.report.differences import difference_to_json, format_difference
    from xavinit.verbs.pairing import load_maps

    with showing_progress(quiet) as progress:
        found = xavinit.diff(
            a,
            b,
            atol=atol,
            rtol=rtol,
            map=load_maps(maps),
            match=match,
            ignore_dtype=ignore_dtype,
            jobs=jobs,
            progress=progress,
        )
    for warning in () if quiet else found.warnings:
        say(f"warning: {warning}")
    if as_json:
        print_text(difference_to_json(found))
    elif not quiet:
        for line in format_difference(found, most):
            print_text(line)
    if not found.is_same:
        click.get_current_context().exit(VerificationError.exit_code)
