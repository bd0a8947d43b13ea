"""`xavinit schema`."""

from __future__ import annotations

import click

from xavinit.cli.group import Command
from xavinit.console import is_utf8, print_text


@click.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of a spec, for editors."""
    import json

    from xavinit.spec.schema import make_schema

    print_text(json.dumps(make_schema(), indent=2, ensure_ascii=not is_utf8()))
