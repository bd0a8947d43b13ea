"""Many outputs take no more memory at once than a few."""

from __future__ import annotations

import gc
from pathlib import Path

import xavinit
from xavinit.crew import Buffer


def test_the_buffers_of_an_output_go_when_it_is_written(tmp_path: Path) -> None:
    specs = [tmp_path / f"s{number}.yaml" for number in range(9)]
    for spec in specs:
        spec.write_text("tensors: {w: [2, 2]}\n")
    alive: list[int] = []

    def count_buffers(_: object) -> None:
        alive.append(sum(isinstance(thing, Buffer) for thing in gc.get_objects()))

    xavinit.generate_many(specs, tmp_path, report=count_buffers)
    assert max(alive) <= min(alive) + 1
