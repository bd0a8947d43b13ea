"""`xavinit derive`."""

from __future__ import annotations

import os
from typing import get_args

import click

import xavinit
from xavinit.choices import LawSource, RngSearch
from xavinit.cli.group import Command
from xavinit.cli.options import Choice, debug_option, jobs_option, quiet_option
from xavinit.cli.progress import showing_progress
from xavinit.console import STANDARD_OUTPUTS, print_text, say
from xavinit.errors import UsageError


@click.command(cls=Command, short_help="Write the spec of an existing weights file.")
@click.argument("source", type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--output",
    metavar="SPEC",
    default="-",
    type=click.Path(allow_dash=True),
    help="Where to write; standard output by default.",
)
@click.option(
    "--laws",
    type=Choice("laws", get_args(LawSource)),
    default="glorot",
    show_default=True,
    help="What tensors are drawn from: Glorot's numbers, or what the numbers of SOURCE look like.",
)
@click.option(
    "--skip-unknown", is_flag=True, help="Leave out tensors of dtypes that cannot be drawn."
)
@click.option(
    "--tiny",
    is_flag=True,
    help="Of a config.json: write spec.yaml and config.json of a small twin into the folder SPEC.",
)
@click.option("--keep-vocab", is_flag=True, help="With --tiny: keep the size of the vocabulary.")
@click.option(
    "--rng",
    type=Choice("rng", get_args(RngSearch)),
    help="auto: is a tensor what PyTorch, Keras or JAX draws from a likely seed?",
)
@click.option("--seeds", metavar="A..B", help="With --rng: the seeds to try, both ends included.")
@click.option("--force", is_flag=True, help="Replace SPEC if it exists.")
@jobs_option
@quiet_option("No report and no progress.")
@debug_option
def derive(
    source: str,
    output: str,
    laws: LawSource,
    skip_unknown: bool,
    tiny: bool,
    keep_vocab: bool,
    rng: RngSearch | None,
    seeds: str | None,
    force: bool,
    jobs: int | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Write a spec with the names, shapes and dtypes of SOURCE, as a person would have written it.

    SOURCE is any weights file that xavinit inspect reads, a folder, or the index of a set, on a
    disk or in an object store (s3://BUCKET/KEY, gs:// or az://). Its headers are read, none of its
    numbers. Names that repeat are folded, sizes become dims, biases and norms rules; comments mark
    what is a guess. The spec is YAML: generate makes a file with the same names, shapes and dtypes
    of it, with Glorot's numbers. From a file that xavinit wrote comes the spec that it carries,
    which makes the same bytes again.

    With --laws as-is, every number of SOURCE is read: each tensor gets the law that its values look
    like, as xavinit inspect tells it, or the nearest that a spec has, with a comment.

    With --rng auto, the numbers that PyTorch, Keras and JAX draw from likely seeds, or from
    --seeds, are compared with a tensor of SOURCE: a line tells whether it is an untouched fresh
    init, of which seed and initializer. The spec says so too.

    SOURCE may also be a Hugging Face config.json, or a folder with one and no weights: the model is
    what transformers makes of it, without numbers; nothing is downloaded, and code in a checkpoint
    is never run. It needs pip install 'xavinit[derive]'. With --tiny, SPEC is a folder: its
    spec.yaml and config.json are of the smallest model of the same kind. Then xavinit generate
    DIR/spec.yaml --with DIR/config.json -o OUT makes a folder that from_pretrained loads.
    """
    if rng and tiny:
        raise UsageError(
            "a config.json has no numbers that an rng could have drawn (--rng, --tiny)"
        )
    if tiny:
        _write_twin(source, output, skip_unknown, keep_vocab, force=force)
        if not quiet:
            say(f"wrote {output}")
        return
    if output not in STANDARD_OUTPUTS:
        from xavinit.file_kinds import is_yaml
        from xavinit.output import check_apart, check_text_target

        check_apart([output], source, "the source")
        check_text_target(output, "a YAML file", force=force, is_such=is_yaml)
    from xavinit.verbs.fresh import parse_seeds

    with showing_progress(quiet) as progress:
        derived = xavinit.derive(
            source,
            laws=laws,
            skip_unknown=skip_unknown,
            keep_vocab=keep_vocab,
            rng=rng,
            seeds=None if seeds is None else parse_seeds(seeds),
            jobs=jobs,
            progress=progress,
        )
    if derived.sought is not None and not quiet:
        say(derived.sought)
    if output in STANDARD_OUTPUTS:
        print_text(derived.text.rstrip("\n"))
        return
    from xavinit.output import write_text

    write_text(output, derived.text, force=force)
    if not quiet:
        say(f"wrote {output}")


def _write_twin(
    source: str, output: str, skip_unknown: bool, keep_vocab: bool, *, force: bool
) -> None:
    """Write the two files of a tiny twin into a folder."""
    from xavinit.output import check_apart, check_texts_target, write_texts

    if output in STANDARD_OUTPUTS:
        raise UsageError("--tiny writes a folder: give -o its name")
    names = ("config.json", "spec.yaml")
    check_apart([os.path.join(output, name) for name in names], source, "the source")
    config = os.path.join(source, "config.json")  # where the source is a folder
    check_apart([os.path.join(output, name) for name in names], config, "the source")
    check_texts_target(output, names, force=force)
    derived = xavinit.derive(source, skip_unknown=skip_unknown, tiny=True, keep_vocab=keep_vocab)
    texts = {"config.json": derived.config or "", "spec.yaml": derived.text}
    write_texts(output, texts, force=force)
