"""A config.json without transformers: what is read of it, refused, and made small."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

import xavinit
from xavinit.cli import cli
from xavinit.configs.changes import list_changes
from xavinit.configs.shrinking import apply_changes
from xavinit.configs.small_sizes import Scale
from xavinit.errors import InputError, MissingLibraryError, UsageError


def write(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "is not JSON: "),
        ("[1]", "must be a JSON object; got [1]"),
        ("{}", "has no model_type, which says what the model is"),
        ({"model_type": 3}, "model_type must be a string; got 3"),
        (
            {"model_type": "llama", "architectures": "LlamaModel"},
            'architectures must be a list of names; got "LlamaModel"',
        ),
        (
            {"model_type": "llama", "num_hidden_layers": 10**9},
            "num_hidden_layers must be at most 10,000; got 1000000000",
        ),
        (
            {"model_type": "x", "text_config": {"hidden_size": 10**15}},
            "text_config.hidden_size must be at most 1,099,511,627,776; got 1000000000000000",
        ),
        ("[" * 100_000, "is nested over 64 deep"),
        ('{"a":' * 70 + "1" + "}" * 70, "is nested over 64 deep"),
    ],
)
def test_what_is_no_config(tmp_path: Path, data: Any, reason: str) -> None:
    path = write(tmp_path / "config.json", data)
    with pytest.raises(InputError) as caught:
        xavinit.derive(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    result = CliRunner().invoke(cli, ["derive", str(tmp_path)])
    assert result.exit_code != 0


def test_without_the_libraries_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # which makes importing it fail
    path = write(tmp_path / "config.json", {"model_type": "llama"})
    with pytest.raises(MissingLibraryError) as caught:
        xavinit.derive(path)
    assert str(caught.value) == (
        "a config.json needs transformers and torch: import of torch halted; None in sys.modules\n"
        "  hint: pip install 'xavinit[derive]'"
    )


def test_weights_beside_a_config_take_its_sizes_and_its_initializer(tmp_path: Path) -> None:
    weights = {
        f"layers.{n}.self_attn.{k}_proj.weight": np.zeros((64, 64)) for n in range(3) for k in "qk"
    }
    weights["layers.0.self_attn.q_norm.weight"] = np.zeros(16)
    save_file(weights, tmp_path / "model.safetensors")
    config = {"hidden_size": 64, "num_attention_heads": 4, "initializer_range": 0.03}
    write(tmp_path / "config.json", config)
    derived = xavinit.derive(tmp_path)
    assert derived.spec["defaults"]["init"] == {"type": "normal", "std": 0.03}
    assert "d: 64                   # hidden_size" in derived.text
    shapes = {name: array.shape for name, array in xavinit.draw(derived.spec).items()}
    assert shapes == {name: array.shape for name, array in weights.items()}
    write(tmp_path / "config.json", "{")
    with pytest.raises(InputError, match=r"config\.json: is not JSON"):
        xavinit.derive(tmp_path)


def test_an_initializer_that_is_no_std_is_not_taken(tmp_path: Path) -> None:
    save_file({"a.weight": np.zeros((4, 4))}, tmp_path / "model.safetensors")
    for value in (0, -1, "x", True, float("nan"), float("inf")):
        write(tmp_path / "config.json", {"initializer_range": value})
        assert xavinit.derive(tmp_path).spec["defaults"]["init"] == "glorot_uniform"


def test_only_a_config_has_a_twin(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(UsageError) as caught:
        xavinit.derive(tmp_path, tiny=True)
    assert str(caught.value) == (
        f"a tiny twin is made of a config.json, or a folder with one; got {tmp_path}"
    )
    with pytest.raises(UsageError):
        xavinit.derive({"a": np.zeros(3)}, tiny=True)
    with pytest.raises(UsageError):
        xavinit.derive(tmp_path, keep_vocab=True)
    path = write(tmp_path / "config.json", {"model_type": "llama"})
    result = CliRunner().invoke(cli, ["derive", str(path), "--tiny"])
    assert result.exit_code != 0


def test_the_files_of_a_twin_are_not_its_source_and_replace_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", {"model_type": "llama"})
    for source in (str(path), str(tmp_path)):
        result = CliRunner().invoke(
            cli, ["derive", source, "--tiny", "-o", str(tmp_path), "--force"]
        )
        assert "is the source itself; it is not replaced" in str(result.exception)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "spec.yaml").write_text("")
    result = CliRunner().invoke(cli, ["derive", str(path), "--tiny", "-o", str(tmp_path / "there")])
    assert str(result.exception) == f"{tmp_path}/there/spec.yaml exists; use --force to replace it"
    write(tmp_path / "file", "")
    result = CliRunner().invoke(cli, ["derive", str(path), "--tiny", "-o", str(tmp_path / "file")])
    assert "a folder does not replace it" in str(result.exception)


def shrink(data: dict[str, Any], kinds: dict[int, int] | None = None) -> dict[str, Any]:
    return apply_changes(data, list_changes(data, kinds or {}, Scale()))


def test_heads_divide_and_what_was_equal_is_equal() -> None:
    """Llama 3 8B's sizes; kv heads stay fewer than heads."""
    small = shrink(
        {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_hidden_layers": 32,
            "vocab_size": 128256,
            "bos_token_id": 128000,
            "eos_token_id": [128001, 128009],
            "pad_token_id": 5,
            "tie_word_embeddings": False,
        }
    )
    assert small == {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "num_hidden_layers": 2,
        "vocab_size": 1024,
        "bos_token_id": 1021,
        "eos_token_id": [1022, 1023],
        "pad_token_id": 5,
        "tie_word_embeddings": False,
    }


def test_each_kind_of_block_stays() -> None:
    types = ["sliding", "sliding", "full"] * 4
    small = shrink({"num_hidden_layers": 12, "layer_types": types}, {12: 3})
    assert small == {"num_hidden_layers": 3, "layer_types": ["sliding", "sliding", "full"]}


def test_experts_and_their_groups_stay_consistent() -> None:
    """DeepSeek-V3's: each group must have two experts, and those chosen be among its own."""
    small = shrink(
        {
            "n_routed_experts": 256,
            "num_experts_per_tok": 8,
            "n_group": 8,
            "topk_group": 4,
            "first_k_dense_replace": 3,
            "num_hidden_layers": 61,
            "moe_intermediate_size": 2048,
        }
    )
    experts, group = small["n_routed_experts"], small["n_routed_experts"] // small["n_group"]
    assert (experts, group) == (4, 2)
    assert small["num_experts_per_tok"] <= group * small["topk_group"]
    assert small["first_k_dense_replace"] < small["num_hidden_layers"]


def test_towers_keep_what_joins_them() -> None:
    small = shrink(
        {
            "text_config": {"hidden_size": 512, "num_attention_heads": 8},
            "vision_config": {"hidden_size": 768, "num_attention_heads": 12, "out_dim": 512},
            "projection_dim": 512,
        }
    )
    assert small["projection_dim"] == small["vision_config"]["out_dim"] == 64
    assert small["text_config"]["hidden_size"] == 64


def test_rope_has_a_number_for_each_pair() -> None:
    small = shrink(
        {
            "hidden_size": 3072,
            "num_attention_heads": 32,
            "rope_scaling": {"long_factor": [1.0] * 48, "mrope_section": [16, 24, 24]},
        }
    )
    assert len(small["rope_scaling"]["long_factor"]) == 8
    assert sum(small["rope_scaling"]["mrope_section"]) == 8
