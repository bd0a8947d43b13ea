"""The samples of real models have the names, shapes and dtypes of the models, which load them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from resnet import make_resnet50

import xavinit

pytestmark = pytest.mark.frameworks

SAMPLES = Path(__file__).parents[2] / "sample_specs"
MODELS = ["gpt2", "llama_tiny", "llama3_8b", "mixtral_tiny", "bert_base", "vit_b16"]

# What makes a model small enough to load here: dims of the sample and keys of its config.
SMALL: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "gpt2": ({"blocks": 2}, {"n_layer": 2}),
    "llama3_8b": (
        {"vocab": 500, "d": 128, "blocks": 2, "heads": 8, "kv_heads": 2, "ff": 300},
        {
            "vocab_size": 500,
            "hidden_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "intermediate_size": 300,
        },
    ),
    "bert_base": ({"blocks": 2}, {"num_hidden_layers": 2}),
    "vit_b16": ({"blocks": 2}, {"num_hidden_layers": 2}),
}

ReadConfig = Callable[[str], dict[str, Any]]


def find_class(transformers: Any, config: dict[str, Any]) -> Any:
    (name,) = config["architectures"]
    return getattr(transformers, name)


def make_on_meta(torch: Any, transformers: Any, config: dict[str, Any]) -> Any:
    kind = find_class(transformers, config)
    with torch.device("meta"):
        model = kind(kind.config_class(**config))
    return model.to(getattr(torch, config["dtype"]))


def list_state(model: Any, tied: set[str]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in model.state_dict().items()
        if name not in tied
    }


def list_plan(plan: xavinit.Plan) -> dict[str, tuple[tuple[int, ...], str]]:
    return {tensor.name: (tensor.shape, tensor.dtype.name) for tensor in plan.tensors}


@pytest.mark.parametrize("name", MODELS)
def test_names_shapes_and_dtypes_are_the_models(
    torch: Any, transformers: Any, read_config: ReadConfig, name: str
) -> None:
    config = read_config(name)
    model = make_on_meta(torch, transformers, config)
    tied = set(model.all_tied_weights_keys) if config.get("tie_word_embeddings", True) else set()
    plan = xavinit.make_plan(SAMPLES / f"{name}.yaml")
    assert list_plan(plan) == list_state(model, tied)
    assert plan.parameters == sum(parameter.numel() for parameter in set(model.parameters()))
    assert bool(tied) == (name == "gpt2")


@pytest.mark.parametrize("name", MODELS)
def test_from_pretrained_loads_the_folder(
    torch: Any, transformers: Any, read_config: ReadConfig, tmp_path: Path, name: str
) -> None:
    dims, keys = SMALL.get(name, ({}, {}))
    config = read_config(name)
    assert keys.keys() <= config.keys()
    config |= keys
    (tmp_path / "config.json").write_text(json.dumps(config))
    spec = SAMPLES / f"{name}.yaml"
    report = xavinit.generate(spec, tmp_path, dims=dims, max_shard_size="60MB")
    model, info = find_class(transformers, config).from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert {key: list(found) for key, found in info.items() if found} == {}
    state = model.state_dict()
    arrays = xavinit.draw(spec, dims=dims)
    assert report.tensors == len(arrays)
    for key, array in arrays.items():
        stored = state[key].float() if state[key].dtype == torch.bfloat16 else state[key]
        assert torch.equal(stored, torch.from_numpy(array.astype(stored.numpy().dtype))), key


@pytest.mark.parametrize("name", MODELS)
def test_a_forward_pass_is_finite(
    torch: Any, transformers: Any, read_config: ReadConfig, tmp_path: Path, name: str
) -> None:
    dims, keys = SMALL.get(name, ({}, {}))
    config = read_config(name) | keys
    (tmp_path / "config.json").write_text(json.dumps(config))
    xavinit.generate(SAMPLES / f"{name}.yaml", tmp_path, dims=dims, max_shard_size="5GB")
    model = find_class(transformers, config).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        if "image_size" in config:
            output = model(torch.rand(2, 3, 224, 224)).logits
        else:
            output = model(torch.arange(40).reshape(2, 20))[0]
    assert bool(torch.isfinite(output).all())
    assert float(output.float().std()) > 0


def test_resnet50_is_torchvisions(torch: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    model = make_resnet50(torch)
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_557_032
    spec = SAMPLES / "resnet50.yaml"
    assert list_plan(xavinit.make_plan(spec)) == list_state(model, set())
    xavinit.generate(spec, tmp_path / "w.safetensors")
    model.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=True)
    with torch.no_grad():
        output = model.eval()(torch.rand(1, 3, 64, 64))
    assert bool(torch.isfinite(output).all())
    # The buffers and scales are those that an untrained model of torch's has.
    fresh = make_resnet50(torch).state_dict()
    for name, tensor in model.state_dict().items():
        if tensor.ndim < 2 and name != "fc.bias":
            assert torch.equal(tensor, fresh[name]), name
    # torchvision's own initializer of a convolution: the same standard deviation
    weight = model.layer3[2].conv2.weight.detach()
    torch.nn.init.kaiming_normal_(expected := torch.empty_like(weight), mode="fan_out")
    assert float(weight.std() / expected.std()) == pytest.approx(1, abs=0.01)
