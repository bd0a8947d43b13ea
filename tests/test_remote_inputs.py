"""Weights and specs in object stores, read by URL: as from a disk, by few requests of few bytes."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from memory_store import MemoryStore, use_memory_stores
from weights_of_all_kinds import NAMES, SPEC, make_inputs, make_set

import xavinit
from xavinit.configs import is_config, load_config
from xavinit.errors import InputError, UnreadableError, UsageError
from xavinit.formats import Reader, load_index
from xavinit.places import exists
from xavinit.process import run_command
from xavinit.stores import Found, opening
from xavinit.verbs.verify_outputs import verify_outputs

URL = "s3://bucket/models"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    make_inputs(folder)
    return folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, disk: Path) -> MemoryStore:
    """A bucket with a copy of the folder under the prefix `models`."""
    made = use_memory_stores(monkeypatch)["s3", "bucket"]
    for path in disk.rglob("*"):
        if path.is_file():
            made.objects[f"models/{path.relative_to(disk).as_posix()}"] = path.read_bytes()
    return made


def count_read(bucket: MemoryStore) -> int:
    """The bytes that were asked for."""
    return sum(nbytes for call, _, nbytes in bucket.requests if call == "read")


def run(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    patch.setattr(sys, "argv", ["xavinit", *arguments])
    return run_command()


# --- The same as from a disk -------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("bucket")
def test_an_object_reads_as_its_file(name: str, disk: Path) -> None:
    url, path = f"{URL}/{name}", disk / name
    assert xavinit.digest(url) == xavinit.digest(path)
    assert xavinit.digest_tensors(url) == xavinit.digest_tensors(path)
    there, here = xavinit.inspect(url), xavinit.inspect(path)
    assert there.path == url
    assert msgspec.structs.replace(there, path=here.path) == here
    assert xavinit.derive(url).text == xavinit.derive(path).text
    assert xavinit.derive(url, laws="as-is").text == xavinit.derive(path, laws="as-is").text
    loaded, expected = xavinit.load(url), xavinit.load(path)
    assert loaded.keys() == expected.keys()
    for key, array in loaded.items():
        np.testing.assert_array_equal(array, expected[key])
    assert xavinit.diff(url, path).is_same
    assert xavinit.diff(path, url).is_same


@pytest.mark.parametrize(
    "name",
    ["w.safetensors", "w.h5", "k.weights.h5", "npy", "set", "set/model.safetensors.index.json"],
)
def test_an_object_is_verified_as_its_file(name: str, bucket: MemoryStore, disk: Path) -> None:
    url, path = f"{URL}/{name}", str(disk / name)
    assert xavinit.verify(url).is_same
    there, here = (xavinit.verify(place, seed=9) for place in (url, path))
    assert not there.is_same
    pairs = zip(there.faults, here.faults, strict=True)
    assert all(str(a).replace(URL, str(disk)) == str(b) for a, b in pairs)
    value = max(xavinit.load(path).values(), key=lambda array: array.size).tobytes()[:16]
    prefix = f"models/{name.partition('/')[0]}"
    (key,) = (k for k, c in bucket.objects.items() if k.startswith(prefix) and value in c)
    content = bytearray(bucket.objects[key])
    content[content.index(value)] ^= 1
    bucket.objects[key] = bytes(content)
    (fault,) = xavinit.verify(url).faults
    assert (fault.kind, fault.path, fault.different) == ("values", f"s3://bucket/{key}", 1)


def test_what_lacks_or_is_too_much_in_a_prefix(bucket: MemoryStore) -> None:
    bucket.objects["models/npy/other"] = b""
    del bucket.objects["models/npy/b.npy"]
    faults = xavinit.verify(f"{URL}/npy/").faults
    told = {(fault.kind, fault.path) for fault in faults}
    assert told == {("missing_file", f"{URL}/npy/b.npy"), ("unexpected_file", f"{URL}/npy/other")}


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_thread_reads_an_object_of_its_own(
    jobs: int, bucket: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_store.tag_of", lambda content: str(len(content)))
    spec = {"tensors": {"w": [1500, 4000], "v": {"shape": [3], "init": "zeros"}}}
    xavinit.generate(spec, tmp_path / "w.safetensors")
    bucket.objects["w.safetensors"] = (tmp_path / "w.safetensors").read_bytes()
    url, path = "s3://bucket/w.safetensors", tmp_path / "w.safetensors"
    assert xavinit.digest(url, jobs=jobs) == xavinit.digest(path)
    assert xavinit.inspect(url, jobs=jobs).tensors == xavinit.inspect(path).tensors
    assert xavinit.verify(url, spec, jobs=jobs).is_same
    first = xavinit.verify(url, spec, seed=1, jobs=jobs)
    assert list(map(str, first.faults)) == list(map(str, xavinit.verify(path, spec, seed=1).faults))
    bucket.requests.clear()
    assert xavinit.diff(url, path, jobs=jobs).is_same
    data = [nbytes for call, _, nbytes in bucket.requests if call == "read" and nbytes > 65536]
    assert max(data) == 8 << 20  # few large requests, not many small ones
    assert sum(data) < 1.1 * path.stat().st_size


def test_sizes_and_laws_of_a_config_beside_the_weights(bucket: MemoryStore) -> None:
    text = xavinit.derive(f"{URL}/bin").text
    assert "std: 0.5" in text
    bucket.objects["models/bin/config.json"] = b"[]"
    with pytest.raises(InputError) as caught:
        xavinit.derive(f"{URL}/bin")
    assert str(caught.value) == f"{URL}/bin/config.json: must be a JSON object; got []"


def test_a_config_alone_is_found_by_its_url_or_prefix(bucket: MemoryStore) -> None:
    bucket.objects["c/config.json"] = b'{"model_type": "bert", "hidden_size": 3}'
    for path in ("s3://bucket/c", "s3://bucket/c/", "s3://bucket/c/config.json"):
        assert is_config(path)
        config = load_config(path)
        assert (config.model_type, config.data["hidden_size"]) == ("bert", 3)
    bucket.objects["c/model.safetensors"] = b""
    assert not is_config("s3://bucket/c")
    with pytest.raises(InputError, match=r"^cannot read s3://bucket/none\.json: no such object$"):
        xavinit.derive("s3://bucket/none.json")


# --- Specs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "npy", "npy/manifest.json", "set"])
@pytest.mark.usefixtures("bucket")
def test_weights_in_a_store_stand_for_their_spec(name: str, disk: Path, tmp_path: Path) -> None:
    xavinit.generate(f"{URL}/{name}", tmp_path / "w.safetensors", max_shard_size=None)
    assert xavinit.digest(tmp_path / "w.safetensors") == xavinit.digest(disk / "w.safetensors")
    assert xavinit.verify(disk / "w.safetensors", f"{URL}/{name}").is_same


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "tensors:\n  w: [3, 4]\n"),
        ("s.json", '{"tensors": {"w": [3, 4]}}'),
        ("s", '{"tensors": {"w": [3, 4]}}'),
    ],
)
def test_the_text_of_a_spec_is_read_from_a_store(
    name: str, text: str, bucket: MemoryStore, tmp_path: Path
) -> None:
    bucket.objects[f"specs/{name}"] = text.encode()
    url = f"s3://bucket/specs/{name}"
    assert xavinit.make_plan(url).tensors[0].shape == (3, 4)
    assert xavinit.explain(url, "w").name == "w"
    xavinit.generate(url, tmp_path / "w.safetensors")
    assert xavinit.verify(tmp_path / "w.safetensors", url).is_same


def test_the_weights_of_a_spec_in_a_store_are_called_as_it(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.objects["specs/small.v2.yaml"] = b"tensors:\n  w: [3, 4]\n"
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "generate", "-q", "s3://bucket/specs/small.v2.yaml") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["small.v2.safetensors"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("w.safetensors", {}),
        ("w.h5", {}),
        ("npy", {"format": "npy"}),
        ("set", {"max_shard_size": "6kB"}),
    ],
)
def test_what_is_written_to_a_store_is_read_from_it(
    name: str, options: dict[str, Any], bucket: MemoryStore, disk: Path
) -> None:
    bucket.objects.clear()
    url = f"s3://bucket/new/{name}"
    xavinit.generate(SPEC, url, **options)
    assert xavinit.digest(url) == xavinit.digest(disk / name)
    assert xavinit.verify(url).is_same
    (verdict,) = verify_outputs([SPEC], url, **options)
    assert verdict.is_same
    (verdict,) = verify_outputs([SPEC], url, seed=4, **options)
    assert not verdict.is_same
    (verdict,) = verify_outputs([SPEC], f"s3://bucket/other/{name}", **options)
    assert [fault.kind for fault in verdict.faults] == ["missing_file"]


def test_an_error_in_a_spec_tells_its_url_and_line(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.objects["s.yaml"] = b"tensors:\n  w: [3, -4]\n"
    assert run(monkeypatch, "check", "s3://bucket/s.yaml") == 3
    told = capsys.readouterr().err
    assert told == (
        's3://bucket/s.yaml:2:10: tensors["w"][1]: must be a positive integer or zero; got -4\n'
    )


def test_a_list_of_digests_names_objects(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{URL}/{name}" for name in ("w.h5", "npy")]
    assert run(monkeypatch, "digest", *names) == 0
    lines = capsys.readouterr().out
    assert [line.split("  ")[1] for line in lines.splitlines()] == names
    bucket.objects["list"] = lines.encode()
    assert run(monkeypatch, "digest", "--check", "s3://bucket/list") == 0
    assert capsys.readouterr().out == "".join(f"{name}: OK\n" for name in names)
    del bucket.objects["models/w.h5"]
    assert run(monkeypatch, "digest", "--check", "s3://bucket/list") == 4
    assert f"cannot read {URL}/w.h5: no such object" in capsys.readouterr().err


# --- What is shown -----------------------------------------------------------------------------


@pytest.mark.usefixtures("bucket")
def test_outputs_show_the_url(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"{URL}/w.safetensors"
    assert run(monkeypatch, "inspect", "--json", url) == 0
    assert json.loads(capsys.readouterr().out)["path"] == url
    assert run(monkeypatch, "inspect", url, f"{URL}/w.h5") == 0
    assert f"==> {url} <==" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert run(monkeypatch, "inspect", "-q", "--html", str(page), url) == 0
    assert url in page.read_text()
    assert run(monkeypatch, "verify", "--json", url) == 0
    assert json.loads(capsys.readouterr().out)["path"] == url
    assert run(monkeypatch, "derive", f"{URL}/set/") == 0
    assert capsys.readouterr().out.startswith("# The spec that set carries.")


# --- Bytes and requests ------------------------------------------------------------------------


class LargeStore(MemoryStore):
    """Objects whose beginning alone is there; the rest is zeros, which nobody holds."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes

    def find(self, key: str) -> Found | None:
        found = super().find(key)
        return Found(self.sizes[key], "tag") if key in self.sizes and found else found

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        if key not in self.sizes:
            super().read(key, start, block, tag)
            return
        self.note("read", key, len(block))
        assert tag == "tag"
        assert start + len(block) <= self.sizes[key]
        content = self.objects[key][start : start + len(block)]
        block[:] = content + bytes(len(block) - len(content))


def test_deriving_a_set_of_16_gb_reads_little(monkeypatch: pytest.MonkeyPatch) -> None:
    files, sizes = make_set(40, 4096)
    store = LargeStore({f"m/{name}": size for name, size in sizes.items()})
    store.objects = {f"m/{name}": content for name, content in files.items()}
    use_memory_stores(monkeypatch)
    monkeypatch.setattr(opening, "make_store", lambda scheme, bucket: store)
    assert sum(sizes.values()) > 16e9
    derived = xavinit.derive("gs://bucket/m")
    assert derived.spec["tensors"]["model.layers.{blocks}.self_attn.{q,k,v,o}_proj.weight"]
    assert count_read(store) < 2e6  # a 10,000th
    assert len(store.requests) < 40


@pytest.mark.parametrize("name", ["w.h5", "w.npz", "w.pt", "w.safetensors"])
def test_an_index_is_read_without_the_values(
    name: str, bucket: MemoryStore, tmp_path: Path
) -> None:
    """Each of a few megabytes, of which an index is the smallest part."""
    path = tmp_path / name
    arrays = {f"h.{n}.w": np.zeros((700, 700), np.float32) for n in range(5)}
    if name == "w.npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    elif name == "w.pt":
        write_torch(path, (700, 700))
    else:
        xavinit.generate({"tensors": {key: [700, 700] for key in arrays}}, path)
    bucket.objects[name] = path.read_bytes()
    xavinit.derive(f"s3://bucket/{name}")
    parts = 1 if name == "w.safetensors" else 5  # each tensor has a header of its own
    assert count_read(bucket) <= (3 + 2 * parts) * 65536 < path.stat().st_size / 2


def write_torch(path: Path, shape: tuple[int, int]) -> None:
    """PyTorch's file of one large tensor, made of a small one that PyTorch saved."""
    nbytes = 4 * shape[0] * shape[1]
    storage = b"ctorch\nFloatStorage\nX\x01\0\0\0000X\x03\0\0\0cpu"
    pickle = (
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage"
        + storage
        + b"J"
        + struct.pack("<i", nbytes // 4)
        + b"tQK\0M"
        + struct.pack("<H", shape[0])
        + b"M"
        + struct.pack("<H", shape[1])
        + b"\x86M"
        + struct.pack("<H", shape[1])
        + b"K\x01\x86\x89ccollections\nOrderedDict\n)RtRs."
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", pickle)
        archive.writestr("w/data/0", bytes(nbytes))
        archive.writestr("w/version", b"3\n")


def test_a_sound_object_is_looked_at_a_few_times(bucket: MemoryStore) -> None:
    xavinit.inspect(f"{URL}/w.safetensors", jobs=1)
    assert Counter(call for call, _, _ in bucket.requests) == {"find": 3, "read": 3}


def test_an_array_in_another_order_is_one_range(
    bucket: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its elements lie far apart: requests for each few of them would be thousands."""
    monkeypatch.setattr("memory_store.tag_of", lambda content: str(len(content)))
    np.save(tmp_path / "w.npy", np.asfortranarray(np.arange(9e6, dtype="f4").reshape(3000, 3000)))
    bucket.objects["w.npy"] = (tmp_path / "w.npy").read_bytes()
    assert xavinit.digest("s3://bucket/w.npy") == xavinit.digest(tmp_path / "w.npy")
    assert len(bucket.requests) < 16
    monkeypatch.setattr("xavinit.formats.strided.LARGEST_HELD", 36_000_000 - 1)
    bucket.requests.clear()
    assert xavinit.digest("s3://bucket/w.npy") == xavinit.digest(tmp_path / "w.npy")
    assert len(bucket.requests) > 1000


def test_a_transposed_tensor_is_compared_by_few_requests(
    bucket: MemoryStore, tmp_path: Path
) -> None:
    spec = {"layers": [{"name": "a", "type": "dense", "in": 1000, "out": 1500}]}
    for framework in ("pytorch", "keras"):
        path = tmp_path / f"{framework}.safetensors"
        xavinit.generate(spec, path, framework=framework)
        bucket.objects[path.name] = path.read_bytes()
    assert xavinit.diff("s3://bucket/pytorch.safetensors", "s3://bucket/keras.safetensors").is_same
    assert len(bucket.requests) < 40


# --- Messages ----------------------------------------------------------------------------------


def refuse(url: str, message: str) -> None:
    for verb in (xavinit.inspect, xavinit.digest, xavinit.verify, xavinit.derive):
        with pytest.raises(InputError) as caught:
            verb(url)
        assert str(caught.value) == message
        assert caught.value.exit_code == 4


@pytest.mark.usefixtures("bucket")
def test_what_is_not_there() -> None:
    refuse(f"{URL}/none", f"cannot read {URL}/none: no such object")
    refuse(f"{URL}/none/", f"cannot read {URL}/none/: no object has this prefix")
    refuse(f"{URL}/w.safet", f"cannot read {URL}/w.safet: no such object")  # a part of a name
    refuse("s3://empty", "cannot read s3://empty: no object has this prefix")
    with pytest.raises(InputError, match=r"^cannot read s3://bucket/s\.yaml: no such object$"):
        xavinit.make_plan("s3://bucket/s.yaml")
    with pytest.raises(UsageError, match=r'needs a bucket; got "s3:///w"'):
        xavinit.digest("s3:///w")


def test_a_prefix_without_weights(bucket: MemoryStore) -> None:
    bucket.objects["texts/a/b"] = b"text"
    with pytest.raises(InputError) as caught:
        xavinit.inspect("s3://bucket/texts")
    assert str(caught.value).startswith("s3://bucket/texts is a folder without an index of weights")
    with pytest.raises(InputError, match=r"^cannot read s3://bucket/texts: it has neither "):
        xavinit.verify("s3://bucket/texts")
    with pytest.raises(
        InputError, match=r"^cannot read s3://bucket/texts: it is the prefix of other objects$"
    ):
        xavinit.make_plan("s3://bucket/texts")


def test_an_object_that_stands_for_a_folder_is_none_in_it(bucket: MemoryStore) -> None:
    """Consoles of stores make an empty object `npy/`; verify would call it a file too many."""
    bucket.objects["models/npy/"] = b""
    assert xavinit.verify(f"{URL}/npy").is_same
    assert xavinit.verify(f"{URL}/npy/").is_same


def test_a_shard_that_is_missing(bucket: MemoryStore) -> None:
    del bucket.objects["models/set/model-00002-of-00003.safetensors"]
    shard = f"{URL}/set/model-00002-of-00003.safetensors"
    with pytest.raises(InputError) as caught:
        xavinit.digest(f"{URL}/set")
    assert str(caught.value) == f"cannot read {shard}: no such object"
    (fault,) = xavinit.verify(f"{URL}/set").faults
    assert (fault.kind, fault.path) == ("missing_file", shard)


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.npy", "w.npz", "views.pt", "k.keras"])
@pytest.mark.parametrize("share", [0, 0.4, 0.999])
def test_what_is_cut_short_is_refused_as_a_file_is(
    name: str, share: float, bucket: MemoryStore, tmp_path: Path
) -> None:
    content = bucket.objects[f"models/{name}"]
    content = content[: int(share * len(content))]
    bucket.objects[name] = content
    (tmp_path / name).write_bytes(content)
    messages = []
    for path in (f"s3://bucket/{name}", str(tmp_path / name)):
        with pytest.raises(InputError) as caught:
            xavinit.digest(path)
        messages.append(str(caught.value).replace(path, "PATH"))
    there, here = (re.sub(r"eof = \d+|h5py|\(.*\)", "", text) for text in messages)
    assert there == here


# --- What goes wrong on the way ----------------------------------------------------------------


def list_faults(bucket: MemoryStore, error: Callable[[], BaseException]) -> Iterator[int]:
    """Let the first request fail, then the second … until a run makes fewer: a run for each."""
    for number in range(1, 1000):
        left = number

        def fail(call: str, key: str, nbytes: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise error()

        bucket.fault = fail
        yield number
        bucket.fault = lambda call, key, nbytes: None
        if left > 0:
            return


@pytest.mark.parametrize("name", NAMES)
def test_an_error_of_the_store_is_told_wherever_it_comes(name: str, bucket: MemoryStore) -> None:
    """It is never taken for a damaged file, and names the object, not the library's call."""
    told = re.compile(rf"cannot read {re.escape(URL)}/[\w./-]*: the store does not answer")
    for verb in (xavinit.digest, xavinit.derive):
        outcomes = [str(verb(f"{URL}/{name}"))]
        for _ in list_faults(bucket, lambda: TimeoutError("the store does not answer")):
            try:
                outcomes.append(str(verb(f"{URL}/{name}")))
            except UnreadableError as error:
                outcomes.append(str(error))
        whole, *failed, last = outcomes
        assert last == whole
        assert len(failed) >= 3
        assert all(map(told.fullmatch, failed))


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "npy", "set"])
def test_verify_takes_no_error_of_the_store_for_a_fault(name: str, bucket: MemoryStore) -> None:
    outcomes: list[object] = []
    for _ in list_faults(bucket, lambda: PermissionError("Access Denied")):
        try:
            outcomes.append(xavinit.verify(f"{URL}/{name}").is_same)
        except UnreadableError as error:
            outcomes.append(str(error).rpartition(": ")[2])
    *failed, last = outcomes
    assert last is True
    assert set(failed) == {"Access Denied"}


@pytest.mark.parametrize("name", ["w.safetensors", "chunked.h5", "fortran.npy", "deflated.npz"])
def test_an_object_that_changes_while_it_is_read(
    name: str, bucket: MemoryStore, disk: Path
) -> None:
    url, key = f"{URL}/{name}", f"models/{name}"
    index = load_index(url)
    old, new = bucket.objects[key], bucket.objects["models/w.npz"]
    bucket.objects[key] = new
    tensor = index.tensors[0]
    with Reader() as reader, pytest.raises(UnreadableError) as caught:
        reader.read(tensor, 0, tensor.size)
    assert str(caught.value) == f"cannot read {url}: the object has changed"
    assert xavinit.digest(url) == xavinit.digest(disk / "w.npz")  # which looks anew
    del bucket.objects[key]
    with Reader() as reader, pytest.raises(UnreadableError, match="no such object"):
        reader.read(tensor, 0, tensor.size)
    bucket.objects[key] = old
    assert xavinit.digest(url) == xavinit.digest(disk / name)


@pytest.mark.parametrize("name", [name for name in NAMES if "." in name])
def test_an_index_stays_that_of_the_object_it_was_read_from(
    name: str, bucket: MemoryStore, disk: Path
) -> None:
    """Also where others have looked at the new object meanwhile, and read it."""
    url, key = f"{URL}/{name}", f"models/{name}"
    if name.endswith(".index.json"):
        key = next(k for k in bucket.objects if k.startswith("models/set/model-00001-of"))
    index = load_index(url)
    old = bucket.objects[key]
    bucket.objects[key] = old + b" "
    assert exists(f"s3://bucket/{key}")
    with contextlib.suppress(InputError):  # few formats take bytes behind the end
        load_index(url)
    tensors = [t for t in index.tensors if t.source.path == f"s3://bucket/{key}" and t.size]
    assert tensors
    for tensor in tensors:
        with Reader() as reader, pytest.raises(UnreadableError, match="the object has changed"):
            reader.read(tensor, 0, tensor.size)
    bucket.objects[key] = old
    with Reader() as reader:
        assert all(reader.read(tensor, 0, tensor.size) for tensor in tensors)


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "k.weights.h5"])
def test_verify_never_takes_two_objects_for_one(name: str, bucket: MemoryStore) -> None:
    """Whichever request another object stands before: each of the two is what it says."""
    url = f"s3://bucket/{name}"
    framework = "keras" if name == "k.weights.h5" else "pytorch"
    layers = {"layers": [{"name": "w", "type": "dense", "in": 300, "out": 200, "bias": False}]}
    made = []
    for seed in (1, 2):
        xavinit.generate(layers, url, seed=seed, force=True, framework=framework)
        made.append(bucket.objects[name])
    old, new = made
    bucket.objects[name] = old
    bucket.requests.clear()
    assert xavinit.verify(url).is_same
    outcomes: set[bool | str] = set()
    for turn in range(1, len(bucket.requests) + 1):
        bucket.objects[name] = old
        bucket.requests.clear()

        def replace(*_: object, turn: int = turn) -> None:
            if len(bucket.requests) == turn:
                bucket.objects[name] = new

        bucket.fault = replace
        try:
            outcomes.add(xavinit.verify(url).is_same)
        except UnreadableError as error:
            outcomes.add(str(error))
    assert outcomes == {True, f"cannot read {url}: the object has changed"}


def test_an_error_of_the_store_has_exit_code_4(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(call: str, key: str, nbytes: int) -> None:
        raise PermissionError("Access Denied")

    bucket.fault = fail
    url = f"{URL}/w.safetensors"
    for verb in ("inspect", "verify", "digest", "derive", "plan", "check"):
        assert run(monkeypatch, verb, url) == 4
        assert f"cannot read {url}: Access Denied" in capsys.readouterr().err


def test_of_a_disk_nothing_of_stores_is_loaded(disk: Path) -> None:
    code = (
        "import sys, xavinit; xavinit.digest(sys.argv[1]); xavinit.verify(sys.argv[1]); "
        "print([name for name in sys.modules if name in "
        "('xavinit.places.objects', 'obstore', 'boto3', 'ssl', 'asyncio')])"
    )
    command: list[Any] = [sys.executable, "-c", code, str(disk / "w.safetensors")]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"[]\n"
