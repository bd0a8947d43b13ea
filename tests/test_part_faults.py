"""A set in parts, and a fault or a death at any call: nothing half is shown, a new run ends it."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

import xavinit
from xavinit.errors import OutputError
from xavinit.formats.shard_names import DEFAULT
from xavinit.output import disk, folders

INDEX = DEFAULT.index
SPEC: dict[str, Any] = {"seed": 3, "tensors": {"z": [10, 10], "big": [40, 40], "a.{5}": [10, 20]}}
PLAN = xavinit.make_plan(SPEC)
OTHER = xavinit.make_plan(SPEC, seed=4)
SIZE = "2kB"  # four shards


def write(folder: Path, part: Any, *, plan: Any = PLAN, force: bool = False) -> Any:
    return xavinit.generate(plan, folder, max_shard_size=SIZE, part=part, force=force, jobs=1).part


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The set as one run writes it."""
    folder = tmp_path_factory.mktemp("whole") / "w"
    xavinit.generate(PLAN, folder, max_shard_size=SIZE)
    return read(folder)


def find_seed(folder: Path) -> int | None:
    """The seed of the set that a loader finds by its index, None where there is no index.

    `ValueError` where its files are of two.
    """
    if not (folder / INDEX).exists():
        return None
    files = set(json.loads((folder / INDEX).read_text())["weight_map"].values())
    heads = (read_head(folder / file) for file in files)
    (seed,) = {json.loads(head["__metadata__"]["xavinit"])["seed"] for head in heads}
    return int(seed)


def read_head(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    head: dict[str, Any] = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return head


CALLS = ["create_file", "link", "unlink", "sync", "write_at", "make_folder", "close"]
QUICK = [("rename", True), ("create_file", False), ("sync", False)]
# The others have a target of their own, lest the quick tests be slow.
CASES = [
    pytest.param(call, force, marks=[pytest.mark.faults] * ((call, force) not in QUICK))
    for call, force in (
        *((call, False) for call in CALLS),
        *((call, True) for call in ("create_file", "rename", "unlink", "sync")),
    )
]


@pytest.mark.parametrize(("call", "force"), CASES)
def test_a_fault_in_one_part_shows_nothing_half(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, call: str, force: bool
) -> None:
    """The disk is full at the first such call, the second …; then the part is run again."""
    real = getattr(disk, call)
    for turn in itertools.count(1):
        folder = tmp_path / str(turn)
        if force:
            write(folder, (1, 1), plan=OTHER)
        count = 0

        def fail(*arguments: Any, turn: int = turn) -> Any:
            nonlocal count
            count += 1
            if count == turn:
                if call == "close":
                    real(*arguments)
                raise OSError(28, "full")
            return real(*arguments)

        monkeypatch.setattr(disk, call, fail)
        told: list[str] = []
        for number in (1, 2, 3):
            try:
                write(folder, (number, 3), force=force)
            except OutputError as error:
                told.append(str(error))
            assert not [name for name in os.listdir(folder.parent) if name.startswith(".xav")]
            if folder.exists():
                assert not [name for name in read(folder) if name.startswith(".")]
                assert find_seed(folder) in ((None, 3, 4) if force else (None, 3))
        monkeypatch.setattr(disk, call, real)
        assert len(told) <= 1
        assert all(text.startswith(f"cannot write {folder}") for text in told)
        for number in (1, 2, 3) if told else ():
            write(folder, (number, 3), force=force)
        assert read(folder) == whole
        if not told:
            break
    assert turn > 1


def test_two_finishers_write_one_index(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found all shards there, and neither the index."""
    for number in (1, 2):
        write(tmp_path / "w", (number, 2))
    (tmp_path / "w" / INDEX).unlink()
    real = folders.fill_files

    def fill_files(*arguments: Any) -> None:
        monkeypatch.setattr(folders, "fill_files", real)
        write(tmp_path / "w", (2, 2))
        real(*arguments)

    monkeypatch.setattr(folders, "fill_files", fill_files)
    assert write(tmp_path / "w", (1, 2)).is_complete
    assert read(tmp_path / "w") == whole


def test_any_moments_of_death_and_the_last_run_completes(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that die at any call of the disk, at random, and are run again until none is left."""
    moments = random.Random(19)
    names = ("create_file", "link", "sync", "write_at", "unlink")
    real = {name: getattr(disk, name) for name in names}

    class Death(BaseException):
        pass

    def dying(name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if moments.random() < 0.03:
                raise Death
            return real[name](*arguments)

        return call

    for _ in range(10):
        folder = tmp_path / "w"
        left = [1, 2, 3]
        deaths = 0
        while left:
            number = moments.choice(left)
            for name in names:
                monkeypatch.setattr(disk, name, dying(name))
            try:
                write(folder, (number, 3))
                left.remove(number)
            except Death:
                deaths += 1
            for name in names:
                monkeypatch.setattr(disk, name, real[name])
        found = read(folder)
        assert {name: found[name] for name in whole} == whole
        for path in folder.iterdir():
            path.unlink()
