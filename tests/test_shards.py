"""Shards: split, named and indexed as Hugging Face does, in a folder that is the user's own."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

import xavinit
from xavinit.errors import InputError, OutputError, RefusedError, SpecError, UsageError
from xavinit.formats import parse_format, parse_size
from xavinit.formats.shard_names import DEFAULT
from xavinit.formats.shards import make_index, name_shards

INDEX = DEFAULT.index

SPEC: dict[str, Any] = {
    "seed": 3,
    "tensors": {
        "z": [10, 10],
        "big": [40, 40],
        "a.{5}": [10, 20],
        "none": [0, 4],
        "n": {"shape": [], "dtype": "int64", "init": "zeros"},
    },
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def split_literally(sizes: dict[str, int], most: int) -> list[list[str]]:
    """The rule in its author's words: huggingface_hub's split_state_dict_into_shards_factory.

    "For example, if the limit is 10GB and we have tensors of sizes [6GB, 6GB, 2GB, 6GB, 2GB, 2GB]
    they will get sharded as [6GB], [6+2GB], [6+2+2GB]"; "if one of the model's tensor is bigger
    than `max_shard_size`, it will end up in its own shard".
    """
    done, filling = [], []
    for name, size in sizes.items():
        if size > most:
            done.append([name])
        else:
            if sum(sizes[other] for other in filling) + size > most:
                done.append(filling)
                filling = []
            filling = [*filling, name]
    return done + ([filling] if filling else [])


def make_tensors(sizes: list[int]) -> Any:
    rules = [{"match": "*", "dtype": "uint8", "init": "zeros"}]
    tensors = {f"t{index}": [size] for index, size in enumerate(sizes)}
    return xavinit.make_plan({"rules": rules, "tensors": tensors}).tensors


def test_the_example_of_the_rule() -> None:
    shards = name_shards(make_tensors([6, 6, 2, 6, 2, 2]), 10)
    assert {name: [t.name for t in tensors] for name, tensors in shards.items()} == {
        "model-00001-of-00003.safetensors": ["t0"],
        "model-00002-of-00003.safetensors": ["t1", "t2"],
        "model-00003-of-00003.safetensors": ["t3", "t4", "t5"],
    }


def test_an_oversize_tensor_goes_before_the_shard_being_filled() -> None:
    shards = name_shards(make_tensors([2, 99, 2]), 10)
    assert [[t.name for t in tensors] for tensors in shards.values()] == [["t1"], ["t0", "t2"]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 60))
def test_any_sizes_are_split_by_the_rule(sizes: list[int], most: int) -> None:
    shards = name_shards(make_tensors(sizes), most)
    known = split_literally({f"t{index}": size for index, size in enumerate(sizes)}, most)
    assert [[t.name for t in tensors] for tensors in shards.values()] == known
    index = json.loads(make_index(shards))
    assert index["metadata"] == {"total_parameters": sum(sizes), "total_size": sum(sizes)}
    assert list(index["weight_map"]) == sorted(f"t{index}" for index in range(len(sizes)))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5GB", 5 * 10**9),
        ("5gb", 5 * 10**9),
        (" 1.5 MB ", 1_500_000),
        ("10KiB", 10_240),
        ("1TB", 10**12),
        (".5kB", 500),
        ("4.35GB", int(4.35 * 10**9)),  # as the hub's own function reckons
        ("1234", 1234),
        ("7B", 7),
        (99, 99),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "-5GB", "0", 0, -1, "5XB", "1e9", "5 G B", True, 1.5, "nan", "0.1", None]
)
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(UsageError, match="the size of a shard must be a positive number of bytes"):
        parse_size(text)


def test_the_set_has_every_tensor_where_the_index_says(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    report = xavinit.generate(SPEC, folder, max_shard_size="2kB")
    assert report.shards == 4
    assert names(folder) == [
        *(f"model-{n:05d}-of-00004.safetensors" for n in range(1, 5)),
        INDEX,
    ]
    text = (folder / INDEX).read_text()
    index = json.loads(text)
    assert text == json.dumps(index, indent=2, sort_keys=True) + "\n"
    assert index["metadata"] == {
        "total_parameters": report.parameters,
        "total_size": report.nbytes,
    }
    arrays = xavinit.draw(SPEC)
    assert set(index["weight_map"]) == set(arrays)
    for name, file in index["weight_map"].items():
        assert (load_file(folder / file)[name] == arrays[name]).all()
    assert xavinit.digest(folder) == xavinit.digest(arrays)


def test_every_shard_says_what_made_it(tmp_path: Path) -> None:
    from safetensors import safe_open

    xavinit.generate(SPEC, tmp_path / "m", max_shard_size="2kB")
    for path in (tmp_path / "m").glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            assert file.metadata()["format"] == "pt"
            assert json.loads(file.metadata()["xavinit"])["seed"] == 3


def test_one_shard_is_the_file_without_an_index(tmp_path: Path) -> None:
    assert xavinit.generate(SPEC, tmp_path / "m", max_shard_size="1GB").shards == 1
    assert names(tmp_path / "m") == ["model.safetensors"]
    xavinit.generate(SPEC, tmp_path / "w.safetensors")
    one = (tmp_path / "m" / "model.safetensors").read_bytes()
    assert one == (tmp_path / "w.safetensors").read_bytes()
    assert xavinit.digest(tmp_path / "m") == xavinit.digest(tmp_path / "w.safetensors")


def test_threads_do_not_change_the_bytes(tmp_path: Path) -> None:
    spec = {"tensors": {"a.{3}": [1001, 701], "b": [1500, 1501]}}
    for jobs in (1, 3):
        xavinit.generate(spec, tmp_path / str(jobs), max_shard_size="6MB", jobs=jobs)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes()


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-of-mine.safetensors").write_text("mine")
    (tmp_path / "tokenizer").mkdir()
    mine = names(tmp_path)
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    with pytest.raises(RefusedError, match=r"index\.json exists; use --force to replace it"):
        xavinit.generate(SPEC, tmp_path, max_shard_size="1GB")
    xavinit.generate(SPEC, tmp_path, max_shard_size="1GB", force=True)  # the stale shards go
    assert names(tmp_path) == sorted([*mine, "model.safetensors"])
    xavinit.generate(SPEC, tmp_path, max_shard_size="4kB", force=True)  # the single file goes
    shards = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert names(tmp_path) == sorted([*mine, *shards, INDEX])
    assert (tmp_path / "model-of-mine.safetensors").read_text() == "mine"


def test_shards_without_an_index_are_an_output_too(tmp_path: Path) -> None:
    """As a killed run leaves them: --force makes a whole set of it again."""
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    (tmp_path / INDEX).unlink()
    with pytest.raises(RefusedError, match=r"00001-of-00004\.safetensors exists"):
        xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB", force=True)
    assert xavinit.digest(tmp_path) == xavinit.digest(xavinit.draw(SPEC))


def test_a_link_to_a_blob_is_replaced_and_the_blob_kept(tmp_path: Path) -> None:
    """A snapshot of the hub's cache holds links into another folder."""
    (tmp_path / "blob").write_text("cached")
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    xavinit.generate(SPEC, folder, max_shard_size="1GB", force=True)
    assert not (folder / "model.safetensors").is_symlink()
    assert (tmp_path / "blob").read_text() == "cached"


def test_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    xavinit.generate(SPEC, tmp_path / "link", max_shard_size="1GB")
    assert names(tmp_path / "real") == ["model.safetensors"]
    assert (tmp_path / "link").is_symlink()


def test_what_shards_are_not_for(tmp_path: Path) -> None:
    def write(path: Any, **options: Any) -> None:
        xavinit.generate(SPEC, path, **{"max_shard_size": "2kB", **options})

    with pytest.raises(UsageError, match="shards cannot be written to a pipe or device"):
        write("/dev/null")
    with pytest.raises(UsageError, match=r"need the name of a folder, without a suffix; got .*h5"):
        write(tmp_path / "w.h5")
    with pytest.raises(UsageError, match="only safetensors has shards; got the format hdf5"):
        write(tmp_path / "w", format="hdf5")
    with pytest.raises(OutputError, match="no folder"):
        write(tmp_path / "no" / "w")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RefusedError, match="is a file; a folder of shards does not replace it"):
        write(tmp_path / "file", force=True)
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(RefusedError, match=r"model\.safetensors is a folder; it is not replaced"):
        write(tmp_path, force=True)
    spec = tmp_path / "f" / "model.safetensors"
    spec.parent.mkdir()
    spec.write_text(json.dumps(SPEC))
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate(spec, spec.parent, max_shard_size="2kB", force=True)
    assert names(tmp_path) == ["f", "file", "model.safetensors"]


def test_a_header_that_no_reader_takes_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    from xavinit.formats import safetensors

    monkeypatch.setattr(safetensors, "LARGEST_HEADER", 500)
    with pytest.raises(OutputError, match="--max-shard-size"):
        safetensors.lay_out(xavinit.make_plan(SPEC))


@pytest.mark.parametrize("most", [None, "5GB", "100kB"])
def test_the_hint_of_a_header_that_no_reader_takes_works(
    monkeypatch: pytest.MonkeyPatch, most: str | None
) -> None:
    """Tensors of few bytes and long names: the usual 5GB would make the same header again."""
    from xavinit.formats import safetensors

    spec = {"tensors": {"a_long_name_of_a_tensor.{5000}": [3, 3], "big": [100, 100]}}
    monkeypatch.setattr(safetensors, "LARGEST_HEADER", 20_000)
    options = {"dry_run": True, "max_shard_size": most}
    path = "w.safetensors" if most is None else "w"
    with pytest.raises(OutputError, match=r"header must be at most 20,000 bytes") as caught:
        xavinit.generate(spec, path, **options)
    hint = re.search(r"--max-shard-size (\w+)", str(caught.value))
    assert hint
    report = xavinit.generate(spec, "w", max_shard_size=hint[1], dry_run=True)
    assert 1 < (report.shards or 0) < 200
    monkeypatch.setattr(safetensors, "LARGEST_HEADER", 300)  # its metadata alone is longer
    with pytest.raises(OutputError, match=r"hint: write fewer tensors, or tensors with shorter"):
        xavinit.generate(spec, path, **options)


@pytest.mark.parametrize("listed", [False, True])
def test_too_many_shards_are_refused_with_a_size_that_works(tmp_path: Path, listed: bool) -> None:
    """A typo, 5 for 5GB: each file would carry the whole spec."""
    tensors: dict[str, Any] = {"t.{10000}": [1, 1]}
    if listed:
        tensors = {f"t.{n}": [1, 1] for n in range(10_000)}
    for dry_run in (True, False):
        with pytest.raises(
            UsageError, match=r"shards must be at most .* got 10,000 of 5"
        ) as caught:
            xavinit.generate(
                {"tensors": tensors}, tmp_path / "w", max_shard_size=5, dry_run=dry_run
            )
    hint = re.search(r"--max-shard-size (\w+)", str(caught.value))
    assert hint
    report = xavinit.generate(
        {"tensors": tensors}, tmp_path / "w", max_shard_size=hint[1], dry_run=True
    )
    assert 500 < (report.shards or 0) <= 2000


def test_a_sets_metadata_is_in_memory_once() -> None:
    """2 MB of spec in 100 files: the layouts share the text, and each file has it whole."""
    import tracemalloc

    names = [f"{'x' * 1000}.{n}" for n in range(1000)]
    spec = {"dims": {f"d{n}": 1 for n in range(100_000)}, "tensors": {n: [1, 10] for n in names}}
    plan = xavinit.make_plan(spec)
    lay_out = parse_format("safetensors").lay_out_shards
    assert lay_out is not None
    tracemalloc.start()
    layout = lay_out(plan, 400, DEFAULT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(layout.files) == 101
    assert layout.nbytes > 200_000_000
    assert peak < 50_000_000


def test_a_tied_tensor_is_counted_once(tmp_path: Path) -> None:
    """As transformers counts a Llama of 2 layers, hidden 64, intermediate 128, vocabulary 256."""
    block = {
        **{f"model.layers.{{2}}.self_attn.{n}_proj.weight": [64, 64] for n in "qo"},
        **{f"model.layers.{{2}}.self_attn.{n}_proj.weight": [32, 64] for n in "kv"},
        **{f"model.layers.{{2}}.mlp.{n}_proj.weight": [128, 64] for n in ("gate", "up")},
        "model.layers.{2}.mlp.down_proj.weight": [64, 128],
        "model.layers.{2}.input_layernorm.weight": [64],
        "model.layers.{2}.post_attention_layernorm.weight": [64],
    }
    spec: dict[str, Any] = {
        "rules": [{"match": "*norm.weight", "init": "ones"}],
        "tensors": {
            "model.embed_tokens.weight": [256, 64],
            **block,
            "model.norm.weight": [64],
            "lm_head.weight": [256, 64],
        },
    }
    for name, head, parameters, size in (
        ("untied", [256, 64], 106_816, 427_264),
        ("tied", {"tied": "model.embed_tokens.weight"}, 90_432, 361_728),
    ):
        spec["tensors"]["lm_head.weight"] = head
        xavinit.generate(spec, tmp_path / name, max_shard_size="100kB")
        index = json.loads((tmp_path / name / INDEX).read_text())
        assert index["metadata"] == {"total_parameters": parameters, "total_size": size}
        assert "lm_head.weight" in index["weight_map"]


def test_another_streams_numbers_are_parameters_of_their_own(tmp_path: Path) -> None:
    spec = {"tensors": {"a": [4, 4], "b": {"shape": [4, 4], "stream": "a"}}}
    xavinit.generate(spec, tmp_path / "w", max_shard_size=64)
    index = json.loads((tmp_path / "w" / INDEX).read_text())
    assert index["metadata"] == {"total_parameters": 32, "total_size": 128}


@pytest.mark.parametrize("name", ["model.fp16", "diffusion_pytorch_model", "a-b_c.non_ema"])
def test_a_stem_and_a_variant(tmp_path: Path, name: str) -> None:
    """Named as transformers and diffusers name them: `_add_variant`, and the hub's pattern."""
    stem, _, variant = name.partition(".")
    folder = tmp_path / "m"
    xavinit.generate(SPEC, folder, max_shard_size="2kB", shard_name=name)
    index = (
        f"{stem}.safetensors.index.{variant}.json" if variant else f"{stem}.safetensors.index.json"
    )
    assert names(folder) == sorted(
        [index, *(f"{name}-{n:05d}-of-00004.safetensors" for n in range(1, 5))]
    )
    assert xavinit.digest(folder) == xavinit.digest(xavinit.draw(SPEC))
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            told = json.loads(file.metadata()["xavinit"])
        assert list(told) == sorted(told)
        assert (told["shard_name"], told["max_shard_size"]) == (name, 2000)
    xavinit.generate(SPEC, folder, max_shard_size="5GB", shard_name=name, force=True)
    assert names(folder) == [f"{name}.safetensors"]


def test_sets_of_several_names_stand_beside_each_other(tmp_path: Path) -> None:
    for name in ("model", "model.fp16", "other"):
        xavinit.generate(SPEC, tmp_path, max_shard_size="2kB", shard_name=name)
    assert len(names(tmp_path)) == 15
    assert xavinit.digest(tmp_path) == xavinit.digest(xavinit.draw(SPEC))  # of `model`
    for path in tmp_path.glob("model[-.]0*"):
        path.unlink()
    (tmp_path / INDEX).unlink()
    with pytest.raises(InputError, match="holds several sharded sets"):
        xavinit.digest(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["", ".", "a.", ".a", "a.b.c", "a/b", "../a", "a b", "m-00001-of-00002", "ä", "x" * 101, 5],
)
def test_what_is_no_name_of_shards(tmp_path: Path, name: Any) -> None:
    with pytest.raises(UsageError, match="the name of shards must be a stem of letters"):
        xavinit.generate(SPEC, tmp_path / "m", max_shard_size="2kB", shard_name=name)
    with pytest.raises(UsageError, match="needs the size of a shard"):
        xavinit.generate(SPEC, tmp_path / "w.safetensors", shard_name="model")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["model", "model.fp16"])
def test_a_single_file_does_not_join_a_sharded_set(tmp_path: Path, name: str, force: bool) -> None:
    """Loaders look for one or the other first: there would be two checkpoints."""
    xavinit.generate(SPEC, tmp_path / "m", max_shard_size="2kB", shard_name=name)
    before = names(tmp_path / "m")
    (tmp_path / "link.safetensors").symlink_to(f"m/{name}.safetensors")
    for path in (tmp_path / "m" / f"{name}.safetensors", tmp_path / "link.safetensors"):
        for dry_run in (True, False):
            with pytest.raises(RefusedError, match=r"two checkpoints in one folder\n  hint: "):
                xavinit.generate(SPEC, path, force=force, dry_run=dry_run)
    for index in (tmp_path / "m").glob("*.json"):
        index.unlink()  # shards alone, as a killed run leaves them
    with pytest.raises(RefusedError, match=r"beside .*-00001-of-00004\.safetensors, of a sharded"):
        xavinit.generate(SPEC, tmp_path / "m" / f"{name}.safetensors", force=force)
    xavinit.generate(SPEC, tmp_path / "m" / "lora.safetensors", force=force)
    assert len(names(tmp_path / "m")) == len(before)


def test_many_runs_at_once_leave_one_whole_set(tmp_path: Path) -> None:
    """With --force, and with names that collide: the last one stands, not a mix of two."""
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    failures: list[BaseException] = []

    def run(seed: int) -> None:
        try:
            for _ in range(5):
                xavinit.generate(
                    SPEC, tmp_path, max_shard_size="2kB", force=True, seed=seed, jobs=1
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    whole = {xavinit.digest(xavinit.draw(SPEC, seed=seed)) for seed in range(4)}
    assert xavinit.digest(tmp_path) in whole
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_race_without_force_has_one_winner(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def run(seed: int) -> None:
        # sets of different numbers of shards, so that no name but the index's collides
        size = ("2kB", "3kB", "1GB")[seed % 3]
        try:
            xavinit.generate(SPEC, tmp_path, max_shard_size=size, seed=seed, jobs=1)
            outcomes.append("written")
        except RefusedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["written"]
    assert len(xavinit.digest(tmp_path)) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a sound index"),
        ("[]", "is not a sound index"),
        ('{"weight_map": {"a": "../w.safetensors"}}', "a shard must be a file beside it; got"),
        ('{"weight_map": {"a": 5}}', "is not a sound index"),
        ('{"weight_map": {"x": "model-00001-of-00004.safetensors"}}', "disagree about tensor"),
        ('{"weight_map": {"x": "model-00009-of-00009.safetensors"}}', "No such file"),
    ],
)
def test_a_strange_index_is_told(tmp_path: Path, content: str, message: str) -> None:
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(InputError, match=message):
        xavinit.digest(tmp_path)


def test_an_index_that_disagrees_names_the_first_tensor_by_name(tmp_path: Path) -> None:
    xavinit.generate(SPEC, tmp_path, max_shard_size="2kB")
    places = json.loads((tmp_path / INDEX).read_text())["weight_map"]
    shard = min(places.values())
    strange = {f"{number:03}": shard for number in range(100)}
    for wrong in (strange, places | strange):
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": wrong}))
        with pytest.raises(InputError, match=r'disagree about tensor "000"$'):
            xavinit.digest(tmp_path)
    left = {name: place for name, place in places.items() if name != max(places)}
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": left}))
    with pytest.raises(InputError, match=f'disagree about tensor "{max(places)}"$'):
        xavinit.digest(tmp_path)


def test_a_folder_that_cannot_be_read_gives_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> list[str]:
        raise PermissionError(errno.EACCES, "x")

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(OutputError, match=r"^cannot write .*: Permission denied$"):
        xavinit.generate(SPEC, tmp_path, max_shard_size="2kB", force=True)


def test_an_empty_spec(tmp_path: Path) -> None:
    xavinit.generate({"tensors": {}}, tmp_path / "m", max_shard_size="5GB")
    assert names(tmp_path / "m") == ["model.safetensors"]
    assert load_file(tmp_path / "m" / "model.safetensors") == {}


def test_a_bad_spec_is_told_before_the_folder_is_touched(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        xavinit.generate({"tensors": {"w": [3]}}, tmp_path / "m", max_shard_size="5GB")
    assert os.listdir(tmp_path) == []


def test_a_set_is_made_again_from_the_metadata_of_any_of_its_files(tmp_path: Path) -> None:
    """Shards are cut in the spec's order, which is not that of the names."""
    spec = {"seed": 3, "tensors": {"z.{2}": [100, 100], "a": [100, 100], "m": [50, 100]}}
    first = tmp_path / "first"
    xavinit.generate(spec, first, max_shard_size="80kB", seed=5)
    files = {file.name: file.read_bytes() for file in first.iterdir()}
    shards = [name for name in files if name.endswith(".safetensors")]
    assert len(shards) == 2
    for name in shards:
        with safe_open(first / name, "numpy") as file:
            told = json.loads(file.metadata()["xavinit"])
        assert list(told) == sorted(told)
        assert (told["seed"], told["max_shard_size"]) == (5, 80_000)
        assert list(told["spec"]["tensors"]) == ["z.{2}", "a", "m"]
        again = tmp_path / f"again from {name.partition('.')[0]}"
        xavinit.generate(told["spec"], again, max_shard_size=told["max_shard_size"])
        assert {file.name: file.read_bytes() for file in again.iterdir()} == files


def test_one_file_knows_neither_order_nor_a_limit(tmp_path: Path) -> None:
    names = ["z", "a"]
    for order in (names, names[::-1]):
        xavinit.generate(
            {"tensors": {n: [2, 2] for n in order}}, tmp_path / f"{order[0]}.safetensors"
        )
    assert (tmp_path / "z.safetensors").read_bytes() == (tmp_path / "a.safetensors").read_bytes()


# --- Real checkpoints -------------------------------------------------------------------------


def make_decoder(d: int, ff: int, heads: int, kv: int, *, bias: bool = False) -> dict[str, Any]:
    """The tensors of a decoder's blocks, in the order in which the models register them.

    `heads` and `kv` are the widths of all heads together.
    """
    shapes = {
        "self_attn.q_proj": [heads, d],
        "self_attn.k_proj": [kv, d],
        "self_attn.v_proj": [kv, d],
        "self_attn.o_proj": [d, heads],
        "mlp.gate_proj": [ff, d],
        "mlp.up_proj": [ff, d],
        "mlp.down_proj": [d, ff],
    }
    made: dict[str, Any] = {}
    for name, shape in shapes.items():
        made[f"model.layers.{{blocks}}.{name}.weight"] = shape
        if bias:
            made[f"model.layers.{{blocks}}.{name}.bias"] = {"shape": shape[:1], "init": "zeros"}
    norms = "model.layers.{blocks}.{input,post_attention}_layernorm.weight"
    return made | {norms: {"shape": [d], "init": "ones"}}


# Of public checkpoints: the sizes, how many tensors each shard has, and the first of each shard
# but the first, as their index files have them.
REAL: dict[str, tuple[dict[str, Any], int, str, list[int], list[str]]] = {
    "Gemma 2B": (
        make_decoder(2048, 16384, 2048, 256),
        18,
        "5GB",
        [160, 4],
        ["layers.17.mlp.down_proj.weight"],
    ),
    "Granite 3B code, with biases": (
        make_decoder(2560, 10240, 2560, 2560, bias=True),
        32,
        "5GB",
        [363, 151],
        ["layers.22.mlp.up_proj.weight"],
    ),
    "Mistral Small 24B": (
        make_decoder(5120, 32768, 4096, 1024),
        40,
        "5GB",
        [32, 37, 37, 43, 37, 37, 43, 37, 37, 23],
        [
            "layers.3.mlp.gate_proj.weight",
            "layers.7.mlp.up_proj.weight",
            "layers.11.mlp.down_proj.weight",
            "layers.16.mlp.gate_proj.weight",
            "layers.20.mlp.up_proj.weight",
            "layers.24.mlp.down_proj.weight",
            "layers.29.mlp.gate_proj.weight",
            "layers.33.mlp.up_proj.weight",
            "layers.37.mlp.down_proj.weight",
        ],
    ),
}
VOCABULARY = {"Gemma 2B": (256_000, 2048), "Granite 3B code, with biases": (49_152, 2560)}


@pytest.mark.parametrize("model", REAL)
def test_blocks_keep_together_as_in_real_checkpoints(model: str) -> None:
    tensors, blocks, limit, counts, firsts = REAL[model]
    vocabulary, d = VOCABULARY.get(model, (131_074, 5120))
    spec: dict[str, Any] = {
        "dims": {"blocks": blocks},
        "defaults": {"dtype": "bfloat16"},
        "tensors": {
            "model.embed_tokens.weight": [vocabulary, d],
            **tensors,
            "model.norm.weight": {"shape": [d], "init": "ones"},
        },
    }
    if model == "Mistral Small 24B":  # the others tie it
        spec["tensors"]["lm_head.weight"] = [vocabulary, d]
    plan = xavinit.make_plan(spec)
    shards = list(name_shards(plan.tensors, parse_size(limit)).values())
    assert [len(shard) for shard in shards] == counts
    assert [shard[0].name.removeprefix("model.") for shard in shards[1:]] == firsts
