"""Requests to stores, and what they need: as docs/scale.md says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from memory_store import MemoryStore, use_memory_stores

import xavinit
from xavinit.output import sending

ROOT = Path(__file__).parent.parent
SCALE = (ROOT / "docs" / "scale.md").read_text()

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"z": [10, 10], "big": [40, 40], "a.{5}": [10, 20]}}
SHARDS, TENSORS = 4, 7
SET: dict[str, Any] = {"max_shard_size": "2kB"}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    monkeypatch.setattr(sending, "PART", 1024)
    return use_memory_stores(monkeypatch)["s3", "b"]


def find_row(start: str) -> list[str]:
    """The cells of the table's row whose first cell begins so."""
    (row,) = re.findall(rf"^\| {re.escape(start)}.*\|$", SCALE, flags=re.M)
    return [cell.strip() for cell in str(row).strip("|").split("|")][1:]


def compute(figure: str, number: int) -> int:
    """What a figure such as `2 N + 4` is for a number."""
    terms = re.findall(r"(\d*) ?(N?)(?: \+ |$)", figure)
    return sum(int(times or 1) * (number if name else 1) for times, name in terms if times or name)


def count(store: MemoryStore, new: int = 0) -> tuple[int, int, int]:
    """HEAD, GET and LIST; a store itself looks once more at each new object before it is whole."""
    found = Counter(call for call, _, _ in store.requests)
    store.requests.clear()
    return found["find"] + new, found["read"], found["list"]


def test_figures() -> None:
    assert [compute(text, 5) for text in ("7", "N", "2 N + 4", "N + 6")] == [7, 5, 14, 11]


def test_an_object_takes_as_many_as_the_docs_say(store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/w.safetensors")
    parts = store.count("part")
    assert store.count("start") + store.count("complete") == 2
    written, *rest = find_row("one object of P upload parts")
    assert written.startswith("P + 2 (az: P + 1);")
    for scheme, more in (("s3", 2), ("gs", 2), ("az", 1)):
        assert sending.plan_sending(scheme, [1024 * parts]).requests == parts + more
    assert count(store, new=1) == tuple(map(int, rest))


def test_a_set_takes_as_many_as_the_docs_say(store: MemoryStore) -> None:
    files = SHARDS + 1
    _, heads, gets, _ = find_row("a set: each file")
    *_, lists = find_row("and the set as a whole")
    most_lists = int(lists.split()[-1])
    xavinit.generate(SPEC, "s3://b/p", **SET)
    head, get, listed = count(store, new=files)
    assert int(heads) * files - 2 <= head <= int(heads) * files
    assert get == int(gets) * files
    assert listed <= most_lists
    xavinit.generate(SPEC, "s3://b/p", **SET, resume=True)
    _, heads, gets, _ = find_row("each file that is there already")
    assert count(store) == (int(heads) * files, int(gets) * files, 4)
    xavinit.generate(SPEC, "s3://b/p", **SET, seed=9, force=True)
    written, heads, gets, _ = find_row("each file that `--force` replaces")
    assert written == "the same, and 2 deletions"
    assert 2 * files - 1 <= store.count("delete") <= 2 * files
    head, get, listed = count(store, new=1)
    assert int(heads) * files - 2 <= head <= int(heads) * files
    assert int(gets) * files - 2 <= get <= int(gets) * files
    assert listed == most_lists


def test_a_folder_takes_as_many_as_the_docs_say(store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/n", format="npy")
    _, *figures = find_row("a folder of N npy files")
    told = tuple(compute(figure, TENSORS) for figure in figures)
    assert count(store, new=TENSORS + 2) == told


@pytest.mark.parametrize("verb", ["inspect", "digest", "derive", "verify"])
def test_reading_takes_as_many_as_the_docs_say(verb: str, store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/w.safetensors")
    xavinit.generate(SPEC, "s3://b/p", **SET)
    xavinit.generate(SPEC, "s3://b/n", format="npy")
    cells = find_row("`inspect`, `digest`" if verb in ("inspect", "digest") else f"`{verb}`")
    for name, number, cell in zip(
        ("w.safetensors", "p", "n"), (1, SHARDS, TENSORS), cells, strict=True
    ):
        store.requests.clear()
        getattr(xavinit, verb)(f"s3://b/{name}")
        head, _, listed = count(store)
        told = tuple(compute(figure, number) for figure in cell.split(", "))
        assert (head, listed) == told, name


def test_every_variable_is_in_the_docs() -> None:
    named = set()
    for path in (ROOT / "xavinit" / "stores").glob("*.py"):
        named |= set(re.findall(r"\b(?:A[A-Z]+|STORAGE|XAVINIT)(?:_[A-Z]+)+\b", path.read_text()))
    variables = {name for name in named if name.startswith(("AWS_", "AZURE_", "STORAGE_", "XAV"))}
    assert {"AWS_REGION", "AZURE_STORAGE_SAS_TOKEN", "STORAGE_EMULATOR_HOST"} < variables
    assert {name for name in variables if f"`{name}`" not in SCALE} == set()
