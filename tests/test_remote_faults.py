"""A fault, a signal or a death at every request to a store: nothing half, and a new run ends it."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from memory_store import MemoryStore, MemoryUpload, use_memory_stores

import xavinit
from xavinit.errors import OutputError, RefusedError
from xavinit.output import sending

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"z": [10, 10], "big": [40, 40], "a.{5}": [10, 20]}}
OTHER: dict[str, Any] = {"seed": 4, "tensors": {"old": [9, 9], **SPEC["tensors"]}}
PLAN = xavinit.make_plan(SPEC)
OUTPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "file": ("w.safetensors", {}),
    "hdf5": ("w.h5", {}),
    "npy": ("w", {"format": "npy"}),
    "shards": ("w", {"max_shard_size": "2kB"}),
}
INDEX = "model.safetensors.index.json"
CASES = list(itertools.product(OUTPUTS, [False, True]))


class Death(BaseException):
    """The process ends: nothing of it is done any more."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Objects of one request, of one part, and of several."""
    monkeypatch.setattr(sending, "PART", 2048)
    monkeypatch.setattr(sending, "SMALL", 600)
    return use_memory_stores(monkeypatch)["s3", "b"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What each output is, as a disk has it."""
    found = {}
    for output, (name, options) in OUTPUTS.items():
        path = tmp_path_factory.mktemp("whole") / name
        xavinit.generate(PLAN, path, **options)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        folder = path if path.is_dir() else path.parent
        found[output] = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    return found


def start_over(store: MemoryStore, output: str, old: dict[str, bytes]) -> None:
    store.objects.clear()
    store.objects |= old
    store.unfinished.clear()
    store.fault = lambda call, key, nbytes: None


def write(output: str, *, force: bool) -> None:
    name, options = OUTPUTS[output]
    xavinit.generate(PLAN, f"s3://b/p/{name}", force=force, jobs=1, **options)


def make_old(store: MemoryStore, output: str, *, force: bool) -> dict[str, bytes]:
    """What stands there before: nothing, or another output that is to be replaced."""
    if force:
        name, options = OUTPUTS[output]
        xavinit.generate(OTHER, f"s3://b/p/{name}", **options)
    return dict(store.objects)


def find_made(store: MemoryStore, output: str) -> dict[str, bytes]:
    begin = "p/" if "." in OUTPUTS[output][0] else "p/w/"
    return {
        key.removeprefix(begin): content
        for key, content in sorted(store.objects.items())
        if key.startswith(begin)
    }


def check_nothing_half(
    store: MemoryStore, output: str, old: dict[str, bytes], whole: dict[str, bytes]
) -> None:
    """Each object is that of a whole output; and what a loader takes for a set is one."""
    before = {key.rpartition("/")[2]: content for key, content in old.items()}
    found = find_made(store, output)
    for name, content in found.items():
        if not name.startswith(".xavinit"):
            assert content in (before.get(name), whole.get(name)), name
    if output == "shards" and INDEX in found:
        names = {*json.loads(found[INDEX])["weight_map"].values(), INDEX}
        of = [all(found[n] == files.get(n) for n in names) for files in (before, whole)]
        assert any(of)
    elif output == "npy" and "manifest.json" in found:
        entries = json.loads(found["manifest.json"])["tensors"].values()
        names = {*(entry["file"] for entry in entries), "manifest.json"}
        of = [all(found[n] == files.get(n) for n in names) for files in (before, whole)]
        assert any(of)


def complete(store: MemoryStore, output: str, whole: dict[str, bytes], *, force: bool) -> None:
    """Run the same command again, which ends it, unless it was there already."""
    store.fault = lambda call, key, nbytes: None
    told = ""
    try:
        write(output, force=force)
    except RefusedError as error:
        told = str(error)
    assert not told or (told.endswith("exists; use --force to replace it") and not force)
    assert find_made(store, output) == whole


def break_request(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore, kind: str, turn: int
) -> list[str]:
    """Break the request of this number, whichever it is; the list tells which were broken."""
    broken: list[str] = []
    count = 0
    lock = threading.Lock()

    def is_due(call: str) -> bool:
        nonlocal count
        with lock:
            count += 1
            due = count == turn or (count > turn and kind in ("death", "dead"))
            if due:
                broken.append(call)
            return due

    def fail(call: str, key: str, nbytes: int) -> None:
        if kind != "after" and is_due(call):
            if kind == "death":
                raise Death
            if kind == "signal":
                main = threading.main_thread().ident
                signal.pthread_kill(main or 0, signal.SIGINT)
                return
            raise TimeoutError("the store does not answer")

    store.fault = fail
    for place, name in [
        (MemoryStore, "put"),
        (MemoryStore, "delete"),
        (MemoryUpload, "put_part"),
        (MemoryUpload, "complete"),
        (MemoryUpload, "abort"),
    ]:
        real: Callable[..., Any] = getattr(place, name)

        def call(
            *given: Any, real: Callable[..., Any] = real, name: str = name, **options: Any
        ) -> None:
            real(*given, **options)
            if kind == "after" and is_due(name):
                raise TimeoutError("the answer is lost")

        monkeypatch.setattr(place, name, call)
    return broken


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize(("output", "force"), CASES)
def test_a_fault_at_any_request(
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    whole: dict[str, dict[str, bytes]],
    output: str,
    force: bool,
    kind: str,
) -> None:
    old = make_old(store, output, force=force)
    for turn in itertools.count(1):
        start_over(store, output, old)
        with monkeypatch.context() as patch:
            broken = break_request(patch, store, kind, turn)
            told = ""
            try:
                write(output, force=force)
            except OutputError as error:
                told = str(error)
        assert not told or broken
        assert not told or told.startswith(f"cannot write s3://b/p/{OUTPUTS[output][0]}: ")
        assert not store.unfinished
        check_nothing_half(store, output, old, whole[output])
        complete(store, output, whole[output], force=force)
        if not broken:
            break
    assert turn > 4


@pytest.mark.parametrize("kind", ["death", "dead"])
@pytest.mark.parametrize(("output", "force"), CASES)
def test_no_request_succeeds_any_more(
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    whole: dict[str, dict[str, bytes]],
    output: str,
    force: bool,
    kind: str,
) -> None:
    """As after kill -9, or where the network is gone: uploads may be left, but nothing is half."""
    old = make_old(store, output, force=force)
    for turn in itertools.count(1):
        start_over(store, output, old)
        with monkeypatch.context() as patch:
            broken = break_request(patch, store, kind, turn)
            told = ""
            try:
                write(output, force=force)
            except Death:
                assert kind == "death"
            except OutputError as error:
                told = str(error)
        if not broken:
            break
        if kind == "dead":
            assert told.startswith(f"cannot write s3://b/p/{OUTPUTS[output][0]}: ")
            assert ("unfinished upload" in told) == bool(store.unfinished)
        check_nothing_half(store, output, old, whole[output])
        store.unfinished.clear()
        complete(store, output, whole[output], force=force)
    assert turn > 4


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_interrupt_at_any_request_leaves_no_upload(
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    whole: dict[str, dict[str, bytes]],
    output: str,
) -> None:
    for turn in itertools.count(1):
        start_over(store, output, {})
        with monkeypatch.context() as patch:
            broken = break_request(patch, store, "signal", turn)
            try:
                write(output, force=False)
            except KeyboardInterrupt:
                assert broken
            else:
                assert not broken
        assert not store.unfinished
        check_nothing_half(store, output, {}, whole[output])
        complete(store, output, whole[output], force=False)
        if not broken:
            break
    assert turn > 4
