"""What a spec is derived from, and the families that its tensors fold into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct


class NamedTensor(Struct, frozen=True):
    """A tensor to be described: its name, shape and dtype, and what else is known of it.

    `tied` names the tensor that it is a copy of. `init` is its initializer as a spec writes it, a
    name or a table; None leaves it to the name. `note` is what a comment says of the initializer.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    tied: str | None = None
    init: Any = None
    note: str = ""


class Model(Struct, frozen=True):
    """Tensors in the source's order, and what is known of all of them.

    `sizes` are those of a configuration, by its own keys, such as `hidden_size`. `default_init` is
    the initializer of what has fans, as a spec writes it. `layout` is that of all weights, where
    the source tells it. `title` says what the spec comes from, `comments` what else a reader of it
    should know.
    """

    tensors: tuple[NamedTensor, ...]
    sizes: Mapping[str, int] = {}
    default_init: Any = "glorot_uniform"
    layout: str | None = None
    title: str = ""
    comments: tuple[str, ...] = ()


Size = int | str  # of a shape or a dim, as a spec writes it

# The numbers that a brace stands for, rising; one alone is written as it is.
Run = tuple[int, ...]


class Family(Struct, frozen=True, dict=True):  # dict: for the cached properties
    """Tensors that are alike but for the numbers in their names.

    `texts` are the pieces of the name before, between and after its numbers, `runs` what each
    number runs over. `first` and `last` are two of the names, `index` is the first's place in the
    source. `tied` is a name, or its pieces where its numbers are the same as this one's.
    """

    texts: tuple[str, ...]
    runs: tuple[Run, ...]
    shape: tuple[int, ...]
    dtype: str
    index: int
    count: int
    tied: str | tuple[str, ...] | None = None
    init: Any = None
    note: str = ""

    @cached_property
    def first(self) -> str:
        return self._name(0)

    @cached_property
    def last(self) -> str:
        return self._name(-1)

    def _name(self, end: int) -> str:
        return self.write_name([str(run[end]) for run in self.runs])

    def write_name(self, words: Sequence[str]) -> str:
        """The name with these words for its numbers."""
        pairs = zip(words, self.texts[1:], strict=True)
        return self.texts[0] + "".join(word + text for word, text in pairs)
