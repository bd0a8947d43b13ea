"""The verb that writes a spec from what exists: `derive`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from xavinit.configs import (
    is_config,
    load_config,
    load_settings,
    make_model,
    make_twin,
)
from xavinit.deriving import Model, NamedTensor, derive_text, write_canonical
from xavinit.dtypes import DTYPES, STORED_DTYPES, name_dtype
from xavinit.errors import InputError, UsageError
from xavinit.formats import Index, load_index
from xavinit.plan import STREAM
from xavinit.spec import parse_document
from xavinit.wording import format_value, plural

MOST_NAMED = 10  # tensors that a message or a comment names

DeriveSource = str | os.PathLike[str] | Mapping[str, Any]


class Derived(Struct, frozen=True, dict=True):  # dict: for the cached property
    """A derived spec: its YAML `text`, and the names of tensors that were left out.

    `spec` is the same as plain data, which every function that takes a spec takes. Of a tiny twin,
    `config` is the text of the config.json that belongs to it.
    """

    text: str
    skipped: tuple[str, ...] = ()
    config: str | None = None

    @cached_property
    def spec(self) -> dict[str, Any]:
        data: dict[str, Any] = parse_document(self.text.encode(), "derived.yaml").data
        return data

    def __str__(self) -> str:
        return self.text


def derive(
    source: DeriveSource,
    *,
    skip_unknown: bool = False,
    tiny: bool = False,
    keep_vocab: bool = False,
) -> Derived:
    """Write a spec that gives the names, shapes and dtypes of what exists, with new numbers.

    `source` is a weights file of any format that is read, a folder, or the index of a set
    (docs/reading.md), of which only headers are read; or a mapping of names to arrays, or to
    anything else with a `shape` and a `dtype`. A file that xavinit wrote carries its spec: that is
    what comes out, and generating it gives the same bytes.

    Where a dtype cannot be drawn, that is an error, unless `skip_unknown`: then those tensors are
    left out. See docs/derive.md for how names, sizes and laws are found.

    `source` may also be a Hugging Face config.json, or a folder with one and no weights: what
    transformers makes of it, without numbers, nothing downloaded. With `tiny` it is the smallest
    model of the same kind; `keep_vocab` keeps the size of its vocabulary.

    Raises `InputError` where the source cannot be read, or no spec can hold its tensors;
    `UsageError` where a mapping holds something else than tensors, or what is to be tiny is no
    config.json; `MissingLibraryError` where that needs transformers and torch.

    >>> import numpy
    >>> weights = {f"h.{n}.weight": numpy.zeros((4, 4), "float32") for n in range(3)}
    >>> derive(weights).spec["tensors"]
    {'h.{blocks}.weight': [4, 4]}
    """
    if isinstance(source, Mapping):
        if tiny:
            raise UsageError("a tiny twin is made of a config.json; got a mapping")
        tensors = tuple(_describe(*item) for item in source.items())
        return _derive(Model(tensors), skip_unknown=skip_unknown)
    path = os.fsdecode(source)
    if keep_vocab and not tiny:
        raise UsageError("only a tiny twin can keep its vocabulary: give tiny too (--tiny)")
    if tiny:
        return _derive_twin(path, keep_vocab=keep_vocab, skip_unknown=skip_unknown)
    if is_config(path):
        return _derive(make_model(load_config(path)), skip_unknown=skip_unknown)
    index = load_index(path)
    recipe = index.parse_recipe()
    if recipe is not None:
        if recipe.stream != STREAM:
            raise InputError(
                f"{index.path} was drawn from another stream, {recipe.stream}; this is {STREAM}"
            )
        data = {**recipe.spec, "seed": recipe.seed}
        return Derived(_write_carried(data, index.path, recipe.max_shard_size))
    settings = load_settings(path)
    model = Model(
        tuple(_list_stored(index)),
        sizes=settings.sizes,
        default_init=settings.init or "glorot_uniform",
        layout="in_out" if index.format == "keras" else None,
        title=os.path.basename(os.path.abspath(index.path)),
    )
    try:
        return _derive(model, skip_unknown=skip_unknown)
    except InputError as error:
        raise InputError(f"{index.path}: {error.describe()}", hint=error.hint) from None


def _derive_twin(path: str, *, keep_vocab: bool, skip_unknown: bool) -> Derived:
    if not is_config(path, beside_weights=True):
        raise UsageError(f"a tiny twin is made of a config.json, or a folder with one; got {path}")
    twin = make_twin(load_config(path), keep_vocab=keep_vocab)
    derived = _derive(twin.model, skip_unknown=skip_unknown)
    return structs.replace(derived, config=twin.config)


def _derive(model: Model, *, skip_unknown: bool) -> Derived:
    known: list[NamedTensor] = []
    unknown: list[NamedTensor] = []
    for tensor in model.tensors:
        (known if tensor.dtype in DTYPES else unknown).append(tensor)
    comments = model.comments
    if unknown:
        told = ", ".join(f"{format_value(t.name)} ({t.dtype})" for t in unknown[:MOST_NAMED])
        more = len(unknown) - MOST_NAMED
        told += f" and {more:,} more" if more > 0 else ""
        if not skip_unknown:
            raise InputError(
                f"{plural(len(unknown), 'tensor')} of dtypes that cannot be drawn: {told}",
                hint="--skip-unknown (in Python skip_unknown=True) leaves them out",
            )
        comments = (
            *comments,
            f"Left out, since their dtypes cannot be drawn: {told}.",
        )
    text = derive_text(structs.replace(model, tensors=tuple(known), comments=comments))
    return Derived(text, tuple(tensor.name for tensor in unknown))


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


def _describe(name: object, value: object) -> NamedTensor:
    """What is in a mapping, as a tensor: anything with a shape and a dtype."""
    shape, dtype = getattr(value, "shape", None), name_dtype(getattr(value, "dtype", None))
    if not isinstance(name, str):
        raise UsageError(f"the name of a tensor must be a string; got {format_value(name)}")
    try:
        sizes = tuple(int(size) for size in shape)  # type: ignore[union-attr]  # that is asked
    except (TypeError, ValueError):
        sizes = None
    if sizes is None or dtype is None or any(size < 0 for size in sizes):
        raise UsageError(
            f"what is derived from must have a shape and a dtype; got {format_value(value)} "
            f"for {format_value(name)}"
        )
    known = dtype if dtype in STORED_DTYPES else str(dtype)
    return NamedTensor(name, sizes, str(known))


def _write_carried(data: Mapping[str, Any], path: str, max_shard_size: int | None) -> str:
    """The spec that a file of ours carries."""
    comments = [f"The spec that {os.path.basename(os.path.abspath(path))} carries."]
    if max_shard_size is not None:
        comments.append(f"The shards are those of --max-shard-size {max_shard_size}.")
    try:
        return write_canonical(data, comments)
    except InputError as error:
        raise InputError(f"{path}: {error.describe()}") from None
