"""`xavinit derive`."""

from __future__ import annotations

from typing import get_args

import click

import xavinit
from xavinit.choices import LawSource
from xavinit.cli.group import Command
from xavinit.cli.options import Choice, debug_option, jobs_option, quiet_option
from xavinit.cli.progress import showing_progress
from xavinit.console import STANDARD_OUTPUTS, print_text, say


@click.command(cls=Command, short_help="Write the spec of an existing weights file.")
@click.argument("source", type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--output",
    metavar="SPEC",
    default="-",
    type=click.Path(allow_dash=True),
    help="Where to write; standard output by default.",
)
@click.option(
    "--laws",
    type=Choice("laws", get_args(LawSource)),
    default="glorot",
    show_default=True,
    help="What tensors are drawn from: Glorot's numbers, or what the numbers of SOURCE look like.",
)
@click.option(
    "--skip-unknown", is_flag=True, help="Leave out tensors of dtypes that cannot be drawn."
)
@click.option("--force", is_flag=True, help="Replace SPEC if it exists.")
@jobs_option
@quiet_option("No report and no progress.")
@debug_option
def derive(
    source: str,
    output: str,
    laws: LawSource,
    skip_unknown: bool,
    force: bool,
    jobs: int | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Write a spec with the names, shapes and dtypes of SOURCE, as a person would have written it.

    SOURCE is any weights file that xavinit inspect reads, a folder, or the index of a set. Its
    headers are read, none of its numbers. Names that repeat are folded, sizes become dims, biases
    and norms rules; comments mark what is a guess. The spec is YAML: generate makes a file with the
    same names, shapes and dtypes of it, with Glorot's numbers. From a file that xavinit wrote comes
    the spec that it carries, which makes the same bytes again.

    With --laws as-is, every number of SOURCE is read: each tensor gets the law that its values look
    like, as xavinit inspect tells it, or the nearest that a spec has, with a comment.
    """
    if output not in STANDARD_OUTPUTS:
        from xavinit.file_kinds import is_yaml
        from xavinit.output import check_apart, check_text_target

        check_apart([output], source, "the source")
        check_text_target(output, "a YAML file", force=force, is_such=is_yaml)
    with showing_progress(quiet) as progress:
        derived = xavinit.derive(
            source, laws=laws, skip_unknown=skip_unknown, jobs=jobs, progress=progress
        )
    if output in STANDARD_OUTPUTS:
        print_text(derived.text.rstrip("\n"))
        return
    from xavinit.output import write_text

    write_text(output, derived.text, force=force)
    if not quiet:
        say(f"wrote {output}")
