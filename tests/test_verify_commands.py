"""`xavinit verify` and `generate --verify` on the command line, of files and of sets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import xavinit

SPEC = "seed: 5\ntensors:\n  a: [4, 6]\n  b: {shape: [3], init: ones}\n  c: [8, 2]\n"
CANONICAL = '{"seed":5,"tensors":{"a":[4,6],"b":{"init":"ones","shape":[3]},"c":[8,2]}}'
DIGEST = f"spec {hashlib.sha256(CANONICAL.encode()).hexdigest()[:12]}"


class Done(NamedTuple):
    """What a command did."""

    code: int
    lines: list[str]
    messages: list[str]


def run(*arguments: str, cwd: Path, text: str = "") -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", *arguments],
        cwd=cwd,
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    return Done(
        done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(SPEC)
    xavinit.generate(tmp_path / "s.yaml", tmp_path / "s.safetensors")
    xavinit.generate(tmp_path / "s.yaml", tmp_path / "set", max_shard_size=100)
    return tmp_path


def change_value(path: Path, value: float, offset: int = -4) -> None:
    """Write a float32 value into a file, counted from its end."""
    content = bytearray(path.read_bytes())
    content[len(content) + offset : len(content) + offset + 4] = np.float32(value).tobytes()
    path.write_bytes(content)


# --- verify ---------------------------------------------------------------------------------------


def test_a_file_that_is_right_is_one_line(folder: Path) -> None:
    done = run("verify", "s.safetensors", "--spec", "s.yaml", cwd=folder)
    counts = "3 tensors, 43 parameters, every byte"
    assert done == (0, [f"s.safetensors: verified: {counts}, seed 5, {DIGEST}"], [])
    own = run("verify", "s.safetensors", cwd=folder)
    source = f"it is what it says: seed 5, {DIGEST} (--spec compares it with yours)"
    assert own == (0, [f"s.safetensors: verified: {counts}; {source}"], [])
    assert run("verify", "-q", "s.safetensors", "set", cwd=folder) == (0, [], [])


def test_several_files_are_told_apart(folder: Path) -> None:
    xavinit.generate(folder / "s.yaml", folder / "bad.safetensors")
    change_value(folder / "bad.safetensors", 2)
    drawn = str(xavinit.draw(folder / "s.yaml")["c"][7, 1])
    files = ["none.h5", "bad.safetensors", "s.safetensors"]
    done = run("verify", "-q", *files, "--spec", "s.yaml", cwd=folder)
    assert done == (
        5,
        [f"bad.safetensors: c[7, 1]: expected {drawn}, got 2.0"],
        ["xavinit: cannot read none.h5: No such file or directory"],
    )
    assert run("verify", "-q", "none.h5", "s.safetensors", cwd=folder).code == 4


def test_a_spec_from_standard_input_and_options(folder: Path) -> None:
    done = run("verify", "s.safetensors", "--spec", "-", cwd=folder, text=SPEC)
    assert done.code == 0
    done = run("verify", "s.safetensors", "--spec", "-", "--seed", "6", cwd=folder, text=SPEC)
    assert done.code == 5
    assert done.lines[0] == "s.safetensors: metadata xavinit: seed: expected 6, got 5"


def test_the_first_twenty_faults_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text('tensors: {"h.{30}.w": [2, 2]}')
    (tmp_path / "other.yaml").write_text('tensors: {"h.{30}.w": [2, 3]}')
    xavinit.generate(tmp_path / "other.yaml", tmp_path / "w.npz.safetensors")
    done = run("verify", "w.npz.safetensors", "--spec", "s.yaml", cwd=tmp_path)
    assert done.code == 5
    assert len(done.lines) == 21
    assert done.lines[0] == "w.npz.safetensors: h.0.w: expected shape [2, 2], got [2, 3]"
    assert done.lines[-1] == "w.npz.safetensors: and 11 more"


def test_tensors_alone_are_counted_as_such(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text('tensors: {"h.{30}.w": [2, 2]}')
    np.savez(tmp_path / "w.npz", x=np.zeros(2))
    done = run("verify", "w.npz", "--spec", "s.yaml", cwd=tmp_path)
    assert done.lines[-1] == "w.npz: and 11 more tensors"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["x.npy"], 2, "x.npy carries no spec of xavinit"),
        (["s.safetensors", "--spec", "none.yaml"], 4, "cannot read none.yaml: No such file"),
        (["s.safetensors", "--spec", "bad.yaml"], 3, "bad.yaml:1:14: tensors"),
        (
            ["s.safetensors", "set", "--spec", "-"],
            2,
            "a pipe is read once: give --spec - with one FILE",
        ),
        (["-"], 2, "standard input is read once and in order: give the name of a file"),
        (["s.yaml"], 4, "s.yaml is a text, not a weights file"),
        (["empty"], 4, "cannot read empty: it has neither manifest.json nor model.safetensors."),
        (["cut.safetensors"], 4, "cut.safetensors is not a sound safetensors file"),
    ],
)
def test_what_cannot_be_compared(
    folder: Path, arguments: list[str], code: int, message: str
) -> None:
    np.save(folder / "x.npy", np.zeros(3))
    (folder / "bad.yaml").write_text("tensors: {a: -1}")
    (folder / "cut.safetensors").write_bytes((folder / "s.safetensors").read_bytes()[:-1])
    (folder / "empty").mkdir()
    done = run("verify", *arguments, cwd=folder)
    assert done.code == code
    assert message in done.messages[0]


# --- Sets -----------------------------------------------------------------------------------------


def test_a_set_and_each_of_its_files(folder: Path) -> None:
    shards = sorted(path.name for path in (folder / "set").iterdir() if "-of-" in path.name)
    assert len(shards) == 2
    (folder / "set" / "config.json").write_text("{}")  # none of our business
    for path in ("set", "set/model.safetensors.index.json", *(f"set/{name}" for name in shards)):
        assert run("verify", path, "--spec", "s.yaml", cwd=folder).code == 0
    alone = xavinit.verify(folder / "set" / shards[1], folder / "s.yaml")
    assert (alone.tensors, alone.parameters, alone.shards) == (2, 19, None)
    assert xavinit.verify(folder / "set").shards == 2
    renamed = (folder / "set" / shards[0]).rename(folder / "one.safetensors")
    assert xavinit.verify(renamed, folder / "s.yaml").is_same


def test_what_a_set_lacks_and_has_too_much(folder: Path) -> None:
    place = folder / "set"
    (place / "model-00002-of-00002.safetensors").rename(place / "model-00009-of-00009.safetensors")
    done = run("verify", "set", "--spec", "s.yaml", cwd=folder)
    assert done == (
        5,
        [
            "set/model-00002-of-00002.safetensors is missing",
            "set/model-00009-of-00009.safetensors is unexpected",
        ],
        [],
    )


def test_a_set_of_another_size_has_other_files(folder: Path) -> None:
    done = run("verify", "set", "--spec", "s.yaml", "--max-shard-size", "200", cwd=folder)
    assert done.code == 5
    assert "set/model.safetensors is missing" in done.lines


def test_a_foreign_set_needs_the_size_of_its_shards(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    for path in (folder / "set").glob("*-of-*"):
        save_file(load_file(path), path)
    done = run("verify", "set", "--spec", "s.yaml", cwd=folder)
    assert (done.code, done.messages) == (
        2,
        [
            "xavinit: set is a sharded set that does not say the size of its shards",
            "  hint: give it: --max-shard-size",
        ],
    )
    done = run("verify", "set", "--spec", "s.yaml", "--max-shard-size", "100", cwd=folder)
    assert {line.split(": ")[1] for line in done.lines} == {"metadata format", "metadata xavinit"}


def test_a_tensor_in_another_shard_is_told_once(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    one, two = sorted((folder / "set").glob("*-of-*"))
    arrays = load_file(one) | load_file(two)
    save_file({name: arrays[name] for name in ("a", "b")}, one)
    save_file({"c": arrays["c"]}, two)
    faults = xavinit.verify(folder / "set", folder / "s.yaml", max_shard_size=100).faults
    misplaced = [fault for fault in faults if fault.tensor]
    assert [(fault.kind, str(fault)) for fault in misplaced] == [
        ("misplaced_tensor", "b belongs into model-00002-of-00002.safetensors")
    ]


def test_unexpected_files_of_an_npy_folder(folder: Path) -> None:
    xavinit.generate(folder / "s.yaml", folder / "npy", format="npy")
    (folder / "npy" / "more.npy").write_bytes(b"")
    (folder / "npy" / "b.npy").unlink()
    for spec in ([], ["--spec", "s.yaml"]):
        done = run("verify", "npy", *spec, cwd=folder)
        assert done == (5, ["npy/b.npy is missing", "npy/more.npy is unexpected"], [])


# --- generate --verify ----------------------------------------------------------------------------


def test_outputs_are_compared_and_nothing_is_written(folder: Path) -> None:
    forms = [
        ["-o", "w.h5"],
        ["-o", "npy", "-f", "npy"],
        ["-o", "shards", "--max-shard-size", "100"],
        ["-o", "flax/", "--framework", "flax", "--seed", "8"],
        [],
    ]
    (folder / "flax").mkdir()
    for form in forms:
        missing = run("generate", "s.yaml", *form, "--verify", cwd=folder)
        if form:
            assert missing.code == 5
            assert missing.lines[0].endswith(" is missing")
            assert run("generate", "s.yaml", *form, "-q", cwd=folder).code == 0
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        done = run("generate", "s.yaml", *form, "--verify", cwd=folder)
        assert (done.code, done.lines) == (0, [])
        assert done.messages[0].startswith("verified ")
        assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_line_of_an_output_that_is_right(folder: Path) -> None:
    done = run("generate", "s.yaml", "--verify", cwd=folder)
    line = done.messages[0].rpartition(" in ")[0]
    assert line == "verified s.safetensors (safetensors): 3 tensors, 172 B, seed 5"
    assert run("generate", "s.yaml", "--verify", "-q", cwd=folder) == (0, [], [])


def test_several_outputs(folder: Path) -> None:
    (folder / "t.yaml").write_text(SPEC)
    (folder / "u.yaml").write_text(SPEC)
    xavinit.generate(folder / "u.yaml", folder / "u.safetensors")
    change_value(folder / "u.safetensors", 0)
    done = run("generate", "s.yaml", "t.yaml", "u.yaml", "--verify", cwd=folder)
    assert done.code == 5
    assert [line[:31] for line in done.lines] == [
        "t.safetensors is missing",
        "u.safetensors: c[7, 1]: expecte",
    ]
    assert len(done.messages) == 1
    done = run("generate", "s.yaml", "t.yaml", "--verify", "--json", cwd=folder)
    assert [json.loads(line)["same"] for line in done.lines] == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--force"], "--verify writes nothing: it takes no --force"),
        (["--dry-run"], "--verify writes nothing: it takes no --dry-run"),
        (["-o", "-"], "--verify needs a file to compare: give -o its name"),
        (["-o", "/dev/null"], "a pipe or device holds nothing to compare: name a file, or use cmp"),
    ],
)
def test_options_that_exclude_each_other(folder: Path, options: list[str], message: str) -> None:
    done = run("generate", "s.yaml", "--verify", *options, cwd=folder)
    assert done == (2, [], [f"xavinit: {message}"])


def test_a_file_where_a_folder_should_be(folder: Path) -> None:
    done = run("generate", "s.yaml", "-o", "s.safetensors/", "--verify", cwd=folder)
    assert done.code == 5
    done = run("generate", "s.yaml", "-o", "set/x.h5", "--verify", cwd=folder)
    assert (done.code, done.lines) == (5, ["set/x.h5 is missing"])
