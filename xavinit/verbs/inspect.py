"""The verb that looks into a weights file: `inspect`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from xavinit.formats import Index, load_index
from xavinit.plan import match_names
from xavinit.reading import Summary, summarize
from xavinit.verbs.notebooks import format_table
from xavinit.verbs.progress import Progress, make_advance
from xavinit.wording import plural


class InspectedTensor(Struct, frozen=True):
    """A tensor of a file: what the file says of it, and its values in figures."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    summary: Summary
    label: str | None = None  # what the file calls it beside its name: the layer's name in Keras's

    @property
    def size(self) -> int:
        """How many elements; of its summary, a complex one counts as two."""
        return math.prod(self.shape)


class Inspection(Struct, frozen=True):
    """What is in a weights file or a set of files.

    `tensors` are all of the file, or those that `match` asked for, of `whole` in the file. `spec`,
    `seed` and `stream` are those that the file carries, if xavinit wrote it; `skipped` counts what
    lies among the tensors and is none, such as the numbers and texts of a PyTorch file.
    `inspection["name"]` is a tensor; in a notebook it shows as a table.
    """

    path: str
    format: str
    tensors: tuple[InspectedTensor, ...]
    metadata: Mapping[str, str]
    spec: Mapping[str, Any] | None = None
    seed: int | None = None
    stream: str | None = None
    skipped: int = 0
    match: str | None = None
    whole: int = 0

    def __getitem__(self, name: str) -> InspectedTensor:
        """The tensor of this name, or `KeyError`."""
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor
        raise KeyError(name)

    def __repr__(self) -> str:
        return f"<Inspection of {self.path!r} ({self.format}): {plural(self.whole, 'tensor')}>"

    @property
    def parameters(self) -> int:
        """How many elements, of all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def _repr_html_(self) -> str:
        title = f"{self.path} ({self.format}): {plural(len(self.tensors), 'tensor')}"
        columns = (
            *("name", "shape", "dtype", "count", "mean", "std", "min", "max"),
            *("zeros", "NaN", "−inf", "+inf", "law"),
        )
        rows = [_list_cells(tensor) for tensor in self.tensors]
        return format_table(title, columns, rows, texts=("name", "shape", "dtype", "law"))


def _list_cells(tensor: InspectedTensor) -> tuple[object, ...]:
    summary = tensor.summary
    share = summary.zeros / summary.size if summary.size else 0.0
    return (
        *(tensor.name, "×".join(map(str, tensor.shape)) or "scalar", tensor.dtype, tensor.size),
        *(summary.mean, summary.std, summary.min, summary.max),
        f"{share:.1%}" if summary.zeros else 0,
        *(summary.nans, summary.negative_infinities, summary.positive_infinities),
        summary.guess,
    )


def inspect(
    path: str | os.PathLike[str],
    *,
    match: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Find out what is in a weights file: each tensor's shape, dtype, figures and law.

    `path` is a file of any format that is read (docs/reading.md), a folder, the index of a set, on
    a disk or in an object store (`s3://BUCKET/KEY`, `gs://`, `az://`), or `-` for standard input;
    what it is shows by its content. `match` is a glob over names, as in a
    spec's rules: only those tensors are read. `jobs` is the number of threads (all cores, at most
    8); no figure depends on it. `progress` is called with the bytes done and all bytes, about ten
    times a second. Memory does not grow with the file.

    The mean and the std are those of the finite values, in float64; the law that the values look
    like is told where it can be (docs/reading.md).

    Raises `InputError` where the file cannot be read or is not sound, and `UsageError` where no
    tensor matches.

    >>> import tempfile, os
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "w.safetensors")
    >>> from xavinit import generate
    >>> _ = generate({"tensors": {"w": [128, 784], "b": {"shape": [9], "init": "ones"}}}, path)
    >>> inspect(path).tensors[0].name, inspect(path).tensors[0].summary.max
    ('b', 1.0)
    >>> folder.cleanup()
    """
    given = os.fsdecode(path)
    index = load_index(given)
    whole = len(index.tensors)
    if match is not None:
        index = select_stored(index, match)
    advance = make_advance(index.nbytes, progress)
    tensors = tuple(
        InspectedTensor(
            stored.name,
            stored.shape,
            stored.dtype.name,
            stored.nbytes,
            summary,
            index.labels.get(stored.name),
        )
        for stored, summary in zip(index.tensors, summarize(index, jobs, advance), strict=True)
    )
    recipe = index.parse_recipe()
    return Inspection(
        given,
        index.format,
        tensors,
        index.metadata,
        spec=None if recipe is None else recipe.spec,
        seed=None if recipe is None else recipe.seed,
        stream=None if recipe is None else recipe.stream,
        skipped=index.skipped,
        match=match,
        whole=whole,
    )


def select_stored(index: Index, glob: str) -> Index:
    """The index of the tensors alone whose names match a glob, as those of rules do.

    Raises `UsageError` where none does.
    """
    names = match_names([tensor.name for tensor in index.tensors], glob, f" of {index.path}")
    tensors = tuple(tensor for tensor in index.tensors if tensor.name in names)
    return structs.replace(index, tensors=tensors)
