"""A weights file of ours stands for the spec that it carries; another's is named as what it is."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError, RefusedError, SpecError, UsageError

SPEC = "framework: flax\ndims: {d: 4}\nseed: 3\ntensors:\n  z: [3, d]\n  b: [d, d]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.hdf5", "folder", "odd.bin"])
def test_weights_stand_for_their_spec(name: str) -> None:
    fmt = {"folder": "npy", "odd.bin": "safetensors"}.get(name)
    if name == "odd.bin":
        xavinit.generate("s.yaml", "w.safetensors", seed=8)
        Path("w.safetensors").rename(name)  # known by what is in it
    else:
        xavinit.generate("s.yaml", name, format=fmt, seed=8)
    plan = xavinit.make_plan(name)
    assert (plan.seed, plan.framework) == (8, "flax")
    assert {t.name: t.shape for t in plan.tensors} == {"b": (4, 4), "z": (3, 4)}
    assert xavinit.make_plan(name, seed=1, dims={"d": 5}).tensors[0].shape == (5, 5)
    assert xavinit.digest(name) == xavinit.digest(xavinit.draw(name))


def test_a_manifest_stands_for_its_folder() -> None:
    xavinit.generate("s.yaml", "w", format="npy")
    assert xavinit.make_plan("w/manifest.json").tensors == xavinit.make_plan("w").tensors
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate("w/manifest.json", "w", format="npy", force=True)


def test_a_keras_file_stands_for_its_layers() -> None:
    spec = {"framework": "keras", "layers": [{"name": "a", "type": "dense", "in": 2, "out": 3}]}
    xavinit.generate(spec, "k.weights.h5", seed=5)
    assert xavinit.make_plan("k.weights.h5") == xavinit.make_plan(spec, seed=5)


@pytest.mark.parametrize(
    "source", ["set", "set/model.safetensors.index.json", "set/model-00002-of-00002.safetensors"]
)
def test_a_set_is_made_again_with_its_limit(source: str) -> None:
    xavinit.generate("s.yaml", "set", max_shard_size=64)
    assert xavinit.generate(source, "again").shards == 2
    compared = filecmp.dircmp("set", "again")
    assert compared.left_list == compared.right_list
    assert not filecmp.cmpfiles("set", "again", compared.left_list, shallow=False)[1]
    assert xavinit.generate(source, "one.safetensors").shards is None
    assert xavinit.generate(source, "other", max_shard_size=10**6).shards == 1
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate(source, "set", force=True)


def test_the_source_is_not_replaced() -> None:
    xavinit.generate("s.yaml", "w.safetensors")
    with pytest.raises(RefusedError, match=r"w\.safetensors is the spec itself"):
        xavinit.generate("w.safetensors", "w.safetensors", force=True)


def test_weights_of_others_are_named() -> None:
    np.save("w.npy", np.zeros(3))
    np.savez("w.npz", a=np.zeros(3))
    with pytest.raises(SpecError, match=r"w.npy is a NumPy file that carries no spec") as caught:
        xavinit.make_plan("w.npy")
    assert caught.value.hint == "xavinit.digest (in Python) takes any weights file"
    with pytest.raises(SpecError, match="this is a zip archive"):
        xavinit.make_plan("w.npz")


def test_weights_of_another_stream_are_refused() -> None:
    xavinit.generate("s.yaml", "w.safetensors")
    content = Path("w.safetensors").read_bytes()
    Path("w.safetensors").write_bytes(content.replace(b"xavinit-1", b"xavinit-9"))
    with pytest.raises(InputError, match="was drawn from another stream, xavinit-9"):
        xavinit.make_plan("w.safetensors")


def test_a_manifest_of_something_else_is_a_spec() -> None:
    Path("manifest.json").write_text('{"tensors": {"w": [2, 2]}}')
    assert len(xavinit.make_plan("manifest.json").tensors) == 1


def test_a_spec_has_no_digest() -> None:
    with pytest.raises(InputError, match=r"s.yaml is a text, not a weights file\n  hint: generate"):
        xavinit.digest("s.yaml")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x.pt", "PyTorch loads safetensors: safetensors.torch.load_file"),
        ("x.npz", "npy writes a folder, one .npy file for each tensor"),
        ("x.safetensor", 'did you mean "safetensors"?'),
        ("x.onnx", None),
        ("x", None),
    ],
)
def test_an_output_of_no_format(name: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match="cannot tell the format from the suffix of") as caught:
        xavinit.generate("s.yaml", name)
    assert caught.value.hint == hint
