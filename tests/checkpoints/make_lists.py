"""Make the lists of tensors beside this program: what real checkpoints hold, without their numbers.

A line a tensor: name, dtype and shape, with tabs between; `=` and another name for a tied one.
Needs torch, transformers and keras (no downloads: models are built on the meta device from
configurations with the published sizes; by_rule.py has those that no library here builds):

    python tests/checkpoints/make_lists.py
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Row = tuple[str, str, Sequence[int], str]


def list_module(module: Any) -> Iterator[Row]:
    """The state dict of a torch module; a parameter that is another one is tied to it."""
    first: dict[int, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        tied = first.setdefault(id(tensor), name)
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield name, dtype, tuple(tensor.shape), "" if tied == name else tied


def list_transformers() -> Iterator[tuple[str, list[Row]]]:
    import torch
    import transformers as tf

    def build(kind: str, config: Any, dtype: Any = torch.float32) -> list[Row]:
        with torch.device("meta"):
            model = getattr(tf, kind)(config).to(dtype)
        model.tie_weights()
        return list(list_module(model))

    half = torch.bfloat16
    yield "gpt2", build("GPT2LMHeadModel", tf.GPT2Config())
    yield (
        "llama3_8b",
        build(
            "LlamaForCausalLM",
            tf.LlamaConfig(
                vocab_size=128256,
                hidden_size=4096,
                intermediate_size=14336,
                num_hidden_layers=32,
                num_attention_heads=32,
                num_key_value_heads=8,
                tie_word_embeddings=False,
            ),
            half,
        ),
    )
    yield "bert", build("BertForPreTraining", tf.BertConfig())
    yield "t5_small", build("T5ForConditionalGeneration", tf.T5Config(tie_word_embeddings=True))
    yield (
        "whisper_tiny",
        build(
            "WhisperForConditionalGeneration",
            tf.WhisperConfig(
                vocab_size=51865,
                d_model=384,
                encoder_layers=4,
                decoder_layers=4,
                encoder_attention_heads=6,
                decoder_attention_heads=6,
                encoder_ffn_dim=1536,
                decoder_ffn_dim=1536,
            ),
        ),
    )
    yield "vit_b16", build("ViTForImageClassification", tf.ViTConfig(num_labels=1000))
    yield "clip_b32", build("CLIPModel", tf.CLIPConfig())
    yield (
        "mamba_130m",
        build(
            "MambaForCausalLM",
            tf.MambaConfig(vocab_size=50280, hidden_size=768, num_hidden_layers=24),
        ),
    )
    yield (
        "qwen3_8b",
        build(
            "Qwen3ForCausalLM",
            tf.Qwen3Config(
                vocab_size=151936,
                hidden_size=4096,
                intermediate_size=12288,
                num_hidden_layers=36,
                num_attention_heads=32,
                num_key_value_heads=8,
                head_dim=128,
                tie_word_embeddings=False,
            ),
            half,
        ),
    )
    yield "mixtral_8x7b_merged", build("MixtralForCausalLM", tf.MixtralConfig(), half)
    yield "deepseek_v3_merged", build("DeepseekV3ForCausalLM", tf.DeepseekV3Config(), half)


def list_keras() -> Iterator[Row]:
    """A functional Keras model with nested models, by the paths of its .weights.h5 file."""
    import tempfile

    import h5py
    import keras

    def encoder(name: str) -> Any:
        into = keras.Input((28, 28, 1))
        x = into
        for width in (32, 64, 128):
            x = keras.layers.Conv2D(width, 3, padding="same")(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(into, keras.layers.Dense(256)(x), name=name)

    def head(name: str) -> Any:
        layers = [keras.layers.Dense(256), keras.layers.Dense(256), keras.layers.Dense(10)]
        return keras.Sequential([keras.Input((512,)), *layers], name=name)

    left, right = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    words = keras.Input((20,))
    text = keras.layers.LSTM(256)(keras.layers.Embedding(1000, 64)(words))
    both = keras.layers.Concatenate()([encoder("left")(left), encoder("right")(right)])
    joined = keras.layers.Add()([keras.layers.Dense(512)(text), both])
    model = keras.Model([left, right, words], head("head")(joined))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.weights.h5"
        model.save_weights(path)
        rows: list[Row] = []

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                rows.append((name, str(item.dtype), item.shape, ""))

        with h5py.File(path) as file:
            file.visititems(visit)
    yield from rows


def write_list(name: str, rows: Sequence[Row]) -> None:
    lines = (
        f"{name}\t{dtype}\t{','.join(map(str, shape))}" + (f"\t={tied}" if tied else "") + "\n"
        for name, dtype, shape, tied in rows
    )
    content = lzma.compress("".join(lines).encode(), preset=9)
    (HERE / f"{name}.txt.xz").write_bytes(content)
    print(f"{name}: {len(rows)} tensors, {len(content)} bytes")


if __name__ == "__main__":
    for title, found in list_transformers():
        write_list(title, found)
    write_list("keras_nested", list(list_keras()))
