"""The options that several commands share, and how a shell completes them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import click

from xavinit.choices import FormatName, FrameworkName, RngName
from xavinit.console import say
from xavinit.errors import SpecError, UsageError, XavinitError

FORMATS = get_args(FormatName)
FRAMEWORKS = get_args(FrameworkName)


class Choice(click.Choice):  # type: ignore[type-arg]  # not generic before click 8.2
    """A choice that knows what its values are called elsewhere."""

    def __init__(self, kind: str, choices: Sequence[str]) -> None:
        super().__init__(choices)
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.choices or ctx is None or ctx.resilient_parsing:
            return super().convert(value, param, ctx)
        from xavinit.wording import format_choices, format_value, suggest

        raise UsageError(
            f"{'/'.join(param.opts) if param else self.kind} must be "
            f"{format_choices(self.choices)}; got {format_value(value)}",
            hint=suggest(value, self.choices, self.kind),
        )


Decorator = Callable[[Callable[..., None]], Callable[..., None]]

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Threads; all cores by default, at most 8."
)


def spec_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and options of a command that reads a spec."""
    return click.argument("spec", type=click.Path(allow_dash=True))(_add_options(command))


def specs_options(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options of a command that reads one spec or several."""
    return click.argument(
        "specs", metavar="SPEC...", type=click.Path(allow_dash=True), nargs=-1, required=True
    )(_add_options(command))


def files_options(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options of a command that reads weights files."""
    files = click.argument(
        "files", metavar="FILE...", type=click.Path(allow_dash=True), nargs=-1, required=True
    )
    return files(debug_option(command))


def shard_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that compares sets of shards."""
    size = click.option(
        "--max-shard-size",
        metavar="SIZE",
        help="The limit of a set's shards, such as 5GB; by default the one that it carries.",
    )
    name = click.option(
        "--shard-name",
        metavar="NAME",
        help="How shards are named: STEM or STEM.VARIANT; by default as the set says.",
    )
    return size(name(command))


def _add_options(command: Callable[..., None]) -> Callable[..., None]:
    return spec_overrides(debug_option(command))


def spec_overrides(command: Callable[..., None]) -> Callable[..., None]:
    """The options that replace something in a spec."""
    for option in reversed(
        (
            click.option(
                "--seed",
                type=int,
                help="Replace the spec's seed (0 … 2⁶⁴−1; under torch-2.13 −2⁶³ … 2⁶⁴−1).",
            ),
            click.option(
                "--dtype",
                metavar="DTYPE",
                shell_complete=_complete_dtype,
                help="Replace the dtype of the defaults.",
            ),
            click.option(
                "--framework",
                type=Choice("framework", FRAMEWORKS),
                help="Replace the spec's framework. Layers get its names and its order of axes.",
            ),
            click.option(
                "--rng",
                metavar="RNG",
                shell_complete=_complete_rng,
                help="Draw what a framework draws from the seed (docs/same-seed.md), such as "
                "keras-3.15 or torch-2.13; or ours, xavinit-1.",
            ),
            click.option(
                "--set",
                "dims",
                metavar="DIM=VALUE",
                multiple=True,
                callback=_parse_sets,
                shell_complete=_complete_set,
                help="Replace one of the spec's dims; may be repeated.",
            ),
            click.option("--strict", is_flag=True, help="Take warnings for errors."),
        )
    ):
        command = option(command)
    return command


def json_option(text: str) -> Decorator:
    return click.option("--json", "as_json", is_flag=True, help=text)


def quiet_option(text: str) -> Decorator:
    return click.option("-q", "--quiet", is_flag=True, help=text)


def show_warnings(warnings: tuple[SpecError, ...], *, quiet: bool) -> None:
    for warning in () if quiet else warnings:
        say(str(warning))


def _parse_sets(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int | str]:
    dims: dict[str, int | str] = {}
    for value in values:
        name, equals, expression = value.partition("=")
        if not equals or not name or not expression:
            raise click.BadParameter(f"must be DIM=VALUE, such as d=64; got {value!r}")
        # An integer as an integer, so that files carry it as the spec would.
        is_integer = expression.isdecimal() and len(expression) < 100
        dims[name] = int(expression) if is_integer else expression
    return dims


def _complete_dtype(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    from xavinit.dtypes import DTYPES

    return [name for name in DTYPES if name.startswith(incomplete)]


def _complete_rng(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    return [name for name in get_args(RngName) if name.startswith(incomplete)]


def _complete_set(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The dims of the spec on the line, each with the value that it has there."""
    from xavinit.spec import load_document

    for path in _list_specs(context):
        with contextlib.suppress(XavinitError):  # a line that is not finished may hold anything
            data = load_document(path).data
            dims = data.get("dims") if isinstance(data, dict) else None
            if isinstance(dims, dict):
                pairs = (f"{name}={str(value).replace(' ', '')}" for name, value in dims.items())
                return [pair for pair in pairs if pair.startswith(incomplete)]
    return []


def _list_specs(context: click.Context) -> Iterator[str]:
    """The files on the line that may be specs.

    click passes no argument on where an option before the cursor lacks its value, but every one of
    its shells leaves the line here.
    """
    from click.shell_completion import split_arg_string

    given = context.params.get("spec") or context.params.get("specs") or ()
    words = [given] if isinstance(given, str) else [*given]
    words += split_arg_string(os.environ.get("COMP_WORDS", ""))[2:]  # after xavinit and the command
    for word in words:
        path = os.path.expanduser(word)
        if os.path.isfile(path):
            yield path
