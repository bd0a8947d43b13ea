"""A config.json's spec and its tiny twin, by transformers: what is generated loads and runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import xavinit
from xavinit.cli import cli
from xavinit.errors import InputError

pytestmark = pytest.mark.frameworks

# Published configurations in short: what is not said is the class's default, as it was then.
CONFIGS: dict[str, dict[str, Any]] = {
    "GPT2LMHeadModel": {"model_type": "gpt2"},
    "LlamaForCausalLM": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009],
        "torch_dtype": "bfloat16",
        "rope_scaling": {
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
    },
    "MistralForCausalLM": {"model_type": "mistral"},
    "Qwen2ForCausalLM": {"model_type": "qwen2", "tie_word_embeddings": True},
    "Qwen3ForCausalLM": {"model_type": "qwen3"},
    "Qwen3MoeForCausalLM": {"model_type": "qwen3_moe"},
    "MixtralForCausalLM": {"model_type": "mixtral"},
    "DeepseekV3ForCausalLM": {
        "model_type": "deepseek_v3",
        "auto_map": {"AutoModelForCausalLM": "modeling_deepseek.DeepseekV3ForCausalLM"},
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    },
    "Gemma2ForCausalLM": {"model_type": "gemma2"},
    "Gemma3ForConditionalGeneration": {"model_type": "gemma3"},
    "Phi3ForCausalLM": {
        "model_type": "phi3",
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0] * 48,
            "long_factor": [2.0] * 48,
        },
    },
    "FalconForCausalLM": {"model_type": "falcon"},
    "BertForMaskedLM": {"model_type": "bert"},
    "RobertaForMaskedLM": {"model_type": "roberta", "pad_token_id": 1},
    "T5ForConditionalGeneration": {"model_type": "t5"},
    "BartForConditionalGeneration": {"model_type": "bart"},
    "WhisperForConditionalGeneration": {"model_type": "whisper"},
    "ViTForImageClassification": {"model_type": "vit"},
    "CLIPModel": {"model_type": "clip"},
    "Dinov2Model": {"model_type": "dinov2"},
    "MambaForCausalLM": {"model_type": "mamba"},
    "Mamba2ForCausalLM": {"model_type": "mamba2"},
    "JambaForCausalLM": {"model_type": "jamba"},
    "Olmo2ForCausalLM": {"model_type": "olmo2"},
    "ModernBertForMaskedLM": {"model_type": "modernbert"},
    "SiglipModel": {"model_type": "siglip"},
    "Wav2Vec2ForCTC": {"model_type": "wav2vec2"},
    "LlavaForConditionalGeneration": {"model_type": "llava"},
    "SwinForImageClassification": {"model_type": "swin"},
    "SegformerForSemanticSegmentation": {"model_type": "segformer"},
    "ResNetForImageClassification": {"model_type": "resnet"},
}
IMAGE, SOUND = (1, 3, 224, 224), (1, 4000)


def write_config(folder: Path, architecture: str, **more: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({"architectures": [architecture], **CONFIGS[architecture], **more}))
    return path


def make_inputs(torch: Any, model: Any) -> dict[str, Any]:
    """What the forward pass of a model takes, of the sizes of its own configuration."""
    ids = torch.arange(2, 10)[None]
    config = model.config
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", 224)
    side = size if isinstance(size, int) else 224
    match model.main_input_name:
        case "pixel_values":
            return {"pixel_values": torch.rand(1, 3, side, side, dtype=model.dtype)}
        case "input_values":
            return {"input_values": torch.rand(SOUND, dtype=model.dtype)}
        case "input_features":
            frames = torch.rand(1, config.num_mel_bins, 2 * config.max_source_positions)
            return {"input_features": frames, "decoder_input_ids": ids}
    inputs = {"input_ids": ids}
    if config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    if config.model_type in ("clip", "siglip"):
        inputs["pixel_values"] = torch.rand(1, 3, side, side)
    return inputs


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_tiny_twin_loads_and_runs(
    architecture: str, torch: Any, transformers: Any, tmp_path: Path
) -> None:
    path = write_config(tmp_path, architecture)
    tiny, out = tmp_path / "tiny", tmp_path / "out"
    result = CliRunner().invoke(cli, ["derive", str(path), "--tiny", "-o", str(tiny)])
    assert (result.exit_code, result.stderr) == (0, f"wrote {tiny}\n"), result.exception
    arguments = ["generate", str(tiny / "spec.yaml"), "--with", str(tiny / "config.json")]
    assert CliRunner().invoke(cli, [*arguments, "-o", str(out)]).exit_code == 0
    assert sum(file.stat().st_size for file in out.iterdir()) < 20e6
    cls = getattr(transformers, architecture)
    model, told = cls.from_pretrained(out, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    with torch.no_grad():
        output = model.eval()(**make_inputs(torch, model))
    tensors = [t for t in output.values() if isinstance(t, torch.Tensor)]
    assert tensors
    assert all(bool(torch.isfinite(t).all()) for t in tensors)


@pytest.mark.parametrize(
    "architecture",
    ["GPT2LMHeadModel", "MixtralForCausalLM", "T5ForConditionalGeneration", "CLIPModel"],
)
def test_the_names_are_those_that_save_pretrained_writes(
    architecture: str, transformers: Any, tmp_path: Path
) -> None:
    """Of tied tensors it leaves out those that the spec calls tied."""
    derived = xavinit.derive(write_config(tmp_path, architecture), tiny=True)
    assert derived.config is not None
    (tmp_path / "config.json").write_text(derived.config)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    getattr(transformers, architecture)(config).save_pretrained(tmp_path / "saved")
    saved = xavinit.inspect(tmp_path / "saved").tensors
    plan = xavinit.make_plan(derived.spec)
    own = {t.name: (t.shape, t.dtype.name) for t in plan.tensors if not t.is_tied}
    assert own == {t.name: (t.shape, t.dtype) for t in saved}


def test_a_config_of_full_size_is_a_spec_without_a_number_read(tmp_path: Path) -> None:
    """Llama 3 8B: its tensors, dtype and initializer, and the keys that its sizes come from."""
    derived = xavinit.derive(write_config(tmp_path, "LlamaForCausalLM"))
    plan = xavinit.make_plan(derived.spec)
    assert plan.parameters == 8_030_261_248
    assert {tensor.dtype.name for tensor in plan.tensors} == {"bfloat16"}
    init = {"type": "normal", "std": 0.02}
    assert derived.spec["defaults"] == {"init": init, "dtype": "bfloat16"}
    assert "  d: 4096                 # hidden_size\n" in derived.text


def test_the_model_s_own_initializer(torch: Any, transformers: Any, tmp_path: Path) -> None:
    """GPT-2 draws what goes into its residual stream from a smaller law; biases are zeros."""
    derived = xavinit.derive(write_config(tmp_path, "GPT2LMHeadModel"), tiny=True)
    assert derived.config is not None
    (tmp_path / "config.json").write_text(derived.config)
    torch.manual_seed(3)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    real = transformers.GPT2LMHeadModel(config).state_dict()
    for name, array in xavinit.draw(derived.spec).items():
        assert array.std() == pytest.approx(real[name].std().item(), rel=0.1), name
        assert array.mean() == pytest.approx(real[name].mean().item(), abs=0.01), name


def test_the_commands_of_the_documentation(
    transformers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path, "LlamaForCausalLM")
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "derive.md").read_text("utf-8")
    lines = re.findall(r"^xavinit (.*(?:config\.json|tiny).*)$", page, re.M)
    assert len(lines) == 3
    for line in lines:
        assert CliRunner().invoke(cli, line.split()).exit_code == 0, line
    _, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "tiny-random", output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]


def test_each_kind_of_block_is_kept(tmp_path: Path) -> None:
    names = set(
        xavinit.draw(xavinit.derive(write_config(tmp_path, "JambaForCausalLM"), tiny=True).spec)
    )
    for kind in ("self_attn", "mamba", "feed_forward.experts", "feed_forward.gate_proj"):
        assert any(f".{kind}." in name for name in names), kind


def test_the_vocabulary_can_stay(tmp_path: Path) -> None:
    path = write_config(tmp_path, "LlamaForCausalLM")
    kept = json.loads(xavinit.derive(path, tiny=True, keep_vocab=True).config or "")
    assert (kept["vocab_size"], kept["bos_token_id"]) == (128256, 128000)
    cut = json.loads(xavinit.derive(path, tiny=True).config or "")
    assert cut["vocab_size"] == 1024
    assert sorted([cut["bos_token_id"], *cut["eos_token_id"]]) == [1020, 1021, 1022, 1023]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"model_type": "nope"}, 'model_type "nope" is not one that transformers '),
        (
            {"model_type": "nope", "auto_map": {"AutoModel": "here.Model"}},
            'model_type "nope" has code of its own (auto_map), which is not run',
        ),
        (
            {"model_type": "llama", "architectures": ["os.system"]},
            'the architecture "os.system" is',
        ),
        (
            {"model_type": "llama", "architectures": ["BertModel"]},
            'the architecture "BertModel" is not one of model_type "llama"',
        ),
        ({"model_type": "llama", "hidden_size": -3}, "StrictDataclassClassValidationError: "),
        ({"model_type": "llama", "hidden_size": 10**12}, "RuntimeError: "),
        ({"model_type": "llama", "rope_scaling": "x"}, "StrictDataclassFieldValidationError: "),
        ({"model_type": "detr"}, "needs another library: "),
    ],
)
def test_a_config_of_which_nothing_can_be_made(
    data: Any, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data))
    for tiny in (False, True):
        with pytest.raises(InputError) as caught:
            xavinit.derive(path, tiny=tiny)
        assert str(caught.value).startswith(f"{path}: no model can be made of it: {reason}")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
