"""`xavinit generate`."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import (
    FORMATS,
    Choice,
    jobs_option,
    json_option,
    quiet_option,
    show_warnings,
    specs_options,
)
from xavinit.cli.progress import showing_progress
from xavinit.console import STANDARD_OUTPUTS, print_text, say
from xavinit.errors import UsageError, VerificationError


@click.command(cls=Command, short_help="Write the weights file of a spec.")
@specs_options
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(allow_dash=True),
    help="Where to write: a path, or a URL (s3://, gs://, az://); - is standard output, a folder "
    "gets the default name.",
)
@click.option(
    "-f",
    "--format",
    "fmt",
    type=Choice("format", FORMATS),
    help="The format; by default the one that OUT's suffix stands for.",
)
@jobs_option
@click.option(
    "--max-shard-size",
    metavar="SIZE",
    help="Files of at most SIZE, such as 5GB, and an index, in the folder OUT.",
)
@click.option(
    "--shard-name",
    metavar="NAME",
    help="How shards are named: STEM or STEM.VARIANT; by default model.",
)
@click.option(
    "--part",
    metavar="I/N",
    help="Write only the shards of part I of N, into a folder that N runs share.",
)
@click.option("--resume", is_flag=True, help="Write only the shards that are missing or cut short.")
@click.option(
    "--dask",
    "address",
    metavar="ADDRESS",
    help="Let the workers of a Dask scheduler write the shards, such as tcp://host:8786.",
)
@click.option(
    "--with",
    "with_files",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="Copy FILE, such as config.json, into the folder OUT; may be given several times.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option(
    "--verify",
    is_flag=True,
    help="Compare OUT with what would be written; write nothing. Exit code 5 where it differs.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@json_option("Report as JSON on standard output, an object for each spec on a line of its own.")
@quiet_option("No report, no progress, no warnings.")
def generate(
    specs: tuple[str, ...],
    output: str | None,
    fmt: str | None,
    address: str | None,
    verify: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Write the weights file of SPEC: a YAML or JSON file, or - for standard input.

    SPEC may also be a weights file that xavinit wrote: it carries its spec. Then give -o, with the
    name of a file or of a new folder. Either file may be in an object store: s3://BUCKET/KEY,
    gs:// or az://.

    Without -o, the file gets SPEC's name in the current folder: for model.yaml that is
    model.safetensors; with --framework keras model.weights.h5, or model.keras.safetensors if the
    spec has raw tensors too; with --framework flax model.flax.safetensors. A spec from standard
    input goes to standard output.

    The suffix of OUT chooses the format: .safetensors; .h5 or .hdf5; .weights.h5, which Keras
    loads (with --framework keras); .npy for one tensor. -f npy and a name without a suffix make a
    folder of .npy files. With --max-shard-size, OUT is a folder that gets shards and their index
    as Hugging Face names them; other files in it, such as a config.json, stay.

    With --with, OUT is a folder that gets model.safetensors (or shards) and copies of the files, so
    that a model and its config.json are one output. On a disk all appear together; in a store the
    copies come first.

    With --part, several runs make one set, on one machine or many (docs/scale.md): each writes its
    own shards and leaves those that are there; the one that finds all of them writes the index.
    With --force, it replaces only its own.

    OUT may be an object in a store, such as s3://bucket/model.safetensors, or with shards or -f npy
    what the names of several begin with (docs/scale.md). It is sent in parts while it is drawn, and
    is there whole or not at all. Without --force, what exists is refused; of a set that is not
    whole, the same command writes the rest. Other commands read from stores and write to none.

    If OUT is a folder that exists, or ends with a slash, the file in it gets SPEC's name. (With
    -f npy or --max-shard-size, one SPEC makes the folder OUT itself.) Several SPECs all go there,
    or to the current folder; the folder must exist. All of them are planned and checked before the
    first byte is written.
    """
    from xavinit.report.outputs import format_report, report_to_json

    def show(done: xavinit.Report) -> None:
        show_warnings(done.warnings, quiet=quiet)
        if as_json:
            print_text(report_to_json(done, options["dry_run"]))
        elif not quiet:
            say(format_report(done, options["dry_run"]))

    if output == "":
        raise UsageError("the name of the output is empty: give -o a name, or leave it out")
    options["format"] = fmt
    if options["with_files"] and len(specs) > 1:
        raise UsageError("--with takes one SPEC")
    if verify:
        options["dask"] = address
        _verify(specs, output, options, as_json=as_json, quiet=quiet)
        return
    if address is not None and len(specs) > 1:
        raise UsageError("--dask takes one SPEC")
    if len(specs) > 1:
        options.pop("with_files")
        folder = _check_folder(output)
        reports: list[xavinit.Report] = []
        try:
            with showing_progress(quiet) as progress:
                xavinit.generate_many(
                    specs, folder, progress=progress, report=reports.append, **options
                )
        finally:  # where one fails, of those that are there
            for done in reports:
                show(done)
        return
    (spec,) = specs
    path = "-" if output is None and spec == "-" else output
    if path in STANDARD_OUTPUTS:
        _check_standard_output(as_json, options["dry_run"])
    with showing_progress(quiet) as progress:
        target = sys.stdout.buffer if path in STANDARD_OUTPUTS else path
        with _open_client(address) as client:
            done = xavinit.generate(spec, target, progress=progress, client=client, **options)
    show(done)


def _open_client(address: str | None) -> AbstractContextManager[Any]:
    if address is None:
        return nullcontext()
    from xavinit.verbs.on_dask import open_client

    return open_client(address)


def _verify(
    specs: tuple[str, ...],
    output: str | None,
    options: dict[str, Any],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare what would be written with what is there."""
    from xavinit.report.verification import format_verified, verdict_to_json
    from xavinit.verbs.verify_outputs import verify_outputs

    for name in ("force", "dry_run", "part", "resume", "dask"):
        if options.pop(name):
            raise UsageError(f"--verify writes nothing: it takes no --{name.replace('_', '-')}")
    if output in STANDARD_OUTPUTS or (output is None and "-" in specs):
        raise UsageError("--verify needs a file to compare: give -o its name")
    path = _check_folder(output) if len(specs) > 1 else output
    verdicts: list[xavinit.Verdict] = []
    try:
        with showing_progress(quiet) as progress:
            verify_outputs(specs, path, progress=progress, report=verdicts.append, **options)
    finally:  # where one cannot be read, of those before it
        for verdict in verdicts:
            show_warnings(verdict.warnings, quiet=quiet)
            if as_json:
                print_text(verdict_to_json(verdict))
            elif not verdict.is_same:
                print_text("\n".join(verdict.list_lines()))
            elif not quiet:
                say(format_verified(verdict))
    if not all(verdict.is_same for verdict in verdicts):
        click.get_current_context().exit(VerificationError.exit_code)


def _check_folder(output: str | None) -> str:
    """The folder of several outputs."""
    from xavinit.verbs.target import names_folder

    if output is None:
        return ""
    if output in STANDARD_OUTPUTS or not names_folder(output):
        raise UsageError(
            f"several specs need a folder for OUT, one that exists or ends with a slash; "
            f"got {output}"
        )
    return output


def _check_standard_output(as_json: bool, dry_run: bool) -> None:
    if as_json:
        raise UsageError("--json and the weights cannot both go to standard output: use -o")
    if sys.stdout.isatty() and not dry_run:
        raise UsageError("weights are not written to a terminal: use -o, or a pipe")
