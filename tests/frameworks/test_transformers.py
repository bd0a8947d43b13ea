"""Hugging Face's Llama takes llama_tiny as its own checkpoint: no key missing, none too many."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.frameworks

SPEC = Path(__file__).parents[2] / "sample_specs" / "llama_tiny.yaml"


@pytest.fixture(scope="module")
def config(read_config: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return read_config("llama_tiny")


@pytest.fixture(scope="module")
def weights(write: Callable[..., Path]) -> Path:
    return write("llama_tiny", "model.safetensors")


@pytest.fixture
def folder(weights: Path, tmp_path: Path, config: dict[str, Any]) -> Path:
    shutil.copy(weights, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    return tmp_path


@pytest.fixture
def model(transformers: Any, folder: Path) -> Any:
    model, info = transformers.LlamaForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert {key: list(found) for key, found in info.items() if found} == {}
    assert {"missing_keys", "unexpected_keys", "mismatched_keys"} <= info.keys()
    return model


def test_config_in_the_comment_is_that_of_the_dims(config: dict[str, Any]) -> None:
    dims = yaml.safe_load(SPEC.read_text("utf-8"))["dims"]
    keys = {
        "vocab": "vocab_size",
        "d": "hidden_size",
        "blocks": "num_hidden_layers",
        "heads": "num_attention_heads",
        "kv_heads": "num_key_value_heads",
        "ff": "intermediate_size",
    }
    assert {dim: config[key] for dim, key in keys.items()} == {dim: dims[dim] for dim in keys}


def test_from_pretrained_keeps_every_tensor(torch: Any, model: Any, weights: Path) -> None:
    from safetensors.torch import load_file

    stored = load_file(weights)
    state = model.state_dict()
    assert sorted(state) == sorted(stored)
    for name, tensor in stored.items():
        assert state[name].dtype == tensor.dtype == torch.bfloat16
        assert torch.equal(state[name], tensor)


def test_state_dict_loads_strictly(
    torch: Any, transformers: Any, config: dict[str, Any], weights: Path
) -> None:
    from safetensors.torch import load_file

    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).to(torch.bfloat16)
    model.load_state_dict(load_file(weights), strict=True)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert sum(parameter.numel() for parameter in model.parameters()) == 158_016


def test_auto_class_finds_the_model(transformers: Any, folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert type(model) is transformers.LlamaForCausalLM


def test_forward_pass_and_generation(torch: Any, model: Any) -> None:
    tokens = torch.arange(64).reshape(2, 32) * 7 % 512
    with torch.no_grad():
        logits = model.eval()(tokens).logits
    assert logits.shape == (2, 32, 512)
    assert logits.dtype == torch.bfloat16
    assert bool(torch.isfinite(logits).all())
    longer = model.generate(tokens, max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert longer.shape == (2, 36)


def test_a_missing_projection_shows(torch: Any, model: Any) -> None:
    # What the comment promises of Glorot's numbers here: every part moves the logits by far more
    # than bfloat16 rounds, so that a test of a server with a tolerance finds it broken.
    tokens = torch.arange(64).reshape(2, 32) * 7 % 512
    model.eval()
    with torch.no_grad():
        rounded = model(tokens).logits.float()
        model.float()
        logits = model(tokens).logits

        def move(other: Any) -> float:
            return float((other - logits).norm() / logits.norm())

        assert move(rounded) < 0.02
        for name, parameter in model.named_parameters():
            if "_proj." in name:
                kept = parameter.clone()
                parameter.zero_()
                assert move(model(tokens).logits) > 0.2, name
                parameter.copy_(kept)
