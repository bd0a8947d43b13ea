"""`xavinit check`."""

from __future__ import annotations

import sys
from typing import Any

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import json_option, quiet_option, show_warnings, specs_options
from xavinit.console import print_text, say_error
from xavinit.errors import UsageError


@click.command(cls=Command, short_help="Validate specs, and do no more.")
@specs_options
@json_option("A JSON object for each spec, on a line of its own.")
@quiet_option("Say nothing of specs that are right; no warnings.")
def check(
    specs: tuple[str, ...], as_json: bool, quiet: bool, debug: bool, **overrides: Any
) -> None:
    """Validate one SPEC or several, and print one line for each.

    SPEC is a YAML or JSON file, - for standard input, or a weights file that xavinit wrote; either
    file may be in an object store (s3://BUCKET/KEY, gs:// or az://). All are checked, and what is
    wrong is told on standard error. The exit code is 0 where all are right, 3 where one is not, and
    4 where the only fault is a file that cannot be read.
    """
    from xavinit.report.checks import check_to_json, format_check

    if specs.count("-") > 1:
        raise UsageError("standard input can be read once; got - twice")
    kinds = set()
    for spec in specs:
        result = xavinit.check(spec, **overrides)
        show_warnings(result.warnings, quiet=quiet)
        if result.error is not None:
            kinds.add(type(result.error).exit_code)
            if not as_json:
                say_error(result.error)
        if as_json:
            print_text(check_to_json(result))
        elif not quiet:
            print_text(format_check(result))
            sys.stdout.flush()  # in the order of the messages
    if kinds:
        click.get_current_context().exit(min(kinds))
