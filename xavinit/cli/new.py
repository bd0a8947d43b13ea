"""`xavinit new`."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import debug_option, quiet_option
from xavinit.console import STANDARD_OUTPUTS, print_text, say
from xavinit.errors import UsageError


def _complete(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    from xavinit.verbs.new import TEMPLATES

    return [CompletionItem(name, help=said) for name, said in TEMPLATES.items() if start in name]


@click.command(cls=Command, short_help="Write a first spec to begin with.")
@click.argument("template", required=False, shell_complete=_complete)
@click.option(
    "-o",
    "--output",
    metavar="SPEC",
    default="-",
    type=click.Path(allow_dash=True),
    help="Where to write; standard output by default.",
)
@click.option("--force", is_flag=True, help="Replace SPEC if it exists.")
@quiet_option("No report.")
@debug_option
def new(template: str | None, output: str, force: bool, quiet: bool, debug: bool) -> None:
    """Write a spec to begin with, whose comments explain it; without TEMPLATE, list them.

    TEMPLATE is mlp, cnn or transformer, which are made to be changed, or a sample of a real model,
    such as gpt2.

    \b
    xavinit new mlp > model.yaml        # a first spec
    xavinit new mlp | xavinit plan -    # what it makes
    """
    if template is None:
        if output not in STANDARD_OUTPUTS:
            raise UsageError("-o needs a TEMPLATE", hint="such as mlp; xavinit new lists them")
        _list_templates()
        return
    text = xavinit.new(template)
    if output in STANDARD_OUTPUTS:
        print_text(text.rstrip("\n"))
        return
    from xavinit.file_kinds import is_yaml
    from xavinit.output import check_text_target, write_text

    check_text_target(output, "a YAML file", force=force, is_such=is_yaml)
    write_text(output, text, force=force)
    if not quiet:
        say(f"wrote {output}")


def _list_templates() -> None:
    from xavinit.verbs.new import TEMPLATES

    width = max(map(len, TEMPLATES))
    print_text("\n".join(f"{name:<{width}}  {said}" for name, said in TEMPLATES.items()))
