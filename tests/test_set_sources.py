"""A sharded set of any name stands for the spec that it carries, by its folder or its index."""

from __future__ import annotations

from pathlib import Path

import pytest

import xavinit
from xavinit.errors import InputError

SPEC = {"seed": 3, "tensors": {"z": [3, 4], "b": [4, 4]}}
OTHER = {"tensors": {"other": [2, 2]}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def list_names(source: str) -> list[str]:
    return [tensor.name for tensor in xavinit.make_plan(source).tensors]


@pytest.mark.parametrize("source", ["set", "set/unet.safetensors.index.fp16.json"])
def test_a_set_with_a_variant(source: str) -> None:
    xavinit.generate(SPEC, "set", max_shard_size=64, shard_name="unet.fp16")
    assert sorted(list_names(source)) == ["b", "z"]
    assert xavinit.digest("set") == xavinit.digest(xavinit.draw(SPEC))


def test_a_set_of_one_file_with_a_name() -> None:
    xavinit.generate(SPEC, "set", max_shard_size=10**6, shard_name="unet.fp16")
    assert sorted(list_names("set")) == ["b", "z"]
    assert xavinit.digest("set") == xavinit.digest(xavinit.draw(SPEC))


def test_an_index_stands_for_its_own_set() -> None:
    xavinit.generate(OTHER, "set", max_shard_size=10**6)
    xavinit.generate(SPEC, "set", max_shard_size=64, shard_name="unet")
    assert sorted(list_names("set/unet.safetensors.index.json")) == ["b", "z"]
    assert list_names("set") == ["other"]
    digest = xavinit.digest("set/unet.safetensors.index.json")  # as the hint of a spec says
    assert digest == xavinit.digest(xavinit.draw(SPEC)) != xavinit.digest("set")


def test_a_missing_shard_is_an_error_of_reading() -> None:
    xavinit.generate(SPEC, "set", max_shard_size=64)
    Path("set/model-00002-of-00002.safetensors").unlink()
    for source in ("set", "set/model.safetensors.index.json"):
        with pytest.raises(InputError, match=r"cannot read set/model-00002-of-00002\.saf"):
            xavinit.make_plan(source)
        assert isinstance(xavinit.check(source).error, InputError)


def test_a_folder_of_several_sets_is_refused() -> None:
    xavinit.generate(SPEC, "set", max_shard_size=64, shard_name="a")
    xavinit.generate(SPEC, "set", max_shard_size=64, shard_name="b")
    with pytest.raises(InputError, match="holds several sharded sets"):
        xavinit.make_plan("set")
