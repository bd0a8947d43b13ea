"""What real checkpoints hold: their tensors, without the numbers."""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

from checkpoints.by_rule import RULES
from xavinit.deriving import NamedTensor

HERE = Path(__file__).parent
NAMES = sorted([*RULES, *(path.name.removesuffix(".txt.xz") for path in HERE.glob("*.txt.xz"))])


@cache
def load(name: str) -> tuple[NamedTensor, ...]:
    """The tensors of a checkpoint."""
    if name in RULES:
        return tuple(
            NamedTensor(tensor, tuple(shape), dtype, tied or None)
            for tensor, dtype, shape, tied in RULES[name]()
        )
    text = lzma.decompress((HERE / f"{name}.txt.xz").read_bytes()).decode()
    return tuple(_parse(line) for line in text.splitlines())


def _parse(line: str) -> NamedTensor:
    name, dtype, sizes, *tied = line.split("\t")
    shape = tuple(int(size) for size in sizes.split(",") if size)
    return NamedTensor(name, shape, dtype, tied[0].removeprefix("=") if tied else None)
