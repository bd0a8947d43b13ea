"""Outputs in object stores, by a store in memory: the bytes, the order of requests, refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from memory_store import MemoryStore, MemoryStores, MemoryUpload, use_memory_stores

import xavinit
from xavinit.cli import cli
from xavinit.errors import MissingLibraryError, OutputError, RefusedError, UsageError
from xavinit.output import sending
from xavinit.output.claims import CLAIM
from xavinit.output.sending import check_sizes, find_part_size, plan_sending
from xavinit.stores import OvertakenError, opening, parse_url
from xavinit.verbs.sources import check_not_spec

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"z": [10, 10], "big": [40, 40], "a.{5}": [10, 20]}}
LAYERS: dict[str, Any] = {
    "framework": "keras",
    "layers": [{"name": "a", "type": "dense", "in": 20, "out": 30}],
}
INDEX = "model.safetensors.index.json"
SMALL_PART = 1024


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> MemoryStores:
    """Every URL names a store in memory, and parts are small."""
    monkeypatch.setattr(sending, "PART", SMALL_PART)
    return use_memory_stores(monkeypatch)


@pytest.fixture
def store(stores: MemoryStores) -> MemoryStore:
    return stores["s3", "b"]


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def find_under(store: MemoryStore, prefix: str) -> dict[str, bytes]:
    found = {k: v for k, v in sorted(store.objects.items()) if k.startswith(prefix)}
    return {key.removeprefix(prefix): content for key, content in found.items()}


def list_calls(store: MemoryStore, *names: str) -> list[str]:
    """The requests of these names in order, each with the last part of its key."""
    return [f"{call} {key.rpartition('/')[2]}" for call, key, _ in store.requests if call in names]


# --- The bytes -------------------------------------------------------------------------------

OUTPUTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "safetensors": (SPEC, "w.safetensors", {}),
    "hdf5": (SPEC, "w.h5", {}),
    "keras": (LAYERS, "w.weights.h5", {}),
    "one npy": ({"tensors": {"w": [30, 40]}}, "w.npy", {}),
    "an rng": (SPEC, "w.safetensors", {"rng": "torch-2.13"}),
    "nothing": ({"tensors": {}}, "w.safetensors", {}),
}
FOLDERS: dict[str, dict[str, Any]] = {
    "npy": {"format": "npy"},
    "shards": {"max_shard_size": "2kB"},
    "one shard": {"max_shard_size": "5GB"},
}


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_object_has_the_bytes_of_a_file(
    tmp_path: Path, stores: MemoryStores, output: str, scheme: str, jobs: int
) -> None:
    spec, name, options = OUTPUTS[output]
    local = xavinit.generate(spec, tmp_path / name, **options)
    done = xavinit.generate(spec, f"{scheme}://b/p/{name}", jobs=jobs, **options)
    assert stores[scheme, "b"].objects == {f"p/{name}": (tmp_path / name).read_bytes()}
    assert not stores[scheme, "b"].unfinished
    assert done.path == f"{scheme}://b/p/{name}"
    assert (done.nbytes, done.format, done.part) == (local.nbytes, local.format, None)


@pytest.mark.parametrize("prefix", ["p", "p/", "p/q", ""])
@pytest.mark.parametrize("output", FOLDERS)
def test_a_prefix_holds_the_files_of_a_folder(
    tmp_path: Path, store: MemoryStore, output: str, prefix: str
) -> None:
    if prefix.endswith("/") and output == "npy":
        prefix = "p"
    xavinit.generate(SPEC, tmp_path / "w", **FOLDERS[output])
    xavinit.generate(SPEC, f"s3://b/{prefix}", **FOLDERS[output])
    key = f"{prefix.rstrip('/')}/" if prefix else ""
    assert find_under(store, key) == read(tmp_path / "w")
    assert len(store.objects) == len(read(tmp_path / "w"))


def test_a_large_file_is_sent_in_parts_while_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the real size of parts; drawn by threads."""
    store = use_memory_stores(monkeypatch)["s3", "b"]
    spec = {"tensors": {"w": [2500, 1001], "v": [2049, 1023]}}
    xavinit.generate(spec, tmp_path / "w.safetensors")
    xavinit.generate(spec, "s3://b/w.safetensors", jobs=3)
    content = (tmp_path / "w.safetensors").read_bytes()
    assert store.objects["w.safetensors"] == content
    parts = sorted(nbytes for call, _, nbytes in store.requests if call == "part")
    assert parts == [len(content) - 2 * (8 << 20), 8 << 20, 8 << 20]


def test_small_objects_are_sent_by_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger one would be copied by the library that sends it."""
    store = use_memory_stores(monkeypatch)["s3", "b"]
    spec = {"tensors": {"small": [512, 500], "large": [513, 600]}}
    xavinit.generate(spec, "s3://b/p", format="npy")
    made = list_calls(store, "put", "start", "part", "complete")
    assert sorted(made[1:-1]) == [
        "complete large.npy",
        "part large.npy",
        "put small.npy",
        "start large.npy",
    ]
    told = plan_sending([1 << 20, (1 << 20) + 1, (8 << 20) + 1])
    assert (told.parts, told.requests) == (4, 1 + 3 + 4)


def test_copies_come_with_a_set(tmp_path: Path, store: MemoryStore) -> None:
    (tmp_path / "config.json").write_text("{}")
    options: dict[str, Any] = {"with_files": [tmp_path / "config.json"]}
    xavinit.generate(SPEC, "s3://b/p", **options)
    assert sorted(store.objects) == ["p/config.json", "p/model.safetensors"]
    store.objects["p/config.json"] = b"[]"
    del store.objects["p/model.safetensors"]
    with pytest.raises(RefusedError) as told:
        xavinit.generate(SPEC, "s3://b/p", **options)
    assert str(told.value) == ("s3://b/p/config.json is another file; use --force to replace it")
    done = xavinit.generate(SPEC, "s3://b/p", force=True, **options)
    assert store.objects["p/config.json"] == b"{}"
    assert done.part is not None
    assert (done.part.written, done.part.left) == (1, 0)


def test_several_specs_go_under_a_prefix(tmp_path: Path, store: MemoryStore) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(SPEC))
    xavinit.generate_many([tmp_path / "a.json", tmp_path / "b.json"], "s3://b/p/")
    xavinit.generate(tmp_path / "a.json", "s3://b/q/")
    names = ["p/a.safetensors", "p/b.safetensors", "q/a.safetensors"]
    assert sorted(store.objects) == names
    assert len(set(store.objects.values())) == 1


def test_progress_ends_with_all_bytes(store: MemoryStore) -> None:
    told: list[tuple[int, int]] = []
    done = xavinit.generate(SPEC, "s3://b/w.safetensors", progress=lambda *now: told.append(now))
    assert told[-1] == (done.nbytes, done.nbytes)


# --- What is refused before the first byte ---------------------------------------------------


def check_untouched(store: MemoryStore, make: Callable[[], Any]) -> str:
    """The message of a refusal, which sends nothing."""
    before = dict(store.objects)
    with pytest.raises(RefusedError) as told:
        make()
    assert store.objects == before
    assert not store.unfinished
    assert not list_calls(store, "put", "start", "part", "delete")
    return str(told.value)


def test_what_exists_is_refused(store: MemoryStore) -> None:
    store.objects["w.safetensors"] = b"old"
    told = check_untouched(store, lambda: xavinit.generate(SPEC, "s3://b/w.safetensors"))
    assert told == "s3://b/w.safetensors exists; use --force to replace it"
    xavinit.generate(SPEC, "s3://b/w.safetensors", force=True)
    assert len(store.objects["w.safetensors"]) > 10_000


@pytest.mark.parametrize("rival", ["w-00001-of-00002.safetensors", "w.safetensors.index.json"])
def test_two_checkpoints_under_one_prefix_are_refused(store: MemoryStore, rival: str) -> None:
    store.objects[f"p/{rival}"] = b"old"
    told = check_untouched(store, lambda: xavinit.generate(SPEC, "s3://b/p/w.safetensors"))
    assert told.startswith(
        f"s3://b/p/w.safetensors would stand beside {rival}, of a sharded set: two checkpoints"
    )
    xavinit.generate(SPEC, "s3://b/p/v.safetensors")


@pytest.mark.parametrize("output", FOLDERS)
def test_a_whole_output_is_refused(store: MemoryStore, output: str) -> None:
    xavinit.generate(SPEC, "s3://b/p", **FOLDERS[output])
    store.requests.clear()
    told = check_untouched(store, lambda: xavinit.generate(SPEC, "s3://b/p", **FOLDERS[output]))
    name = {"npy": "", "shards": f"/{INDEX}", "one shard": "/model.safetensors"}[output]
    assert told == f"s3://b/p{name} exists; use --force to replace it"


def test_a_shard_of_another_set_is_refused(store: MemoryStore) -> None:
    options = FOLDERS["shards"]
    xavinit.generate(SPEC, "s3://b/p", seed=4, **options)
    del store.objects[f"p/{INDEX}"]
    store.requests.clear()
    told = check_untouched(store, lambda: xavinit.generate(SPEC, "s3://b/p", **options))
    assert told == (
        "s3://b/p/model-00001-of-00004.safetensors is not of this spec, seed, stream and size of "
        "shards; use --force to replace it"
    )


def test_files_that_are_not_ours_are_refused(store: MemoryStore) -> None:
    store.objects["p/a.0.npy"] = b"somebody's"

    def write(*, force: bool) -> Any:
        return xavinit.generate(SPEC, "s3://b/p", format="npy", force=force)

    for force in (False, True):
        told = check_untouched(store, partial(write, force=force))
        assert told == (
            "s3://b/p/a.0.npy is not of an earlier run; it is not replaced\n"
            "  hint: use another prefix"
        )


def test_a_file_beside_a_folder_of_ours_is_refused(store: MemoryStore) -> None:
    """With --force it would be refused, too: so that is not said."""
    xavinit.generate(SPEC, "s3://b/p", format="npy")
    store.objects["p/config.json"] = b"{}"
    store.requests.clear()
    for force in (False, True):
        told = check_untouched(
            store, partial(xavinit.generate, SPEC, "s3://b/p", format="npy", force=force)
        )
        assert told.startswith("s3://b/p/config.json is not of an earlier run; it is not replaced")


def test_a_claim_that_another_replaces_at_once_is_lost(store: MemoryStore) -> None:
    """By a server that looks at no condition."""
    theirs = b'{"recipe":"theirs","files":[]}'
    real = store.put

    def put(key: str, content: bytes, *, is_new: bool) -> None:
        real(key, content, is_new=is_new)
        if key.endswith(CLAIM):
            store.objects[key] = theirs

    store.put = put  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match=r"^s3://b/p was taken by another run meanwhile$"):
        xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert store.objects == {f"p/{CLAIM}": theirs}


def test_the_spec_itself_is_not_replaced() -> None:
    with pytest.raises(RefusedError, match=r"^s3://b/p/ is the spec itself; it is not replaced$"):
        check_not_spec(["s3://b/p/"], "s3://b/p")
    check_not_spec(["s3://b/q", "s3://c/p"], "s3://b/p")


@pytest.mark.parametrize(
    ("path", "options", "told"),
    [
        ("s3://b/w", {}, "cannot tell the format from the suffix of s3://b/w"),
        ("s3://b", {}, "cannot tell the format from the suffix of s3://b"),
        ("s3:///w.safetensors", {}, "the URL of an object needs a bucket"),
        ("s3://b/w.safetensors", {"max_shard_size": "1MB"}, "shards need the name of a folder"),
        ("s3://b/w.safetensors", {"resume": True}, "to resume needs a set of shards"),
        ("s3://b/w.npy", {}, "a .npy file or pipe holds one tensor"),
    ],
)
def test_what_no_store_takes(
    store: MemoryStore, path: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told.replace(".", r"\.")):
        xavinit.generate(SPEC, path, **options)
    assert not store.requests


def test_another_run_that_comes_first_is_not_replaced(store: MemoryStore) -> None:
    """Its object comes while the parts are sent."""

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "part":
            store.objects["w.safetensors"] = b"theirs"

    store.fault = come
    with pytest.raises(RefusedError) as told:
        xavinit.generate(SPEC, "s3://b/w.safetensors")
    assert str(told.value) == "s3://b/w.safetensors exists; use --force to replace it"
    assert store.objects == {"w.safetensors": b"theirs"}
    assert not store.unfinished


# --- Sizes -----------------------------------------------------------------------------------


def test_parts_are_8_mib_or_ten_thousand() -> None:
    assert find_part_size(0) == 8 << 20
    assert find_part_size(80_000 << 20) == 8 << 20
    assert find_part_size((80_000 << 20) + 1) == (8 << 20) + 1
    for nbytes in (16 * 10**9, 10**12, 5 << 40):
        assert -(-nbytes // find_part_size(nbytes)) <= 10_000


def test_16_gb_take_little_memory() -> None:
    told = plan_sending([16 * 10**9])
    assert told.parts == 1908
    assert told.requests == 1910
    assert told.memory == 9 * (8 << 20)


def test_large_parts_are_fewer_at_once() -> None:
    told = plan_sending([10**12])
    assert (told.part_size, told.parts) == (10**8, 10_000)
    assert (told.senders, told.memory) == (2, 3 * 10**8)


def test_an_object_over_the_limit_is_refused(store: MemoryStore) -> None:
    spec = {"tensors": {"w": {"shape": [1 << 20, 3 << 20], "dtype": "uint8", "init": "zeros"}}}
    assert xavinit.generate(spec, "s3://b/w.safetensors", dry_run=True).sending is not None
    spec = {"tensors": {"w": {"shape": [1 << 20, 6 << 20], "dtype": "uint8", "init": "zeros"}}}
    with pytest.raises(OutputError) as told:
        xavinit.generate(spec, "s3://b/w.safetensors")
    assert str(told.value) == (
        "cannot write s3://b/w.safetensors: an object of s3:// is at most 5.5 TB; this needs "
        "6.6 TB\n  hint: --max-shard-size makes smaller ones"
    )
    assert not list_calls(store, "put", "start")
    with pytest.raises(OutputError, match=r"an object of az:// is at most 41\.9 TB"):
        check_sizes(parse_url("az://b/w"), [42 * 10**12])


def test_a_dry_run_sends_nothing(store: MemoryStore) -> None:
    for name, options in [
        ("w.safetensors", {}),
        ("p", {"format": "npy"}),
        ("q", FOLDERS["shards"]),
    ]:
        done = xavinit.generate(SPEC, f"s3://b/{name}", dry_run=True, **options)
        assert done.sending is not None
        assert done.sending.part_size >= SMALL_PART
    assert not list_calls(store, "put", "start", "part", "complete", "delete")


# --- The order of requests -------------------------------------------------------------------


def test_the_index_comes_last(store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/p", **FOLDERS["shards"])
    made = list_calls(store, "put", "complete", "delete")
    assert made[-1] == f"put {INDEX}"
    assert sorted(made[:-1]) == made[:-1]
    assert len(made) == 5


@pytest.mark.parametrize("size", ["2kB", "3kB"])
def test_a_set_that_is_replaced_has_no_index_meanwhile(store: MemoryStore, size: str) -> None:
    """Also where no shard of the new one has a name of the old one; what is left goes last."""
    xavinit.generate(SPEC, "s3://b/p", seed=9, max_shard_size=size)
    old = set(find_under(store, "p/"))
    store.requests.clear()
    xavinit.generate(SPEC, "s3://b/p", force=True, **FOLDERS["shards"])
    new = set(find_under(store, "p/"))
    made = list_calls(store, "put", "complete", "delete")
    assert made[0] == f"delete {INDEX}"
    shards = [call for call in made if INDEX not in call and not call.startswith("delete")]
    assert len(shards) == 4
    end = made.index(f"put {INDEX}")
    assert set(shards) <= set(made[:end])
    assert set(made[end + 1 :]) == {f"delete {name}" for name in old - new}
    assert len(new) == 5


def test_a_folder_is_claimed_and_its_manifest_comes_last(store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/p", format="npy")
    made = list_calls(store, "put", "complete", "delete")
    assert made[0] == f"put {CLAIM}"
    assert made[-2:] == ["put manifest.json", f"delete {CLAIM}"]
    assert len(made) == 2 + 7 + 1


def test_a_folder_that_is_replaced_has_no_manifest_meanwhile(store: MemoryStore) -> None:
    xavinit.generate({"tensors": {"a.{2}": [10, 20], "old": [3, 4]}}, "s3://b/p", format="npy")
    store.requests.clear()
    xavinit.generate(SPEC, "s3://b/p", format="npy", force=True)
    made = list_calls(store, "put", "complete", "delete")
    assert made[:2] == [f"put {CLAIM}", "delete manifest.json"]
    assert made[-3:] == ["put manifest.json", "delete old.npy", f"delete {CLAIM}"]
    assert "p/old.npy" not in store.objects


def test_as_many_requests_look_as_the_docs_say(store: MemoryStore) -> None:
    """The store itself looks once more at each new object before it completes it."""
    looks = ("find", "list", "read")
    for name, options, new, told in [
        ("w.safetensors", {}, 1, 3),
        ("p", FOLDERS["shards"], 5, 6 * 4 + 9),
        ("q", FOLDERS["npy"], 9, 7 + 11),
    ]:
        store.requests.clear()
        xavinit.generate(SPEC, f"s3://b/{name}", **options)
        assert sum(map(store.count, looks)) + new == told


# --- Runs that go on -------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["npy", "shards"])
def test_a_run_that_goes_on_writes_what_is_missing(
    tmp_path: Path, store: MemoryStore, output: str
) -> None:
    xavinit.generate(SPEC, tmp_path / "w", **FOLDERS[output])
    whole = read(tmp_path / "w")

    def fail(call: str, key: str, nbytes: int) -> None:
        if call == "put" and key.endswith((INDEX, "manifest.json")):
            raise OSError("the store is full")

    store.fault = fail
    with pytest.raises(OutputError) as told:
        xavinit.generate(SPEC, "s3://b/p", **FOLDERS[output])
    hint = {
        "npy": "what is there of it is claimed: the same command goes on",
        "shards": "4 of 4 files are there, each of them whole; the same command writes the rest",
    }
    assert str(told.value) == (f"cannot write s3://b/p: the store is full\n  hint: {hint[output]}")
    store.fault = lambda call, key, nbytes: None
    store.requests.clear()
    missing = next(name for name in whole if "big" in name or "00001-of" in name)
    del store.objects[f"p/{missing}"]
    xavinit.generate(SPEC, "s3://b/p", **FOLDERS[output])
    assert find_under(store, "p/") == whole
    assert len(list_calls(store, "put", "complete")) == 2


def test_a_folder_claimed_for_another_recipe_is_refused(store: MemoryStore) -> None:
    def fail(call: str, key: str, nbytes: int) -> None:
        if key.endswith("z.npy"):
            raise OSError("no")

    store.fault = fail
    with pytest.raises(OutputError):
        xavinit.generate(SPEC, "s3://b/p", format="npy", seed=9)
    store.fault = lambda call, key, nbytes: None
    with pytest.raises(RefusedError) as told:
        xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert str(told.value) == (
        "s3://b/p holds the unfinished output of another run; use --force to replace it"
    )
    xavinit.generate(SPEC, "s3://b/p", format="npy", force=True)
    assert CLAIM not in find_under(store, "p/")
    assert len(find_under(store, "p/")) == 8


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("late", ["big.npy", "z.npy"])
def test_a_run_whose_claim_was_taken_changes_nothing(
    tmp_path: Path, store: MemoryStore, late: str, force: bool
) -> None:
    """Another one replaces it, from begin to end, while a file of the first is on its way."""
    xavinit.generate(SPEC, tmp_path / "w", format="npy", seed=9)
    if force:
        xavinit.generate(SPEC, "s3://b/p", format="npy", seed=1)
    begins = "part" if late == "big.npy" else "put"
    turns: list[str] = []

    def come(call: str, key: str, nbytes: int) -> None:
        if call == begins and key == f"p/{late}" and not turns:
            turns.append(call)
            xavinit.generate(SPEC, "s3://b/p", format="npy", seed=9, force=True)

    store.fault = come
    with pytest.raises(RefusedError, match=r"^s3://b/p was taken by another run meanwhile$"):
        xavinit.generate(SPEC, "s3://b/p", format="npy", force=force)
    assert turns
    assert find_under(store, "p/") == read(tmp_path / "w")
    assert xavinit.verify("s3://b/p").is_same
    assert not store.unfinished


def test_a_late_file_of_the_run_that_had_the_claim_goes(tmp_path: Path, store: MemoryStore) -> None:
    """It comes before ours, whose claim was taken from that run."""
    xavinit.generate(SPEC, tmp_path / "w", format="npy")
    xavinit.generate(SPEC, tmp_path / "theirs", format="npy", seed=9)
    theirs = read(tmp_path / "theirs")
    store.objects[f"p/{CLAIM}"] = b'{"recipe":"theirs","files":["z.npy"]}'

    def come(call: str, key: str, nbytes: int) -> None:
        for name, begins in (("z.npy", "put"), ("big.npy", "start"), ("manifest.json", "put")):
            if (call, key) == (begins, f"p/{name}") and name in theirs:
                store.objects[key] = theirs.pop(name)

    store.fault = come
    xavinit.generate(SPEC, "s3://b/p", format="npy", force=True)
    assert not theirs.keys() & {"z.npy", "big.npy", "manifest.json"}
    assert find_under(store, "p/") == read(tmp_path / "w")


def test_a_run_that_goes_on_under_a_taken_claim_trusts_no_file(
    tmp_path: Path, store: MemoryStore
) -> None:
    """A late file of the other run has the size and the head of ours."""
    xavinit.generate(SPEC, tmp_path / "w", format="npy")
    xavinit.generate(SPEC, "s3://b/q", format="npy", seed=9)
    store.objects[f"p/{CLAIM}"] = b'{"recipe":"theirs","files":["z.npy"]}'

    def fail(call: str, key: str, nbytes: int) -> None:
        if key.endswith("z.npy"):
            raise OSError("no")

    store.fault = fail
    with pytest.raises(OutputError):
        xavinit.generate(SPEC, "s3://b/p", format="npy", force=True)
    store.fault = lambda call, key, nbytes: None
    store.objects["p/z.npy"] = store.objects["q/z.npy"]
    xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert find_under(store, "p/") == read(tmp_path / "w")


def test_two_runs_of_one_recipe_write_one_folder(tmp_path: Path, store: MemoryStore) -> None:
    """The second one comes and ends while the first sends."""
    xavinit.generate(SPEC, tmp_path / "w", format="npy")
    turns: list[str] = []

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "put" and key == "p/z.npy" and not turns:
            turns.append(call)
            xavinit.generate(SPEC, "s3://b/p", format="npy")

    store.fault = come
    xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert turns
    assert find_under(store, "p/") == read(tmp_path / "w")
    assert store.count("delete") <= 2  # the claim alone


@pytest.mark.parametrize("becomes", ["another", "nothing"])
def test_a_claim_that_changes_while_it_is_read(store: MemoryStore, becomes: str) -> None:
    """Of the same recipe, or it goes: it is read again."""
    turns: list[str] = []

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "read" and key == f"p/{CLAIM}" and not turns:
            turns.append(call)
            claim = store.objects.pop(key)
            if becomes == "another":
                store.objects[key] = claim + b" "

    store.fault = come
    if becomes == "another":
        xavinit.generate(SPEC, "s3://b/p", format="npy")
        assert len(find_under(store, "p/")) == 8
    else:
        with pytest.raises(RefusedError, match=r"^s3://b/p was taken by another run meanwhile$"):
            xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert turns


@pytest.mark.parametrize("becomes", ["whole", "nothing"])
def test_a_shard_that_changes_while_it_is_looked_at(
    tmp_path: Path, store: MemoryStore, becomes: str
) -> None:
    """It is looked at again, and not taken for one that was cut short."""
    options = FOLDERS["shards"]
    xavinit.generate(SPEC, tmp_path / "w", **options)
    xavinit.generate(SPEC, "s3://b/p", **options)
    name = "p/model-00002-of-00004.safetensors"
    whole = store.objects[name]
    del store.objects[f"p/{INDEX}"]
    turns: list[str] = []

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "read" and key == name and not turns:
            turns.append(call)
            store.objects.pop(name)
            if becomes == "whole":
                store.objects[name] = whole

    store.fault = come
    store.objects[name] = whole[:-1]
    xavinit.generate(SPEC, "s3://b/p", **options)
    assert turns
    assert find_under(store, "p/") == read(tmp_path / "w")


def test_the_claim_of_another_run_is_not_removed(store: MemoryStore) -> None:
    """It comes just before this run ends."""
    theirs = b'{"recipe":"theirs","files":[]}'

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "put" and key.endswith("manifest.json"):
            store.objects[f"p/{CLAIM}"] = theirs

    store.fault = come
    xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert store.objects[f"p/{CLAIM}"] == theirs


def test_a_run_that_came_and_went_before_the_claim_is_not_touched(store: MemoryStore) -> None:
    """Another one begins after the look and ends before the claim of this one."""
    theirs: dict[str, bytes] = {}

    def come(call: str, key: str, nbytes: int) -> None:
        if call == "put" and key.endswith(CLAIM):
            store.fault = lambda call, key, nbytes: None
            xavinit.generate(SPEC, "s3://b/p", format="npy", seed=9)
            theirs.update(store.objects)

    store.fault = come
    with pytest.raises(RefusedError, match=r"^s3://b/p exists; use --force to replace it$"):
        xavinit.generate(SPEC, "s3://b/p", format="npy")
    assert store.objects == theirs
    assert "p/manifest.json" in theirs


def test_a_set_of_one_shard_needs_no_index(store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/p", **FOLDERS["one shard"])
    assert list_calls(store, "put", "complete") == ["complete model.safetensors"]


def test_a_shard_whose_parts_the_server_drops_is_looked_at_again(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Azure's does where another run, of the same set, makes the object first."""
    xavinit.generate(SPEC, tmp_path / "w", **FOLDERS["shards"])
    xavinit.generate(SPEC, "s3://b/p", seed=9, **FOLDERS["shards"])
    real = MemoryUpload.complete
    turns: list[str] = []

    def complete(self: MemoryUpload) -> None:
        if not turns:
            turns.append(self.key)
            real(self)
            raise OvertakenError("another run has made the object meanwhile")
        real(self)

    monkeypatch.setattr(MemoryUpload, "complete", complete)
    xavinit.generate(SPEC, "s3://b/p", force=True, **FOLDERS["shards"])
    assert turns
    assert find_under(store, "p/") == read(tmp_path / "w")


def test_parts_write_one_set(tmp_path: Path, store: MemoryStore) -> None:
    xavinit.generate(SPEC, tmp_path / "w", **FOLDERS["shards"])
    told = [
        xavinit.generate(SPEC, "s3://b/p", part=(number, 3), **FOLDERS["shards"]).part
        for number in (2, 3, 1)
    ]
    assert [part.is_complete for part in told if part] == [False, False, True]
    assert find_under(store, "p/") == read(tmp_path / "w")
    done = xavinit.generate(SPEC, "s3://b/p", resume=True, **FOLDERS["shards"]).part
    assert done is not None
    assert (done.written, done.left, done.is_complete) == (0, 4, True)


@pytest.mark.parametrize("turn", [1, 2])
def test_a_shard_that_another_spec_puts_there_meanwhile_stays(
    store: MemoryStore, turn: int
) -> None:
    """Before one of the two looks at its name that precede its upload."""
    name = "p/model-00002-of-00004.safetensors"

    def come(call: str, key: str, nbytes: int) -> None:
        if store.requests.count(("find", name, 0)) == turn:
            store.objects[name] = b"theirs"

    store.fault = come
    with pytest.raises(RefusedError, match=rf"^s3://b/{name} (is not of|exists)"):
        xavinit.generate(SPEC, "s3://b/p", **FOLDERS["shards"])
    assert store.objects[name] == b"theirs"
    assert f"p/{INDEX}" not in store.objects


def test_resume_writes_a_shard_that_was_cut_short(tmp_path: Path, store: MemoryStore) -> None:
    xavinit.generate(SPEC, "s3://b/p", **FOLDERS["shards"])
    whole = find_under(store, "p/")
    name = "p/model-00002-of-00004.safetensors"
    store.objects[name] = store.objects[name][:-1]
    del store.objects[f"p/{INDEX}"]
    with pytest.raises(RefusedError) as told:
        xavinit.generate(SPEC, "s3://b/p", **FOLDERS["shards"])
    assert str(told.value) == f"s3://b/{name} is cut short; use --resume to write it again"
    xavinit.generate(SPEC, "s3://b/p", resume=True, **FOLDERS["shards"])
    assert find_under(store, "p/") == whole


# --- What is told ----------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> str:
    path = tmp_path / "large.yaml"
    path.write_text("tensors: {'w.{4}': [50000, 20000]}")
    return str(path)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_plan_tells_how_it_is_sent(large: str) -> None:
    """Without a store: no request is made."""
    *_, last = run("plan", large, "-o", "s3://b/w.safetensors").splitlines()
    assert last == (
        "to s3://b/w.safetensors: 1 object of 16 GB in 1,908 parts of at most 8.39 MB: "
        "1,910 requests that write, 8 at once, in at most 75.5 MB of memory"
    )
    *_, last = run("plan", large, "-o", "gs://b/w", "--max-shard-size", "4GB").splitlines()
    assert last == (
        "to gs://b/w: 5 objects of 16 GB in 1,909 parts of at most 8.39 MB: "
        "1,917 requests that write, 8 at once, in at most 75.5 MB of memory"
    )
    told = json.loads(run("plan", large, "-o", "az://b/w.safetensors", "--json"))["sending"]
    assert 0 < told.pop("bytes") - 16 * 10**9 < 1000  # the header
    assert told == {
        "objects": 1,
        "part_bytes": 8 << 20,
        "parts": 1908,
        "requests": 1910,
        "at_once": 8,
        "memory": 9 * (8 << 20),
    }


def test_a_plan_takes_only_the_name_of_an_object(large: str) -> None:
    for arguments, told in [
        (["-o", "w.safetensors"], r'it must be a URL, such as s3://bucket/.*; got "w\.safe'),
        (["-o", "s3://b/w", "--parts", "2"], "-o tells of the whole output: it takes neither"),
    ]:
        with pytest.raises(UsageError, match=told):
            CliRunner().invoke(cli, ["plan", large, *arguments], catch_exceptions=False)


def test_a_dry_run_tells_how_it_would_be_sent(stores: MemoryStores, large: str) -> None:
    told = run("generate", large, "-o", "s3://b/w.safetensors", "--dry-run")
    assert told.startswith("would write s3://b/w.safetensors (safetensors): 4 tensors, 16 GB, seed")
    assert told.endswith(" of memory\n")
    assert not list_calls(stores["s3", "b"], "put", "start")


def test_a_set_is_reported_as_a_part_is(tmp_path: Path, store: MemoryStore) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SPEC))
    told = run("generate", str(path), "-o", "s3://b/p", "--max-shard-size", "2kB")
    assert told.startswith("wrote s3://b/p (safetensors): 4 shards, 10.8 kB, seed 3 in ")
    assert told.endswith("; the set is whole\n")


def test_without_the_libraries_a_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_open", {})
    monkeypatch.delitem(sys.modules, "xavinit.stores.s3", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingLibraryError) as told:
        xavinit.generate(SPEC, "s3://b/w.safetensors")
    assert str(told.value) == "s3:// needs boto3: pip install 'xavinit[cloud]'"
