"""The names of a sharded set's files, as transformers and diffusers give them.

A stem, `model` unless another is asked for, and perhaps a variant: the stem `model` makes
`model-00001-of-00002.safetensors` and `model.safetensors.index.json`, with the variant `fp16`
`model.fp16-00001-of-00002.safetensors` and `model.safetensors.index.fp16.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from xavinit.errors import InputError, UsageError
from xavinit.places import list_folder, split
from xavinit.wording import format_value

_SUFFIX = ".safetensors"
_NUMBERS = "-[0-9]{5,}-of-[0-9]{5,}"
_WORD = "[A-Za-z0-9_-]{1,100}"
_NAME = rf"({_WORD})(?:\.({_WORD}))?"
_INDEX = rf"({_WORD})\.safetensors\.index(?:\.({_WORD}))?\.json"


class ShardNames(Struct, frozen=True):
    """The names of all files of a set, from its stem and its variant ("" for none).

    >>> names = ShardNames("diffusion_pytorch_model", "fp16")
    >>> names.name_shard(1, 2)
    'diffusion_pytorch_model.fp16-00001-of-00002.safetensors'
    >>> names.index
    'diffusion_pytorch_model.safetensors.index.fp16.json'
    """

    stem: str = "model"
    variant: str = ""

    @property
    def base(self) -> str:
        """What the names of all files of tensors begin with."""
        return f"{self.stem}.{self.variant}" if self.variant else self.stem

    @property
    def single(self) -> str:
        """The name of the file where one is enough."""
        return self.base + _SUFFIX

    @property
    def index(self) -> str:
        variant = f".{self.variant}" if self.variant else ""
        return f"{self.stem}{_SUFFIX}.index{variant}.json"

    def name_shard(self, number: int, count: int) -> str:
        return f"{self.base}-{number:05d}-of-{count:05d}{_SUFFIX}"

    def has_file(self, name: str) -> bool:
        """Is it the name of a shard of such a set, or of its single file?"""
        return _match_file(self.base, name)

    def find_set(self, folder: str) -> list[str]:
        """The names of the set in a folder, also of an unfinished one; the index first."""
        return self.choose_set(list_folder(folder))

    def choose_set(self, names: Iterable[str]) -> list[str]:
        """The same of the names that are there."""
        names = sorted(names)
        return [n for n in names if n == self.index] + [n for n in names if self.has_file(n)]


DEFAULT = ShardNames()


def parse_shard_names(text: str | None) -> ShardNames:
    """The names of a set called `STEM` or `STEM.VARIANT`; `UsageError` where it is neither.

    >>> parse_shard_names("model.fp16")
    ShardNames(stem='model', variant='fp16')
    """
    if text is None:
        return DEFAULT
    match = re.fullmatch(_NAME, text) if isinstance(text, str) else None
    # One that ends as a shard does would be taken for a file of another set.
    if match is None or re.search(rf"{_NUMBERS}\Z", text):
        raise UsageError(
            "the name of shards must be a stem of letters, digits, _ and -, or STEM.VARIANT, such "
            f"as diffusion_pytorch_model.fp16; got {format_value(text)}"
        )
    return ShardNames(match[1], match[2] or "")


def parse_index_name(name: str) -> ShardNames | None:
    """The names of the set whose index a file would be by its name, or None."""
    match = re.fullmatch(_INDEX, name)
    return ShardNames(match[1], match[2] or "") if match else None


def find_names(folder: str) -> ShardNames:
    """The names of the set in a folder: the usual ones, or those of its only index or file."""
    present = set(list_folder(folder))
    if present & {DEFAULT.index, DEFAULT.single}:
        return DEFAULT
    found = sorted(name for name in present if parse_index_name(name))
    if len(found) > 1:
        raise InputError(
            f"{folder} holds several sharded sets: {format_value(found[0])} and "
            f"{format_value(found[1])}"
        )
    if found:
        return parse_index_name(found[0]) or DEFAULT
    single = [name.removesuffix(_SUFFIX) for name in present if name.endswith(_SUFFIX)]
    match = re.fullmatch(_NAME, single[0]) if len(single) == 1 else None
    return ShardNames(match[1], match[2] or "") if match else DEFAULT


def find_rival(path: str) -> str | None:
    """A file of the sharded set that a single file of this path would stand beside, or None.

    Loaders look for one or the other first, so the folder would hold two checkpoints.
    """
    folder, name = split(path)
    try:
        return choose_rival(name, list_folder(folder or "."))
    except OSError:
        return None  # no such folder: the one that writes tells why


def choose_rival(name: str, names: Iterable[str]) -> str | None:
    """The same of the names that are there."""
    present = sorted(names)
    base = name.removesuffix(_SUFFIX)
    stem, _, variant = base.rpartition(".")
    indices = {ShardNames(base).index, ShardNames(stem, variant).index} if name != base else set()
    shards = (other for other in present if other != name and _match_file(base, other))
    return next((other for other in present if other in indices), None) or next(shards, None)


def _match_file(base: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(base)}({_NUMBERS})?\.safetensors", name) is not None
