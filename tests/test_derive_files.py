"""`xavinit derive` on files: headers alone are read, and what comes out makes them again."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from checkpoints import load
from click.testing import CliRunner, Result

import xavinit
from xavinit.cli import cli
from xavinit.errors import InputError, RefusedError, UsageError

SAMPLES = sorted((Path(__file__).parent.parent / "sample_specs").glob("*.yaml"))
SMALL = {"gpt2": {"d": 12, "vocab": 7, "ctx": 5, "blocks": 2}, "llama_tiny": {}, "lenet5": {}}


def make_runner() -> CliRunner:
    """One that keeps standard error apart, as all do from click 8.2 on."""
    try:
        return CliRunner(mix_stderr=False)
    except TypeError:
        return CliRunner()


def run(*arguments: str, code: int = 0) -> Result:
    result = make_runner().invoke(cli, ["derive", *arguments], catch_exceptions=code != 0)
    assert result.exit_code == code, result.output
    return result


def find_entries(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    return {t.name: (t.shape, t.dtype) for t in xavinit.inspect(path).tensors}


def write_header(
    path: Path, entries: dict[str, tuple[str, list[int]]], sizes: dict[str, int]
) -> None:
    """A safetensors file whose data is a hole: as long as it should be, and nothing in it."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "secret": "not to be copied"}}
    offset = 0
    for name, (dtype, shape) in entries.items():
        end = offset + int(np.prod(shape, dtype=np.int64)) * sizes[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)


CODES = {"float32": "F32", "bfloat16": "BF16", "int64": "I64"}
SIZES = {"F32": 4, "BF16": 2, "I64": 8}


@pytest.mark.parametrize("name", ["gpt2", "llama3_8b", "resnet50"])
def test_a_file_of_full_size_whose_data_is_not_read(name: str, tmp_path: Path) -> None:
    """Up to 16 GB, of which nothing but the header lies on the disk."""
    tensors = [t for t in load(name) if not t.tied]
    entries = {t.name: (CODES[t.dtype], list(t.shape)) for t in tensors}
    write_header(tmp_path / "model.safetensors", entries, SIZES)
    derived = xavinit.derive(tmp_path / "model.safetensors")
    assert derived.text.startswith("# Derived from model.safetensors: ")
    assert "secret" not in derived.text
    plan = xavinit.make_plan(derived.spec, strict=True)
    assert {t.name: (t.shape, t.dtype.name) for t in plan.tensors} == {
        t.name: (t.shape, t.dtype) for t in tensors
    }


def test_the_order_of_the_library_s_files(tmp_path: Path) -> None:
    """The library sorts names, so that block 10 stands before block 2."""
    arrays = {
        f"h.{n}.{name}": np.zeros(shape, "f4")
        for n in range(12)
        for name, shape in (("fc.weight", (6, 4)), ("fc.bias", (6,)), ("ln.weight", (4,)))
    }
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    spec = xavinit.derive(tmp_path / "w.safetensors").spec
    assert list(spec["tensors"]) == [
        "h.{blocks}.fc.bias",
        "h.{blocks}.fc.weight",
        "h.{blocks}.ln.weight",
    ]
    xavinit.generate(spec, tmp_path / "again.safetensors")
    assert find_entries(tmp_path / "again.safetensors") == find_entries(tmp_path / "w.safetensors")


def test_files_of_other_formats(tmp_path: Path) -> None:
    arrays = {f"layers.{n}.w": np.ones((3, 4), "f8") for n in range(3)}
    arrays["half"] = np.ones((2, 2), ml_dtypes.bfloat16)
    plain = {name: array for name, array in arrays.items() if name != "half"}
    np.savez(tmp_path / "w.npz", **plain)
    np.save(tmp_path / "one.npy", plain["layers.0.w"])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name, array in plain.items():
            file[name.replace(".", "/")] = array
    assert xavinit.derive(tmp_path / "w.npz").spec["tensors"] == {"layers.{blocks}.w": [3, 4]}
    assert xavinit.derive(tmp_path / "one.npy").spec["tensors"] == {"one": [3, 4]}
    data = xavinit.derive(tmp_path / "w.h5").spec
    assert data["tensors"] == {"layers/{blocks}/w": [3, 4]}
    assert data["defaults"] == {"init": "glorot_uniform", "dtype": "float64"}


def test_a_file_of_keras_has_its_axis_order(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file.attrs["x"] = 1
        file["layers/dense/vars/0"] = np.zeros((4, 8), "f4")
        file["layers/dense/vars/1"] = np.zeros((8,), "f4")
        file["layers/batch_normalization/vars/0"] = np.zeros((8,), "f4")
    derived = xavinit.derive(tmp_path / "m.weights.h5")
    plan = xavinit.make_plan(derived.spec)
    assert plan["layers/dense/vars/0"].fans == (4, 8)
    weights = xavinit.draw(derived.spec)
    assert not weights["layers/dense/vars/1"].any()
    assert (weights["layers/batch_normalization/vars/0"] == 1).all()


@pytest.mark.parametrize("name", SMALL)
def test_a_file_of_ours_gives_its_spec_and_the_same_bytes(name: str, tmp_path: Path) -> None:
    (sample,) = [path for path in SAMPLES if path.stem == name]
    first, again = tmp_path / "w.safetensors", tmp_path / "again.safetensors"
    xavinit.generate(sample, first, seed=2**63 + 5, dims=SMALL[name])
    text = xavinit.derive(first).text
    assert text.startswith("# The spec that w.safetensors carries.\n")
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    xavinit.generate(tmp_path / "s.yaml", again)
    assert again.read_bytes() == first.read_bytes()


def test_shards_of_ours_give_their_spec_and_limit(tmp_path: Path) -> None:
    sample = Path(__file__).parent.parent / "sample_specs" / "llama_tiny.yaml"
    xavinit.generate(sample, tmp_path / "set", max_shard_size=200_000)
    derived = xavinit.derive(tmp_path / "set")
    assert "# The shards are those of --max-shard-size 200000.\n" in derived.text
    xavinit.generate(derived.spec, tmp_path / "again", max_shard_size=200_000)
    for file in (tmp_path / "set").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_a_foreign_set_by_its_index(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a.weight": np.zeros((2, 3), "f4")}, tmp_path / "x-1.safetensors")
    safetensors.numpy.save_file({"b.weight": np.zeros((2, 3), "f4")}, tmp_path / "x-2.safetensors")
    index = {"weight_map": {"a.weight": "x-1.safetensors", "b.weight": "x-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    spec = xavinit.derive(tmp_path / "model.safetensors.index.json").spec
    assert set(spec["tensors"]) == {"{a,b}.weight"} or set(spec["tensors"]) == {
        "a.weight",
        "b.weight",
    }


# --- The command -------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    arrays = {"fc.weight": np.zeros((4, 3), "f4"), "fc.bias": np.zeros(4, "f4")}
    safetensors.numpy.save_file(arrays, "w.safetensors")
    return Path("w.safetensors")


TEXT = """\
# Derived from w.safetensors: 2 tensors, 16 parameters.
# Names, shapes and dtypes are the source's, the numbers are new. A comment with a question
# mark is a guess.
seed: 0
dims:
  classes: 4
defaults: {init: glorot_uniform, dtype: float32}
rules:
  - {match: "*.bias", init: zeros}
tensors:
  fc.bias: [classes]
  fc.weight: [classes, 3]
"""


def test_the_spec_goes_to_standard_output(weights: Path) -> None:
    result = run(str(weights))
    assert result.stdout == TEXT
    assert result.stderr == ""


def test_or_to_a_file_that_is_not_replaced(weights: Path) -> None:
    result = run(str(weights), "-o", "s.yaml")
    assert (result.stdout, result.stderr) == ("", "wrote s.yaml\n")
    assert Path("s.yaml").read_text() == run(str(weights)).stdout
    Path("s.yaml").write_text("mine")
    refused = run(str(weights), "-o", "s.yaml", code=1).exception
    assert isinstance(refused, RefusedError)
    assert Path("s.yaml").read_text() == "mine"
    assert run(str(weights), "-o", "s.yaml", "--force", "-q").stderr == ""
    assert Path("s.yaml").read_text() == run(str(weights)).stdout


def test_the_source_is_not_replaced(weights: Path) -> None:
    before = weights.read_bytes()
    error = run(str(weights), "-o", str(weights), "--force", code=1).exception
    assert isinstance(error, UsageError | RefusedError)
    assert weights.read_bytes() == before


def test_dtypes_that_cannot_be_drawn(weights: Path) -> None:
    arrays = {"w": np.zeros((4, 3), "f4"), "q": np.zeros((4, 3), "i1")}
    safetensors.numpy.save_file(arrays, weights)
    error = run(str(weights), code=1).exception
    assert isinstance(error, InputError)
    assert str(error) == (
        'w.safetensors: 1 tensor of dtypes that cannot be drawn: "q" (int8)\n'
        "  hint: --skip-unknown (in Python skip_unknown=True) leaves them out"
    )
    shown = run(str(weights), "--skip-unknown").stdout
    assert '# Left out, since their dtypes cannot be drawn: "q" (int8).\n' in shown
    assert "  w: [4, 3]\n" in shown


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text("tensors: {w: [3]}")
    for name in ("s.yaml", "none.safetensors", os.curdir):
        assert isinstance(run(name, code=1).exception, InputError)
