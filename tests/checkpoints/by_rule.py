"""The tensors of checkpoints that follow a rule: name, dtype, shape, and the tensor tied to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Row = tuple[str, str, Sequence[int], str]


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


RULES: dict[str, Callable[[], Iterator[Row]]] = {
    "deepseek_v3": list_deepseek,
    "efficientnet_b0": list_efficientnet,
    "mixtral_8x7b": list_mixtral,
    "resnet50": list_resnet50,
    "stable_diffusion_unet": list_unet,
}
