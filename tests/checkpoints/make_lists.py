"""Make the lists of tensors beside this program: what real checkpoints hold, without their numbers.

A line a tensor: name, dtype and shape, with tabs between; `=` and another name for a tied one.
Needs torch, transformers and keras (no downloads: models are built on the meta device from
configurations with the published sizes; what no library here builds is written out by rule):

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


def list_mixtral() -> Iterator[Row]:
    """Mixtral 8x7B as its checkpoint has it: each expert's matrices by themselves."""
    d, ff, kind = 4096, 14336, "bfloat16"
    yield "model.embed_tokens.weight", kind, (32000, d), ""
    for n in range(32):
        at = f"model.layers.{n}"
        yield f"{at}.block_sparse_moe.gate.weight", kind, (8, d), ""
        for e in range(8):
            for w, shape in (("w1", (ff, d)), ("w2", (d, ff)), ("w3", (ff, d))):
                yield f"{at}.block_sparse_moe.experts.{e}.{w}.weight", kind, shape, ""
        yield f"{at}.input_layernorm.weight", kind, (d,), ""
        yield f"{at}.post_attention_layernorm.weight", kind, (d,), ""
        for p, rows in (("k", 1024), ("o", d), ("q", d), ("v", 1024)):
            yield f"{at}.self_attn.{p}_proj.weight", kind, (rows, d), ""
    yield "model.norm.weight", kind, (d,), ""
    yield "lm_head.weight", kind, (32000, d), ""


def list_deepseek() -> Iterator[Row]:
    """DeepSeek-V3 as its checkpoint has it: float8 with scales, 58 blocks of 256 experts, MTP."""
    d, ff, moe, vocab = 7168, 18432, 2048, 129280

    def linear(name: str, out: int, into: int) -> Iterator[Row]:
        yield f"{name}.weight", "float8_e4m3fn", (out, into), ""
        scales = (-(-out // 128), -(-into // 128))
        yield f"{name}.weight_scale_inv", "float32", scales, ""

    def mlp(name: str, width: int) -> Iterator[Row]:
        yield from linear(f"{name}.gate_proj", width, d)
        yield from linear(f"{name}.up_proj", width, d)
        yield from linear(f"{name}.down_proj", d, width)

    yield "model.embed_tokens.weight", "bfloat16", (vocab, d), ""
    for n in range(62):
        at = f"model.layers.{n}"
        if n == 61:
            yield f"{at}.embed_tokens.weight", "bfloat16", (vocab, d), ""
            yield f"{at}.enorm.weight", "bfloat16", (d,), ""
            yield f"{at}.hnorm.weight", "bfloat16", (d,), ""
            yield f"{at}.eh_proj.weight", "bfloat16", (d, 2 * d), ""
        yield from linear(f"{at}.self_attn.q_a_proj", 1536, d)
        yield f"{at}.self_attn.q_a_layernorm.weight", "bfloat16", (1536,), ""
        yield from linear(f"{at}.self_attn.q_b_proj", 128 * 192, 1536)
        yield from linear(f"{at}.self_attn.kv_a_proj_with_mqa", 576, d)
        yield f"{at}.self_attn.kv_a_layernorm.weight", "bfloat16", (512,), ""
        yield from linear(f"{at}.self_attn.kv_b_proj", 128 * 256, 512)
        yield from linear(f"{at}.self_attn.o_proj", d, 128 * 128)
        if n < 3:
            yield from mlp(f"{at}.mlp", ff)
        else:
            yield f"{at}.mlp.gate.weight", "bfloat16", (256, d), ""
            yield f"{at}.mlp.gate.e_score_correction_bias", "float32", (256,), ""
            for e in range(256):
                yield from mlp(f"{at}.mlp.experts.{e}", moe)
            yield from mlp(f"{at}.mlp.shared_experts", moe)
        yield f"{at}.input_layernorm.weight", "bfloat16", (d,), ""
        yield f"{at}.post_attention_layernorm.weight", "bfloat16", (d,), ""
        if n == 61:
            yield f"{at}.shared_head.norm.weight", "bfloat16", (d,), ""
            yield f"{at}.shared_head.head.weight", "bfloat16", (vocab, d), ""
    yield "model.norm.weight", "bfloat16", (d,), ""
    yield "lm_head.weight", "bfloat16", (vocab, d), ""


def list_batch_norm(name: str, size: int) -> Iterator[Row]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", "float32", (size,), ""
    yield f"{name}.num_batches_tracked", "int64", (), ""


def list_resnet50() -> Iterator[Row]:
    """torchvision's ResNet-50."""

    def conv(name: str, out: int, into: int, kernel: int) -> Iterator[Row]:
        yield f"{name}.weight", "float32", (out, into, kernel, kernel), ""

    yield from conv("conv1", 64, 3, 7)
    yield from list_batch_norm("bn1", 64)
    into = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            yield from conv(f"{at}.conv1", width, into, 1)
            yield from list_batch_norm(f"{at}.bn1", width)
            yield from conv(f"{at}.conv2", width, width, 3)
            yield from list_batch_norm(f"{at}.bn2", width)
            yield from conv(f"{at}.conv3", 4 * width, width, 1)
            yield from list_batch_norm(f"{at}.bn3", 4 * width)
            if block == 0:
                yield from conv(f"{at}.downsample.0", 4 * width, into, 1)
                yield from list_batch_norm(f"{at}.downsample.1", 4 * width)
            into = 4 * width
    yield "fc.weight", "float32", (1000, 2048), ""
    yield "fc.bias", "float32", (1000,), ""


def list_efficientnet() -> Iterator[Row]:
    """torchvision's EfficientNet-B0."""

    def conv(name: str, out: int, into: int, kernel: int) -> Iterator[Row]:
        yield f"{name}.0.weight", "float32", (out, into, kernel, kernel), ""
        yield from list_batch_norm(f"{name}.1", out)

    yield from conv("features.0", 32, 3, 3)
    into = 32
    stages = (
        (1, 3, 16, 1),
        (6, 3, 24, 2),
        (6, 5, 40, 2),
        (6, 3, 80, 3),
        (6, 5, 112, 3),
        (6, 5, 192, 4),
        (6, 3, 320, 1),
    )
    for stage, (expand, kernel, out, blocks) in enumerate(stages, 1):
        for block in range(blocks):
            at, part = f"features.{stage}.{block}.block", 0
            wide = into * expand
            if expand > 1:
                yield from conv(f"{at}.0", wide, into, 1)
                part = 1
            yield from conv(f"{at}.{part}", wide, 1, kernel)
            squeezed = into // 4
            yield f"{at}.{part + 1}.fc1.weight", "float32", (squeezed, wide, 1, 1), ""
            yield f"{at}.{part + 1}.fc1.bias", "float32", (squeezed,), ""
            yield f"{at}.{part + 1}.fc2.weight", "float32", (wide, squeezed, 1, 1), ""
            yield f"{at}.{part + 1}.fc2.bias", "float32", (wide,), ""
            yield from conv(f"{at}.{part + 2}", out, wide, 1)
            into = out
    yield from conv("features.8", 1280, into, 1)
    yield "classifier.1.weight", "float32", (1000, 1280), ""
    yield "classifier.1.bias", "float32", (1000,), ""


def list_unet() -> Iterator[Row]:
    """The UNet of Stable Diffusion 1.5, with diffusers' names."""
    kind, text, time = "float32", 768, 1280
    widths = (320, 640, 1280, 1280)

    def linear(name: str, out: int, into: int, bias: bool = True) -> Iterator[Row]:
        yield f"{name}.weight", kind, (out, into), ""
        if bias:
            yield f"{name}.bias", kind, (out,), ""

    def conv(name: str, out: int, into: int, kernel: int = 3) -> Iterator[Row]:
        yield f"{name}.weight", kind, (out, into, kernel, kernel), ""
        yield f"{name}.bias", kind, (out,), ""

    def norm(name: str, size: int) -> Iterator[Row]:
        yield f"{name}.weight", kind, (size,), ""
        yield f"{name}.bias", kind, (size,), ""

    def resnet(name: str, out: int, into: int) -> Iterator[Row]:
        yield from norm(f"{name}.norm1", into)
        yield from conv(f"{name}.conv1", out, into)
        yield from linear(f"{name}.time_emb_proj", out, time)
        yield from norm(f"{name}.norm2", out)
        yield from conv(f"{name}.conv2", out, out)
        if into != out:
            yield from conv(f"{name}.conv_shortcut", out, into, 1)

    def attention(name: str, size: int) -> Iterator[Row]:
        yield from norm(f"{name}.norm", size)
        yield from conv(f"{name}.proj_in", size, size, 1)
        block = f"{name}.transformer_blocks.0"
        for number, source in ((1, size), (2, text)):
            yield from norm(f"{block}.norm{number}", size)
            at = f"{block}.attn{number}"
            yield from linear(f"{at}.to_q", size, size, False)
            yield from linear(f"{at}.to_k", size, source, False)
            yield from linear(f"{at}.to_v", size, source, False)
            yield from linear(f"{at}.to_out.0", size, size)
        yield from norm(f"{block}.norm3", size)
        yield from linear(f"{block}.ff.net.0.proj", 8 * size, size)
        yield from linear(f"{block}.ff.net.2", size, 4 * size)
        yield from conv(f"{name}.proj_out", size, size, 1)

    yield from conv("conv_in", 320, 4)
    yield from linear("time_embedding.linear_1", time, 320)
    yield from linear("time_embedding.linear_2", time, time)
    skips, into = [320], 320
    for n, out in enumerate(widths):
        for r in range(2):
            if n < 3:
                yield from attention(f"down_blocks.{n}.attentions.{r}", out)
        for r in range(2):
            yield from resnet(f"down_blocks.{n}.resnets.{r}", out, into)
            into = out
            skips.append(out)
        if n < 3:
            yield from conv(f"down_blocks.{n}.downsamplers.0.conv", out, out)
            skips.append(out)
    for n, out in enumerate(reversed(widths)):
        for r in range(3):
            if n > 0:
                yield from attention(f"up_blocks.{n}.attentions.{r}", out)
        for r in range(3):
            yield from resnet(f"up_blocks.{n}.resnets.{r}", out, into + skips.pop())
            into = out
        if n < 3:
            yield from conv(f"up_blocks.{n}.upsamplers.0.conv", out, out)
    yield from attention("mid_block.attentions.0", 1280)
    yield from resnet("mid_block.resnets.0", 1280, 1280)
    yield from resnet("mid_block.resnets.1", 1280, 1280)
    yield from norm("conv_norm_out", 320)
    yield from conv("conv_out", 4, 320)


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
    for each in (list_mixtral, list_deepseek, list_resnet50, list_efficientnet, list_unet):
        title = {
            "list_mixtral": "mixtral_8x7b",
            "list_deepseek": "deepseek_v3",
            "list_resnet50": "resnet50",
            "list_efficientnet": "efficientnet_b0",
            "list_unet": "stable_diffusion_unet",
        }[each.__name__]
        write_list(title, list(each()))
    for title, found in list_transformers():
        write_list(title, found)
    write_list("keras_nested", list(list_keras()))
