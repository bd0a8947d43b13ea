"""The command line: options in, one API call, one answer out.

Nothing heavy is imported before a command runs; data alone goes to standard output, which
`console.py` writes whole. Errors pass through to `process.py`, which knows their exit codes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import click

import xavinit
from xavinit.choices import FormatName, FrameworkName
from xavinit.console import ClosedPipeError, fit_text, is_utf8, print_text, say
from xavinit.errors import SpecError, UsageError

FORMATS = get_args(FormatName)
FRAMEWORKS = get_args(FrameworkName)

# Names of standard output, all written by the one stream that writes whatever is printed.
STANDARD_OUTPUTS = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from xavinit.plan import STREAM
        from xavinit.streams import choose_kernel

        print_text(f"xavinit {xavinit.__version__} (stream {STREAM}, kernel {choose_kernel()})")
        context.exit()


class _Choice(click.Choice):  # type: ignore[type-arg]  # not generic before click 8.2
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


class _Command(click.Command):
    def get_help(self, ctx: click.Context) -> str:
        # click takes a stream of ASCII for a mistake and writes UTF-8 there.
        return fit_text(super().get_help(ctx))


class _Group(click.Group):
    command_class = _Command

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


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
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


def spec_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and options of every command that reads a spec."""
    for option in reversed(
        (
            click.argument("spec", type=click.Path(allow_dash=True)),
            click.option("--seed", type=int, help="Replace the spec's seed (0 … 2⁶⁴−1)."),
            click.option("--dtype", metavar="DTYPE", help="Replace the dtype of the defaults."),
            click.option(
                "--framework",
                type=_Choice("framework", FRAMEWORKS),
                help="Replace the spec's framework: whose names and axis order layers get.",
            ),
            click.option(
                "--set",
                "dims",
                metavar="DIM=VALUE",
                multiple=True,
                callback=_parse_sets,
                help="Replace one of the spec's dims; may be repeated.",
            ),
            click.option("--debug", is_flag=True, help="Show the traceback of an error."),
        )
    ):
        command = option(command)
    return command


@cli.command(short_help="Write the weights file of a spec.")
@spec_options
@click.option("-o", "--output", metavar="OUT", help="Where to write; - is standard output.")
@click.option(
    "-f", "--format", "fmt", type=_Choice("format", FORMATS), help="The format; else OUT's suffix."
)
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Threads; all cores by default, at most 8."
)
@click.option(
    "--max-shard-size",
    metavar="SIZE",
    help="Files of at most SIZE, such as 5GB, and an index, in the folder OUT.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="No report, no progress, no warnings.")
def generate(
    spec: str,
    output: str | None,
    fmt: str | None,
    jobs: int | None,
    max_shard_size: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **overrides: Any,
) -> None:
    """Write the weights file of SPEC (a YAML or JSON file; - is standard input).

    Without -o, the file takes SPEC's name in the current folder, or goes to standard output where
    SPEC is standard input. The suffix of OUT chooses the format: .safetensors, .h5 or .hdf5,
    .weights.h5 (which Keras loads, with --framework keras), .npy (one tensor); -f npy with a name
    without a suffix makes a folder of .npy files. With --max-shard-size, OUT is a folder that gets
    shards and their index as Hugging Face names them, beside whatever else is in it, such as a
    config.json.
    """
    from xavinit import report

    if output is None:
        output = default_output(spec, fmt, is_folder=fmt == "npy" or max_shard_size is not None)
    if not output:
        raise UsageError("the name of the output is empty: give -o a name, or leave it out")
    to_stdout = output in STANDARD_OUTPUTS
    if to_stdout:
        if as_json:
            raise UsageError("--json and the weights cannot both go to standard output: use -o")
        if sys.stdout.isatty() and not dry_run:
            raise UsageError("weights are not written to a terminal: use -o, or a pipe")
    answer = xavinit.generate(
        spec,
        sys.stdout.buffer if to_stdout else output,
        format=fmt,
        jobs=jobs,
        max_shard_size=max_shard_size,
        force=force,
        dry_run=dry_run,
        progress=None if quiet else make_progress(),
        **overrides,
    )
    if not quiet:
        show_warnings(answer.warnings)
    if as_json:
        print_text(report.report_to_json(answer, dry_run))
    elif not quiet:
        say(report.format_report(answer, dry_run))


@cli.command(short_help="Show each tensor's shape, fans, law and bytes.")
@spec_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(spec: str, as_json: bool, debug: bool, **overrides: Any) -> None:
    """Show what SPEC stands for: each tensor's shape, fans, law and bytes. Draws nothing."""
    from xavinit import report

    made = xavinit.make_plan(spec, **overrides)
    show_warnings(made.warnings)
    if as_json:
        print_text(report.plan_to_json(made))
    else:
        for line in report.format_plan(made):
            print_text(line)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors."""
    import json

    from xavinit.spec import make_schema

    print_text(json.dumps(make_schema(), indent=2, ensure_ascii=not is_utf8()))


def default_output(spec: str, fmt: str | None, *, is_folder: bool) -> str:
    """SPEC's own name in the current folder with the format's suffix, or without for a folder."""
    if spec == "-":
        return "-"
    from xavinit.formats import name_output
    from xavinit.verbs.sources import find_weights

    if find_weights(spec) is not None:
        raise UsageError(f"{spec} is a weights file, which stands for its spec: name OUT with -o")
    return name_output(os.path.splitext(os.path.basename(spec))[0], fmt, is_folder=is_folder)


def show_warnings(warnings: tuple[SpecError, ...]) -> None:
    for warning in warnings:
        say(str(warning))


def make_progress() -> Callable[[int, int], None] | None:
    """A line of progress on a terminal, once the work has lasted a second; else None."""
    if not sys.stderr.isatty():
        return None
    from xavinit.wording import format_bytes

    started = shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - started < 1 or (now - shown < 0.1 and done < total):
            return
        shown = now
        rate = format_bytes(int(done / (now - started)))
        line = f"{done / max(total, 1):4.0%}  {format_bytes(done)} of {format_bytes(total)}"
        end = "\r\x1b[K" if done >= total else ""
        with contextlib.suppress(OSError):
            click.echo(f"\r\x1b[K{line}  {rate}/s{end}", err=True, nl=False)

    return show
