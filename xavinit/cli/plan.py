"""`xavinit plan`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import (
    FORMATS,
    Choice,
    json_option,
    quiet_option,
    show_warnings,
    spec_options,
)
from xavinit.console import measure_terminal, print_text
from xavinit.errors import UsageError

if TYPE_CHECKING:
    from xavinit.verbs.sending import Sending


@click.command(cls=Command, short_help="Show each tensor's shape, fans, law and bytes.")
@spec_options
@click.option("--full", is_flag=True, help="Give each tensor a row, on a terminal too.")
@click.option(
    "--match", metavar="GLOB", help="Show only the tensors whose names match, as in a rule."
)
@click.option(
    "--explain", metavar="TENSOR", help="Show every decision behind one tensor, and no table."
)
@click.option(
    "--parts",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show which of N parts would write what, and no tensors; needs --max-shard-size.",
)
@click.option(
    "--max-shard-size",
    metavar="SIZE",
    help="With --parts or -o: the size of a shard, such as 5GB.",
)
@click.option(
    "-o",
    "--output",
    metavar="URL",
    help="Show how it would be sent to an object or prefix, such as s3://bucket/w.safetensors.",
)
@click.option(
    "-f",
    "--format",
    "fmt",
    type=Choice("format", FORMATS),
    help="With -o: the format; by default the one that URL's suffix stands for.",
)
@json_option("Print JSON, on one line.")
@quiet_option("Show no warnings.")
def plan(
    spec: str,
    full: bool,
    match: str | None,
    explain: str | None,
    parts: int | None,
    max_shard_size: str | None,
    output: str | None,
    fmt: str | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **overrides: Any,
) -> None:
    """Show what SPEC stands for: each tensor's shape, fans, law and bytes. Draws nothing.

    SPEC is a YAML or JSON file, - for standard input, or a weights file that xavinit wrote. Either
    file may be in an object store: s3://BUCKET/KEY, gs:// or az://.

    On a terminal, tensors that repeat share one row, such as h.{0..11}.mlp.weight ×12, with the
    bytes of all 12. Only blocks that are alike in every tensor are folded so. In a pipe or a file,
    each tensor has a line.
    """
    if parts is None and output is None and max_shard_size is not None:
        raise UsageError("--max-shard-size goes with --parts here: a plan has no shards")
    if output is None and fmt is not None:
        raise UsageError("--format goes with -o here: a plan has no format")
    if output is not None and (parts is not None or explain is not None):
        raise UsageError("-o tells of the whole output: it takes neither --parts nor --explain")
    if parts is not None and (full or match is not None or explain is not None):
        raise UsageError("--parts shows no tensors: it takes no --full, --match or --explain")
    if explain is not None:
        if full or match is not None:
            raise UsageError("--explain tells of one tensor: it takes neither --full nor --match")
        _explain(spec, explain, as_json, **overrides)
        return
    from xavinit.plan import select_tensors
    from xavinit.report.plans import format_plan, plan_to_json

    sending = None
    if output is None:
        made = xavinit.make_plan(spec, **overrides)
    else:
        made, sending = _plan_upload(spec, output, fmt, max_shard_size, **overrides)
    show_warnings(made.warnings, quiet=quiet)
    if parts is not None:
        _show_parts(made, parts, max_shard_size, as_json)
        return
    shown = made if match is None else select_tensors(made, match)
    if as_json:
        print_text(plan_to_json(shown, sending=sending))
        return
    width = measure_terminal(sys.stdout)
    whole = None if match is None else made
    is_folded = width is not None and not full
    for line in format_plan(shown, width=width, is_folded=is_folded, whole=whole):
        print_text(line)
    if sending is not None:
        from xavinit.report.sendings import format_sending
        from xavinit.report.tables import wrap

        for line in wrap("", f"to {output}: {format_sending(sending)}", 0, width):
            print_text(line)


def _plan_upload(
    spec: str, url: str, fmt: str | None, size: str | None, **overrides: Any
) -> tuple[xavinit.Plan, Sending]:
    from xavinit.verbs.sending import plan_upload

    return plan_upload(spec, url, format=fmt, max_shard_size=size, **overrides)


def _show_parts(made: xavinit.Plan, parts: int, size: str | None, as_json: bool) -> None:
    from xavinit.report.divisions import format_division
    from xavinit.report.plans import format_costs, plan_to_json
    from xavinit.verbs.shares import divide_plan

    division = divide_plan(made, parts, max_shard_size=size)
    if as_json:
        print_text(plan_to_json(made, division))
        return
    for line in format_division(division, width=measure_terminal(sys.stdout)):
        print_text(line)
    if made.costs is not None:
        print_text(format_costs(made.stream, made.costs))


def _explain(spec: str, tensor: str, as_json: bool, **overrides: Any) -> None:
    from xavinit.report.explanations import explanation_to_json, format_explanation
    from xavinit.spec import name_source

    told = xavinit.explain(spec, tensor, **overrides)
    if as_json:
        print_text(explanation_to_json(told))
        return
    for line in format_explanation(told, name_source(spec), measure_terminal(sys.stdout)):
        print_text(line)
