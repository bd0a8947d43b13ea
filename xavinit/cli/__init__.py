"""The command line: options in, one API call, one answer out. A file for each command.

Nothing heavy is imported before a command runs; data alone goes to standard output, which
`console.py` writes whole. Errors pass through to `process.py`, which knows their exit codes.
"""

from __future__ import annotations

import click

import xavinit
from xavinit.cli.check import check
from xavinit.cli.completion import completion
from xavinit.cli.derive import derive
from xavinit.cli.diff import diff
from xavinit.cli.digest import digest
from xavinit.cli.generate import generate
from xavinit.cli.group import Group
from xavinit.cli.inspect import inspect
from xavinit.cli.new import new
from xavinit.cli.options import FORMATS, FRAMEWORKS
from xavinit.cli.plan import plan
from xavinit.cli.schema import schema
from xavinit.cli.verify import verify
from xavinit.console import print_text

__all__ = ["FORMATS", "FRAMEWORKS", "cli"]


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from xavinit.plan import STREAM
        from xavinit.streams import choose_kernel

        print_text(f"xavinit {xavinit.__version__} (stream {STREAM}, kernel {choose_kernel()})")
        context.exit()


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, the number stream and the kernel, and exit.",
)
def cli() -> None:
    """Turn a text file of layer shapes into a weights file that any framework loads.

    Glorot (Xavier) normal or uniform numbers from a seed: the same bytes on every machine.
    """


for _command in (
    check, completion, derive, diff, digest, generate, inspect, new, plan, schema, verify
):  # fmt: skip
    cli.add_command(_command)
