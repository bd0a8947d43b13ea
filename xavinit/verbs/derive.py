"""The verb that writes a spec from what exists: `derive`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property, partial
from typing import Any, get_args

from msgspec import Struct, structs

from xavinit.choices import LawSource, RngSearch
from xavinit.configs import (
    is_config,
    load_config,
    load_settings,
    make_model,
    make_twin,
)
from xavinit.deriving import Model, NamedTensor, derive_text, write_canonical
from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, UnreadableError, UsageError
from xavinit.formats import Index, Recipe, load_index
from xavinit.places import find_title
from xavinit.spec import parse_document
from xavinit.verbs.fresh import Fresh, check_seeds, look_for_fresh
from xavinit.verbs.held import list_held
from xavinit.verbs.measure import derive_measured, measure_held, measure_stored
from xavinit.verbs.progress import Progress
from xavinit.verbs.sources import check_stream
from xavinit.wording import format_choices, format_value, plural

MOST_NAMED = 10  # tensors that a message or a comment names


class Derived(Struct, frozen=True, dict=True):  # dict: for the cached property
    """A derived spec: its YAML `text`, and the names of tensors that were left out.

    `spec` is the same as plain data, which every function that takes a spec takes. Of a tiny twin,
    `config` is the text of the config.json that belongs to it. Where an rng was looked for, `fresh`
    is the tensor that one draws, None where none was found; and `sought` tells it as a sentence.
    """

    text: str
    skipped: tuple[str, ...] = ()
    config: str | None = None
    fresh: Fresh | None = None
    sought: str | None = None

    @cached_property
    def spec(self) -> dict[str, Any]:
        data: dict[str, Any] = parse_document(self.text.encode(), "derived.yaml").data
        return data

    def __str__(self) -> str:
        return self.text


def derive(
    source: object,
    *,
    laws: LawSource = "glorot",
    skip_unknown: bool = False,
    tiny: bool = False,
    keep_vocab: bool = False,
    rng: RngSearch | None = None,
    seeds: Iterable[int] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Derived:
    """Write a spec that gives the names, shapes and dtypes of what exists, with new numbers.

    `source` is a weights file of any format that is read, a folder, or the index of a set
    (docs/reading.md), on a disk or in an object store, of which only headers are read. A file that
    xavinit wrote carries its spec: that is what comes out, and generating it gives the same bytes.

    Or `source` is in memory: a `torch.nn.Module` (also on the device meta), a Keras model, a Flax
    NNX module, or a mapping of names to arrays, or to anything else with a `shape` and a `dtype`,
    such as a state dict or the variables of a Linen module; in a mapping of mappings, the keys are
    joined by dots. The spec has the names that `load_into` of that framework takes.

    `laws` is `glorot`, or `as-is`: then every number of the source is read, and each tensor gets
    the law that its values look like, as `inspect` tells it, or the nearest (docs/derive.md).
    `jobs` and `progress` are as in `inspect`.

    With `rng="auto"`, of a weights file, the numbers that PyTorch, Keras and JAX draw from `seeds`
    (those that people like, by default) are compared with a tensor: `fresh` tells whether it is
    an untouched fresh init, and of which seed; the text says so (docs/same-seed.md).

    Where a dtype cannot be drawn, that is an error, unless `skip_unknown`: then those tensors are
    left out. See docs/derive.md for how names, sizes and laws are found.

    `source` may also be a Hugging Face config.json, or a folder with one and no weights: what
    transformers makes of it, without numbers, nothing downloaded. With `tiny` it is the smallest
    model of the same kind; `keep_vocab` keeps the size of its vocabulary.

    Raises `InputError` where the source cannot be read, or no spec can hold its tensors;
    `UsageError` where it is nothing of this, has no numbers that could be measured, or is to be
    tiny and no config.json; `MissingLibraryError` where that needs transformers and torch.

    >>> import numpy
    >>> weights = {f"h.{n}.weight": numpy.zeros((4, 4), "float32") for n in range(3)}
    >>> derive(weights).spec["tensors"]
    {'h.{blocks}.weight': [4, 4]}
    """
    if laws not in get_args(LawSource):
        raise UsageError(
            f"laws must be {format_choices(get_args(LawSource))}; got {format_value(laws)}"
        )
    if rng not in (None, *get_args(RngSearch)):
        raise UsageError(f"rng must be auto; got {format_value(rng)}")
    if seeds is not None and rng is None:
        raise UsageError("seeds are tried with rng=auto alone (--rng auto)")
    if keep_vocab and not tiny:
        raise UsageError("only a tiny twin can keep its vocabulary: give tiny too (--tiny)")
    fresh = sought = None
    if not isinstance(source, str | bytes | os.PathLike):
        if rng is not None:
            raise UsageError("an rng is looked for in a weights file alone")
        if tiny:
            kind = type(source).__name__
            raise UsageError(f"a tiny twin is made of a config.json; got a {kind}")
        held = list_held(source)
        known = [NamedTensor(t.name, t.shape, t.dtype, t.tied) for t in held.tensors]
        measure = partial(measure_held, held)
        model = Model(tuple(known), layout=held.layout, title=held.title)
        path = ""
    else:
        given = os.fsdecode(source)
        if tiny or is_config(given):
            if rng is not None:
                raise UsageError(
                    f"a config.json has no numbers that an rng could have drawn; got {given}"
                )
            if laws != "glorot":
                raise UsageError(
                    f"a config.json has no numbers that could be measured; got {given}"
                )
            if tiny:
                return _derive_twin(given, keep_vocab=keep_vocab, skip_unknown=skip_unknown)
            return _derive(make_model(load_config(given)), skip_unknown=skip_unknown)
        index = load_index(given)
        path = index.path
        recipe = index.parse_recipe()
        if rng is not None:
            carried_seed = None if recipe is None else recipe.seed
            search = look_for_fresh(index, check_seeds(seeds, carried_seed))
            fresh, sought = search.fresh, str(search)
        told = () if sought is None else (sought,)
        if recipe is not None:
            carried = _derive_carried(path, recipe, told)
            return structs.replace(carried, fresh=fresh, sought=sought)
        settings = load_settings(given)
        model = Model(
            tuple(_list_stored(index)),
            sizes=settings.sizes,
            default_init=settings.init or "glorot_uniform",
            layout="in_out" if index.format == "keras" else None,
            title=find_title(path),
            comments=told if fresh is None else (*told, fresh.tell_lines()),
        )
        measure = partial(measure_stored, index)
    try:
        if laws == "glorot":
            derived = _derive(model, skip_unknown=skip_unknown)
            return structs.replace(derived, fresh=fresh, sought=sought)
        model, skipped = _skip_unknown(model, skip_unknown=skip_unknown)
        names = {tensor.name for tensor in model.tensors if tensor.tied is None}
        text = derive_measured(model, measure(names, jobs, progress))
        return Derived(text, skipped, fresh=fresh, sought=sought)
    except InputError as error:
        if not path or isinstance(error, UnreadableError):
            raise
        raise InputError(f"{path}: {error.describe()}", hint=error.hint) from None


def _derive_twin(path: str, *, keep_vocab: bool, skip_unknown: bool) -> Derived:
    if not is_config(path, beside_weights=True):
        raise UsageError(f"a tiny twin is made of a config.json, or a folder with one; got {path}")
    twin = make_twin(load_config(path), keep_vocab=keep_vocab)
    derived = _derive(twin.model, skip_unknown=skip_unknown)
    return structs.replace(derived, config=twin.config)


def _derive(model: Model, *, skip_unknown: bool) -> Derived:
    model, skipped = _skip_unknown(model, skip_unknown=skip_unknown)
    return Derived(derive_text(model), skipped)


def _skip_unknown(model: Model, *, skip_unknown: bool) -> tuple[Model, tuple[str, ...]]:
    """The model without tensors that cannot be drawn, and their names."""
    unknown = [tensor for tensor in model.tensors if tensor.dtype not in DTYPES]
    if not unknown:
        return model, ()
    told = ", ".join(f"{format_value(t.name)} ({t.dtype})" for t in unknown[:MOST_NAMED])
    more = len(unknown) - MOST_NAMED
    told += f" and {more:,} more" if more > 0 else ""
    if not skip_unknown:
        raise InputError(
            f"{plural(len(unknown), 'tensor')} of dtypes that cannot be drawn: {told}",
            hint="--skip-unknown (in Python skip_unknown=True) leaves them out",
        )
    known = tuple(tensor for tensor in model.tensors if tensor.dtype in DTYPES)
    comments = (*model.comments, f"Left out, since their dtypes cannot be drawn: {told}.")
    model = structs.replace(model, tensors=known, comments=comments)
    return model, tuple(tensor.name for tensor in unknown)


def _list_stored(index: Index) -> Iterable[NamedTensor]:
    """The tensors of a file; those that are the same bytes of it are tied."""
    places: dict[Any, str] = {}
    for stored in index.tensors:
        tied = None
        if stored.plain is not None and stored.nbytes:
            key = (stored.plain.path, stored.plain.offset, stored.shape, stored.dtype.name)
            first = places.setdefault(key, stored.name)
            tied = None if first == stored.name else first
        yield NamedTensor(stored.name, stored.shape, stored.dtype.name, tied)


def _derive_carried(path: str, recipe: Recipe, told: tuple[str, ...]) -> Derived:
    """The spec that a file of ours carries."""
    check_stream(path, recipe)
    comments = [f"The spec that {find_title(path)} carries."]
    comments += told
    if recipe.max_shard_size is not None:
        comments.append(f"The shards are those of --max-shard-size {recipe.max_shard_size}.")
    try:
        return Derived(write_canonical({**recipe.spec, "seed": recipe.seed}, comments))
    except InputError as error:
        raise InputError(f"{path}: {error.describe()}") from None
