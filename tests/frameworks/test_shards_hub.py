"""The split, the names and the index are those of huggingface_hub's own functions; models load."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import xavinit

pytestmark = pytest.mark.frameworks


@pytest.fixture(scope="session")
def hub(environment: None) -> Any:
    import huggingface_hub

    return huggingface_hub


def split(hub: Any, plan: xavinit.Plan, most: int | str) -> Any:
    return hub.split_state_dict_into_shards_factory(
        {tensor.name: tensor for tensor in plan.tensors},
        get_storage_size=lambda tensor: tensor.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=most,
    )


@pytest.mark.parametrize("turn", range(20))
def test_any_sizes(hub: Any, tmp_path: Path, turn: int) -> None:
    chance = random.Random(turn)
    dtypes = ["float32", "bfloat16", "float64", "uint8"]
    tensors = {
        f"layer.{chance.randrange(10**6)}.w": {
            "shape": [chance.choice([0, 1, 7, 300, 1000, chance.randrange(3000)])],
            "dtype": chance.choice(dtypes),
            "init": "zeros",
        }
        for _ in range(chance.randrange(1, 60))
    }
    most = chance.choice([1, 500, 3000, "2KB", "1.5kb", "10KB", "1MB", chance.randrange(1, 9000)])
    plan = xavinit.make_plan({"tensors": tensors})
    expected = split(hub, plan, most)
    xavinit.generate(plan, tmp_path / "m", max_shard_size=most)
    files = {path.name for path in (tmp_path / "m").glob("*.safetensors")}
    assert files == set(expected.filename_to_tensors)
    for name in files:
        with hub_open(tmp_path / "m" / name) as file:
            assert set(file.keys()) == set(expected.filename_to_tensors[name])
    index = tmp_path / "m" / "model.safetensors.index.json"
    assert index.exists() == expected.is_sharded
    if expected.is_sharded:
        metadata = expected.metadata | {"total_parameters": plan.parameters}  # as transformers adds
        content = {"metadata": metadata, "weight_map": expected.tensor_to_filename}
        assert index.read_text() == json.dumps(content, indent=2, sort_keys=True) + "\n"


def hub_open(path: Path) -> Any:
    from safetensors import safe_open

    return safe_open(path, "numpy")


def test_the_hub_writes_the_same_set(hub: Any, torch: Any, tmp_path: Path) -> None:
    """Its own writer, given our tensors in the spec's order: the same files and index."""
    from safetensors.torch import load_file

    spec = {"tensors": {"b.{6}": [30, 40], "a": [200, 50], "c.{3}": [7, 9]}}
    xavinit.generate(spec, tmp_path / "w.safetensors")
    state = load_file(tmp_path / "w.safetensors")
    plan = xavinit.make_plan(spec)
    ordered = {tensor.name: state[tensor.name] for tensor in plan.tensors}
    (tmp_path / "hub").mkdir()
    hub.save_torch_state_dict(ordered, tmp_path / "hub", max_shard_size="12KB")
    xavinit.generate(plan, tmp_path / "ours", max_shard_size="12KB")
    ours, theirs = (sorted((tmp_path / name).iterdir()) for name in ("ours", "hub"))
    assert [path.name for path in ours] == [path.name for path in theirs]
    assert len(ours) > 3
    for our, their in zip(ours, theirs, strict=True):
        if our.suffix == ".json":
            told = json.loads(our.read_text())
            assert told["metadata"].pop("total_parameters") == plan.parameters
            assert told == json.loads(their.read_text())
        else:
            left, right = load_file(our), load_file(their)
            assert list(left) == list(right)
            assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize(
    ("most", "parts"), [("50KB", [None]), ("50KB", ["2/3", "1/3", "3/3"]), ("5GB", [None])]
)
def test_a_sharded_model_is_loaded(
    transformers: Any,
    tmp_path: Path,
    read_config: Callable[[str], dict[str, Any]],
    most: str,
    parts: list[str | None],
) -> None:
    spec = Path(__file__).parents[2] / "sample_specs" / "llama_tiny.yaml"
    (tmp_path / "config.json").write_text(json.dumps(read_config("llama_tiny")))
    for part in parts:
        xavinit.generate(spec, tmp_path, max_shard_size=most, part=part)
    model, info = transformers.LlamaForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert {key: list(found) for key, found in info.items() if found} == {}
    state = {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}
    assert set(state) == {tensor.name for tensor in xavinit.make_plan(spec).tensors}
    shutil.rmtree(tmp_path)
