"""`generate --with`: weights and copies of files in one folder, which appear together."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import xavinit
from xavinit.cli import cli
from xavinit.errors import InputError, OutputError, RefusedError, UsageError
from xavinit.output import disk
from xavinit.verbs import copies

SPEC = {"tensors": {"a.{3}": [20, 30], "b": [40, 50]}}
OTHER = {"tensors": {"a.{2}": [30, 20]}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "from").mkdir()
    path = tmp_path / "from" / "config.json"
    path.write_text('{"new": 1}')
    return path


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_with_the_weights_and_the_copy(tmp_path: Path, config: Path) -> None:
    tokenizer = config.with_name("tokenizer.json")
    tokenizer.write_text("{}")
    xavinit.generate(SPEC, tmp_path / "out", with_files=[config, tokenizer])
    xavinit.generate(SPEC, tmp_path / "alone.safetensors")
    assert read_all(tmp_path / "out") == {
        "model.safetensors": (tmp_path / "alone.safetensors").read_bytes(),
        "config.json": b'{"new": 1}',
        "tokenizer.json": b"{}",
    }
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_shards_their_index_and_the_copy(tmp_path: Path, config: Path) -> None:
    report = xavinit.generate(SPEC, tmp_path / "out", with_files=[config], max_shard_size="5kB")
    xavinit.generate(SPEC, tmp_path / "alone", max_shard_size="5kB")
    shards = read_all(tmp_path / "alone")
    assert report.shards == len(shards) - 1 == 3
    assert read_all(tmp_path / "out") == {**shards, "config.json": b'{"new": 1}'}


def test_what_may_stand_there(tmp_path: Path, config: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text('{"old": 1}')
    (out / "notes.txt").write_text("mine")
    with pytest.raises(RefusedError) as caught:
        xavinit.generate(SPEC, out, with_files=[config])
    assert str(caught.value) == f"{out}/config.json is another file; use --force to replace it"
    assert sorted(os.listdir(out)) == ["config.json", "notes.txt"]
    (out / "config.json").write_bytes(config.read_bytes())
    xavinit.generate(SPEC, out, with_files=[config])  # the same: nothing is lost
    assert sorted(os.listdir(out)) == ["config.json", "model.safetensors", "notes.txt"]
    (out / "config.json").write_text('{"old": 1}')
    xavinit.generate(SPEC, out, with_files=[config], force=True)
    assert (out / "config.json").read_text() == '{"new": 1}'
    assert (out / "notes.txt").read_text() == "mine"


def test_the_folder_s_own_config_is_copied_onto_itself(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("{}")
    xavinit.generate(SPEC, out, with_files=[out / "config.json"])
    assert (out / "config.json").read_text() == "{}"


def test_a_copy_s_mode_stays(tmp_path: Path, config: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("old")
    (out / "config.json").chmod(0o600)
    xavinit.generate(SPEC, out, with_files=[config], force=True)
    assert (out / "config.json").stat().st_mode & 0o777 == 0o600
    assert (out / "model.safetensors").stat().st_mode & 0o777 != 0o600


@pytest.mark.parametrize("does_happen", [False, True])
def test_a_rename_that_fails_leaves_all_old_or_all_new(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, does_happen: bool
) -> None:
    """At each rename in turn, done or not: never the weights of one and the config of another."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text('{"old": 1}')
    xavinit.generate(OTHER, out, max_shard_size="3kB")
    old = read_all(out)
    xavinit.generate(SPEC, tmp_path / "new", with_files=[config], max_shard_size="5kB")
    new = read_all(tmp_path / "new")
    real = disk.rename
    for turn in itertools.count(1):
        calls = itertools.count(1)

        def rename(source: str, target: str, turn: int = turn, calls: Any = calls) -> None:
            if next(calls) == turn:
                if does_happen:
                    real(source, target)
                raise OSError(5, "Input/output error")
            real(source, target)

        monkeypatch.setattr(disk, "rename", rename)
        try:
            xavinit.generate(SPEC, out, with_files=[config], max_shard_size="5kB", force=True)
        except OutputError:
            assert read_all(out) in (old, new)
        else:
            break
    assert turn > 5
    assert read_all(out) == new


def test_verify_compares_the_copy_too(tmp_path: Path, config: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text("tensors: {a: [20, 30]}")
    out = tmp_path / "out"
    arguments = ["generate", str(spec), "--with", str(config), "-o", str(out)]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert CliRunner().invoke(cli, [*arguments, "--verify"]).exit_code == 0
    (out / "config.json").write_text('{"new": 2}')
    result = CliRunner().invoke(cli, [*arguments, "--verify"])
    assert result.exit_code == 5
    line = f"{out}/config.json: the bytes differ at 8: expected 0x31, got 0x32\n"
    assert result.stdout == line
    (out / "config.json").unlink()
    result = CliRunner().invoke(cli, [*arguments, "--verify"])
    assert (result.exit_code, result.stdout) == (5, f"{out}/config.json is missing\n")


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        (
            "w.safetensors",
            {},
            "copies of files need the name of a folder, without a suffix; got w.safetensors",
        ),
        ("out", {"format": "npy"}, "only safetensors has copies of files; got the format npy"),
        (
            "out",
            {"max_shard_size": "5kB", "part": "1/2"},
            "copies of files go with a whole set: a part takes none",
        ),
        ("out", {"with_files": "a.json"}, 'with_files must be a list of paths; got "a.json"'),
        ("out", {"with_files": [3]}, "with_files must be paths; got 3"),
        (
            "out",
            {"with_files": ["a/x.json", "b/X.json"]},
            "a/x.json and b/X.json would both be copied to X.json",
        ),
        (
            "out",
            {"with_files": ["a/model.safetensors"]},
            "a/model.safetensors would be copied to a name of the weights, model.safetensors",
        ),
        ("out", {"with_files": ["x"] * 101}, "there must be at most 100 copies; got 101"),
    ],
)
def test_what_makes_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, options: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "x.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        xavinit.generate(SPEC, path, **{"with_files": ["a/x.json"], **options})
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


def test_a_pipe_takes_no_copies(config: Path) -> None:
    result = CliRunner().invoke(cli, ["generate", "-", "--with", str(config)], input="tensors: {}")
    assert str(result.exception) == (
        "copies of files cannot be written to a pipe or device: name a folder"
    )


def test_what_cannot_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST_BYTES", 1000)
    large = tmp_path / "large.json"
    large.write_bytes(bytes(1001))
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    for path, reason in (
        (large, f"cannot copy {large}: copies must be at most 1 kB in total"),
        (fifo, f"cannot read {fifo}: it is not a regular file"),
        (tmp_path / "no.json", f"cannot read {tmp_path}/no.json: No such file or directory"),
    ):
        with pytest.raises(InputError) as caught:
            xavinit.generate(SPEC, tmp_path / "out", with_files=[path])
        assert str(caught.value) == reason
