"""The verb that looks into a weights file: `inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.reading import Summary


class InspectedTensor(Struct, frozen=True):
    """A tensor of a file: what the file says of it, and its values in figures."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    summary: Summary
    label: str | None = None  # what the file calls it beside its name: the layer's name in Keras's


class Inspection(Struct, frozen=True):
    """What is in a weights file or a set of files.

    `spec`, `seed` and `stream` are those that the file carries, if xavinit wrote it; `skipped`
    counts the numbers and texts that lie among the tensors of a PyTorch file.
    """

    path: str
    format: str
    tensors: tuple[InspectedTensor, ...]
    metadata: Mapping[str, str]
    spec: Mapping[str, Any] | None = None
    seed: int | None = None
    stream: str | None = None
    skipped: int = 0

    @property
    def parameters(self) -> int:
        """How many elements, of all tensors."""
        return sum(tensor.summary.size for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)
