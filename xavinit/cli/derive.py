"""`xavinit derive`."""

from __future__ import annotations

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import debug_option, quiet_option
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
    "--skip-unknown", is_flag=True, help="Leave out tensors of dtypes that cannot be drawn."
)
@click.option("--force", is_flag=True, help="Replace SPEC if it exists.")
@quiet_option("No report.")
@debug_option
def derive(
    source: str, output: str, skip_unknown: bool, force: bool, quiet: bool, debug: bool
) -> None:
    """Write a spec with the names, shapes and dtypes of SOURCE, as a person would have written it.

    SOURCE is any weights file that xavinit inspect reads, a folder, or the index of a set. Its
    headers are read, none of its numbers. Names that repeat are folded, sizes become dims, biases
    and norms rules; comments mark what is a guess. The spec is YAML: generate makes a file with the
    same names, shapes and dtypes of it, with Glorot's numbers. From a file that xavinit wrote comes
    the spec that it carries, which makes the same bytes again.
    """
    if output not in STANDARD_OUTPUTS:
        from xavinit.file_kinds import is_yaml
        from xavinit.output import check_apart, check_text_target

        check_apart([output], source, "the source")
        check_text_target(output, "a YAML file", force=force, is_such=is_yaml)
    derived = xavinit.derive(source, skip_unknown=skip_unknown)
    if output in STANDARD_OUTPUTS:
        print_text(derived.text.rstrip("\n"))
        return
    from xavinit.output import write_text

    write_text(output, derived.text, force=force)
    if not quiet:
        say(f"wrote {output}")
