"""What real libraries wrote, derived and generated: the same names, shapes and dtypes, loadable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit

pytestmark = pytest.mark.frameworks


def find_entries(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    return {t.name: (t.shape, t.dtype) for t in xavinit.inspect(path).tensors}


def test_tied_tensors_of_a_torch_file_are_tied(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(11, 4),
            "rnn": torch.nn.LSTM(4, 6, num_layers=2),
            "norm": torch.nn.BatchNorm1d(6),
            "head": torch.nn.Linear(4, 11, bias=False),
        }
    )
    model["head"].weight = model["embed"].weight
    torch.save(model.state_dict(), tmp_path / "w.pt")
    derived = xavinit.derive(tmp_path / "w.pt")
    assert derived.spec["tensors"]["head.weight"] == {"tied": "embed.weight"}
    xavinit.generate(derived.spec, tmp_path / "w.safetensors")
    assert find_entries(tmp_path / "w.safetensors") == find_entries(tmp_path / "w.pt")
    plan = xavinit.make_plan(derived.spec)
    assert plan["rnn.weight_ih_l0"].fans == (4, 6)  # of one gate


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # TensorFlow's own
@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_nested_models_of_keras(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")

    def make_part() -> Any:
        start = keras.Input((8, 8, 3))
        inner = keras.layers.Conv2D(4, 3)(start)
        inner = keras.layers.BatchNormalization()(inner)
        return keras.Model(start, keras.layers.GlobalAveragePooling2D()(inner))

    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    both = keras.layers.Concatenate()([make_part()(left), make_part()(right)])
    model = keras.Model([left, right], keras.layers.Dense(5)(both))
    path = tmp_path / name
    (model.save if name.endswith(".keras") else model.save_weights)(path)
    derived = xavinit.derive(path)
    xavinit.generate(derived.spec, tmp_path / "w.safetensors")
    assert find_entries(tmp_path / "w.safetensors") == find_entries(path)
    weights = xavinit.draw(derived.spec)
    (gamma,) = {n for n in weights if n.endswith("functional/layers/batch_normalization/vars/0")}
    assert (weights[gamma] == 1).all()


def test_a_derived_llama_loads_and_runs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=64,
        intermediate_size=112,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(tmp_path / "real", max_shard_size="100KB")
    derived = xavinit.derive(tmp_path / "real")
    (tmp_path / "new").mkdir()
    xavinit.generate(derived.spec, tmp_path / "new" / "model.safetensors", dims={"blocks": 2})
    config.num_hidden_layers = 2
    config.save_pretrained(tmp_path / "new")
    loaded, told = transformers.LlamaForCausalLM.from_pretrained(
        tmp_path / "new", output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    with torch.no_grad():
        logits = loaded(torch.arange(5)[None]).logits
    assert logits.shape == (1, 5, 97)
    assert np.isfinite(logits.numpy()).all()
