"""`xavinit completion`."""

from __future__ import annotations

import click

from xavinit.cli.group import Command
from xavinit.console import print_text


@click.command(cls=Command, short_help="Print what makes a shell complete this command.")
@click.argument("shell", type=click.Choice(("bash", "fish", "zsh")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete this command: its options, files, dtypes and dims.

    \b
    bash: put  eval "$(xavinit completion bash)"  into ~/.bashrc
    zsh:  put  eval "$(xavinit completion zsh)"  into ~/.zshrc, after compinit
    fish: xavinit completion fish > ~/.config/fish/completions/xavinit.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise TypeError(f"click does not know {shell}")
    print_text(kind(context.find_root().command, {}, "xavinit", "_XAVINIT_COMPLETE").source())
