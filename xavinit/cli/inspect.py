"""`xavinit inspect`."""

from __future__ import annotations

import sys
from typing import get_args

import click

import xavinit
from xavinit.choices import SortKey
from xavinit.cli.group import Command
from xavinit.cli.options import Choice, files_options, jobs_option, json_option, quiet_option
from xavinit.cli.progress import showing_progress
from xavinit.console import STANDARD_OUTPUTS, measure_terminal, print_text, report_error, say
from xavinit.errors import UsageError, XavinitError

SORT_KEYS = get_args(SortKey)


@click.command(cls=Command, short_help="Show what is in a weights file.")
@files_options
@click.option("--match", metavar="GLOB", help="Only the tensors whose names match, as in a rule.")
@click.option(
    "--sort",
    type=Choice("sort key", SORT_KEYS),
    help="Sort the table by a column; figures descend. By default the file's order.",
)
@click.option("--ascending", is_flag=True, help="With --sort: the least figures first.")
@click.option("--hist", is_flag=True, help="Draw a histogram of each tensor.")
@click.option(
    "--html", metavar="OUT", help="Write a page of it all, one file for any browser; no table."
)
@click.option("--force", is_flag=True, help="Replace the page if it exists.")
@jobs_option
@json_option("A JSON object for each file, on a line of its own.")
@quiet_option("No progress.")
def inspect(
    files: tuple[str, ...],
    match: str | None,
    sort: SortKey | None,
    ascending: bool,
    hist: bool,
    html: str | None,
    force: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Show what is in each FILE: its tensors, their figures, and the law that they look like.

    FILE is safetensors, HDF5, Keras's .weights.h5 or .keras, .npy, .npz, PyTorch's zip file (.pt,
    .pth, .bin: nothing in it is run), a folder or the index of a set, or - for standard input. What
    it is shows by its content, whatever its name. It may be in an object store: s3://BUCKET/KEY,
    gs:// or az://.

    A row has the tensor's name, shape, dtype and count; mean, std, min and max of its finite
    values; the share of zeros, the count of NaN and of both infinities; and the law that the values
    look like, with the initializer that gives it for the shape's fans, where that can be told.
    """
    if html is not None and len(files) > 1:
        raise UsageError(f"--html makes the page of one file; got {len(files)}")
    if as_json and html in STANDARD_OUTPUTS:
        raise UsageError("--json and the page cannot both go to standard output")
    if ascending and (sort is None or sort == "name"):
        raise UsageError("--ascending needs --sort with a column of figures")
    if force and html is None:
        raise UsageError("--force replaces a page: it needs --html")
    if files.count("-") > 1:
        raise UsageError("standard input can be read once; got - twice")
    from xavinit.report.inspection_table import format_inspection, sort_inspection
    from xavinit.report.inspections import inspection_to_json

    if html is not None and html not in STANDARD_OUTPUTS:
        from xavinit.output import check_apart, check_text_target
        from xavinit.report.page import is_page

        check_apart([html], files[0], "the weights file")
        check_text_target(html, "a page", force=force, is_such=is_page)
    kinds = set()
    for number, file in enumerate(files):
        try:
            with showing_progress(quiet) as progress:
                found = xavinit.inspect(file, match=match, jobs=jobs, progress=progress)
        except XavinitError as error:
            if len(files) == 1:
                raise
            kinds.add(report_error(error, file, as_json=as_json))
            continue
        if sort is not None:
            found = sort_inspection(found, sort, ascending=ascending)
        if as_json:
            print_text(inspection_to_json(found))
        elif html is None:
            if len(files) > 1:
                print_text(f"{'' if number == 0 else chr(10)}==> {found.path} <==")
            width = measure_terminal(sys.stdout)
            for line in format_inspection(found, width=width, with_histograms=hist):
                print_text(line)
        if html is not None:
            _write_page(found, html, force, quiet)
        sys.stdout.flush()  # in the order of the messages
    if kinds:
        click.get_current_context().exit(min(kinds))


def _write_page(found: xavinit.Inspection, html: str, force: bool, quiet: bool) -> None:
    from xavinit.output import write_text
    from xavinit.report.page import format_page

    page = format_page(found)
    if html in STANDARD_OUTPUTS:
        print_text(page)
        return
    write_text(html, page, force=force)
    if not quiet:
        say(f"wrote {html}")
