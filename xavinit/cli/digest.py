"""`xavinit digest`."""

from __future__ import annotations

import sys

import click

import xavinit
from xavinit.cli.group import Command
from xavinit.cli.options import files_options, jobs_option, json_option, quiet_option
from xavinit.cli.progress import showing_progress
from xavinit.console import print_text, report_error, say_error
from xavinit.errors import InputError, UsageError, VerificationError, XavinitError


@click.command(cls=Command, short_help="Print the digest of a file's tensors, or check a list.")
@files_options
@click.option(
    "--tensors", is_flag=True, help="A line for each tensor, with the digest of it alone."
)
@click.option("--check", "-c", is_flag=True, help="Read lists of digests, and compare the files.")
@jobs_option
@json_option("A JSON object for each file, on a line of its own.")
@quiet_option("No progress; with --check, no line for what is right.")
def digest(
    files: tuple[str, ...],
    tensors: bool,
    check: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Print the SHA-256 of the tensors of each FILE: the same in any format.

    It goes over names, dtypes, shapes and values, not over the container, so it is the same for a
    safetensors file, its shards, an HDF5 file or a folder of .npy files of the same tensors. Files
    of Keras's own (.weights.h5, .keras) name tensors by their paths in the file. FILE is any
    weights file that xavinit inspect reads, also in an object store, or - for standard input.

    With --check, FILE is a list that this command has printed, or -: each file or tensor in it is
    read again. The exit code is 5 where one has changed, and 4 where one cannot be read.
    """
    if files.count("-") > 1:
        raise UsageError("standard input can be read once; got - twice")
    if check:
        if tensors or as_json:
            raise UsageError("--check reads lists: it takes neither --tensors nor --json")
        _check_lists(files, jobs, quiet)
        return
    from xavinit.report.digests import digest_to_json
    from xavinit.verbs.digest_lists import Entry, format_entry

    kinds = set()
    for file in files:
        try:
            with showing_progress(quiet) as progress:
                if tensors:
                    each = xavinit.digest_tensors(file, jobs=jobs, progress=progress)
                    entries = [Entry(found, file, name) for name, found in each.items()]
                else:
                    entries = [Entry(xavinit.digest(file, jobs=jobs, progress=progress), file)]
        except XavinitError as error:
            if len(files) == 1:
                raise
            kinds.add(report_error(error, file, as_json=as_json))
            continue
        if as_json:
            print_text(digest_to_json(file, entries, each=tensors))
        else:
            for entry in entries:
                print_text(format_entry(entry))
        sys.stdout.flush()  # each as soon as it is known
    if kinds:
        click.get_current_context().exit(min(kinds))


def _check_lists(lists: tuple[str, ...], jobs: int | None, quiet: bool) -> None:
    from xavinit.report.digests import format_outcome
    from xavinit.verbs.digest_lists import check_entries, load_list

    changed = unread = 0
    entries = [entry for path in lists for entry in load_list(path)]
    for outcome in check_entries(entries, jobs):
        changed += not outcome.is_same and outcome.error is None
        unread += outcome.error is not None
        if outcome.error is not None:
            say_error(outcome.error)
        if not (quiet and outcome.is_same):
            print_text(format_outcome(outcome))
            sys.stdout.flush()
    if changed:
        raise VerificationError(f"{changed:,} of {len(entries):,} digests did not match")
    if unread:
        raise InputError(f"{unread:,} of {len(entries):,} could not be read")
