"""The group of all commands: click's, with text that fits the encoding and pipes that may close."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

from xavinit.console import ClosedPipeError, fit_text


class Command(click.Command):
    def get_help(self, ctx: click.Context) -> str:
        # click takes a stream of ASCII for a mistake and writes UTF-8 there.
        return fit_text(super().get_help(ctx))


class Group(click.Group):
    def get_help(self, ctx: click.Context) -> str:
        return fit_text(super().get_help(ctx))

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _name_closed_pipe():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _name_closed_pipe():  # of an OUT that is a pipe
            return super().invoke(ctx)


@contextlib.contextmanager
def _name_closed_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedPipeError from error
