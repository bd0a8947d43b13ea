"""The sample specs: each is what its comment says it is, and its numbers never change."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

import xavinit

FOLDER = Path(__file__).parents[1] / "sample_specs"


class Sample(NamedTuple):
    """What is known of a sample without running it, and the digest of its tensors."""

    tensors: int
    parameters: int
    nbytes: int
    digest: str
    buffers: int = 0  # numbers beside the parameters: BatchNorm's running statistics
    dims: dict[str, int] | None = None  # of a smaller size, whose digest it is


def count_bert_block(d: int, ff: int) -> int:
    """Four projections, two layers of the feed-forward part with biases, two norms."""
    return 4 * (d * d + d) + (d * ff + ff) + (ff * d + d) + 2 * 2 * d


def count_llama(vocab: int, d: int, kv: int, blocks: int, feed_forward: int) -> int:
    attention = 2 * d * d + 2 * kv * d
    return 2 * vocab * d + blocks * (attention + feed_forward + 2 * d) + d


# Counts: by hand, from the networks. Digests: of xavinit 0.1.0, stream xavinit-1; those of the
# first three equal those of a plain-Python program that shares only the quantile's coefficients.
# An edit of a spec may move its digest; nothing else ever may.
SAMPLES = {
    "bert_base": Sample(
        tensors=5 + 12 * 16 + 2,
        parameters=(30_522 + 512 + 2 + 2) * 768 + 12 * count_bert_block(768, 3072) + 768 * 769,
        nbytes=109_482_240 * 4,
        digest="78491be6d40297a52b0ac7f07bad77ec33309d831819ff6faa466cc44a79621d",
        dims={"vocab": 300, "d": 64, "blocks": 2, "ff": 200},
    ),
    "gpt2": Sample(
        tensors=2 + 12 * 12 + 2,
        parameters=(50_257 + 1024 + 2) * 768 + 12 * count_bert_block(768, 4 * 768),
        nbytes=124_439_808 * 4,
        digest="f489716541410da4acf1f936c4ebfbd1076188e3dab66da9ee0305646de27661",
        dims={"vocab": 300, "d": 64, "blocks": 2},
    ),
    "lenet5": Sample(
        tensors=10,
        parameters=(25 + 1) * 6 + (6 * 25 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + 85 * 10,
        nbytes=61_706 * 4,
        digest="86fd7992e26a1e4d036a1e7d527222fd40ed9434bc3ac926e1e504229bba4192",
    ),
    "llama3_8b": Sample(
        tensors=1 + 32 * 9 + 2,
        parameters=count_llama(128_256, 4096, 1024, 32, 3 * 4096 * 14_336),
        nbytes=8_030_261_248 * 2,
        digest="6ad246d4673e73a57f125a631a103e20e42ac516bba32363aa9607e3a5f4ce74",
        dims={"vocab": 300, "d": 64, "blocks": 2, "ff": 200, "heads": 4, "kv_heads": 2},
    ),
    "llama_tiny": Sample(
        tensors=1 + 2 * 9 + 2,
        parameters=count_llama(512, 64, 32, 2, 3 * 64 * 176),
        nbytes=158_016 * 2,
        digest="78b1540a61cf5650c7ec62981cf728bc19588490372772372c3ea23608371677",
    ),
    "lstm_tagger": Sample(
        tensors=1 + 2 * 2 * 4 + 2,
        parameters=10_000 * 100 + sum(2 * 4 * 128 * (n + 128 + 2) for n in (100, 256)) + 257 * 17,
        nbytes=1_635_153 * 4,
        digest="466586009f32a4210a1221cdd09ff8cc7976d1ab2e784eb57d97631bd463fddc",
        dims={"vocab": 100, "hidden": 16},
    ),
    "mixtral_tiny": Sample(
        tensors=1 + 2 * 9 + 2,
        parameters=count_llama(512, 64, 32, 2, 4 * (3 * 64 * 112) + 4 * 64),
        nbytes=262_976 * 2,
        digest="881a7975683f79c1049da61fac07d8bcc9fd5d39d9348e1a5aee551bdd4e21de",
    ),
    "mnist_mlp": Sample(
        tensors=4,
        parameters=(784 + 1) * 128 + (128 + 1) * 10,
        nbytes=101_770 * 4,
        digest="c262bb905d49497c9c9c7e4e95804b5cc421413274e4645750e8bcad4e2a3228",
    ),
    "resnet18": Sample(
        tensors=20 + 20 * 5 + 2,
        parameters=11_689_512,  # torchvision's own count
        buffers=2 * 4_800 + 20,
        nbytes=(11_689_512 + 2 * 4_800) * 4 + 20 * 8,
        digest="a3563b17c9ca336a3a8fb2e0dd6cc59fea72b120c6596faf325282091806d2d0",
        dims={"w": 4, "classes": 10},
    ),
    "resnet50": Sample(
        tensors=53 + 53 * 5 + 2,
        parameters=25_557_032,  # torchvision's own count
        buffers=2 * 26_560 + 53,
        nbytes=(25_557_032 + 2 * 26_560) * 4 + 53 * 8,
        digest="e80219cfa3766c1ff7c732101698df40d333fd99a1afe42855c5a049cd9ada7e",
        dims={"w": 4, "classes": 10},
    ),
    "transformer_encoder": Sample(
        tensors=2 + 6 * 12 + 2,
        parameters=(8000 + 256) * 512 + 6 * count_bert_block(512, 2048) + 513 * 8000,
        nbytes=27_245_376 * 4,
        digest="8a44c363ac70e0295321777f49604e244c4e30ac10bb7732766c2513474016dc",
        dims={"vocab": 100, "d": 32, "blocks": 2, "ctx": 16},
    ),
    "vit_b16": Sample(
        tensors=2 + 2 + 12 * 16 + 2 + 2,
        parameters=(1 + 197 + 3 * 16 * 16 + 1 + 2) * 768
        + 12 * count_bert_block(768, 3072)
        + 769 * 1000,
        nbytes=86_567_656 * 4,
        digest="b772cc76c76d65eed952a2e0fe816a325163a71096c0de3e410e140ce8df517f",
        dims={"d": 64, "blocks": 2, "ff": 200, "classes": 10},
    ),
}


def test_every_sample_has_a_row() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(SAMPLES)
    assert {path.suffix for path in FOLDER.iterdir()} == {".yaml"}


@pytest.mark.parametrize("name", SAMPLES)
def test_plan_has_the_known_counts(name: str) -> None:
    plan = xavinit.make_plan(FOLDER / f"{name}.yaml")
    known = SAMPLES[name]
    assert not plan.warnings
    assert len(plan.tensors) == known.tensors
    assert plan.parameters == known.parameters + known.buffers
    assert plan.nbytes == known.nbytes


@pytest.mark.parametrize("name", SAMPLES)
def test_digest_is_pinned(name: str, tmp_path: Path) -> None:
    spec, dims = FOLDER / f"{name}.yaml", SAMPLES[name].dims
    path = tmp_path / f"{name}.safetensors"
    xavinit.generate(spec, path, dims=dims)
    assert xavinit.digest(path) == SAMPLES[name].digest
    assert xavinit.digest(xavinit.draw(spec, dims=dims)) == SAMPLES[name].digest


# The two as raw tensors, which they once were.
RAW = {
    "lenet5": {
        "seed": 1998,
        "rules": [{"match": "*.bias", "init": "zeros"}],
        "tensors": {
            "conv1.weight": [6, 1, 5, 5],
            "conv1.bias": [6],
            "conv2.weight": [16, 6, 5, 5],
            "conv2.bias": [16],
            "fc1.weight": [120, 400],
            "fc1.bias": [120],
            "fc2.weight": [84, 120],
            "fc2.bias": [84],
            "fc3.weight": [10, 84],
            "fc3.bias": [10],
        },
    },
    "mnist_mlp": {
        "seed": 42,
        "rules": [{"match": "*.bias", "init": "zeros"}],
        "tensors": {
            "hidden.weight": [128, 784],
            "hidden.bias": [128],
            "output.weight": [10, 128],
            "output.bias": [10],
        },
    },
}


@pytest.mark.parametrize("name", RAW)
def test_layers_are_the_raw_tensors_in_pytorch(name: str) -> None:
    raw, layers = xavinit.make_plan(RAW[name]), xavinit.make_plan(FOLDER / f"{name}.yaml")
    fields = ("name", "shape", "dtype", "fans", "law", "stream", "view")
    assert [[getattr(tensor, field) for field in fields] for tensor in raw.tensors] == [
        [getattr(tensor, field) for field in fields] for tensor in layers.tensors
    ]


@pytest.mark.parametrize("name", ["gpt2", "mixtral_tiny"])
def test_fused_and_experts_have_the_fans_of_one(name: str) -> None:
    """As the comments promise, where another init asks for fans."""
    plan = xavinit.make_plan(FOLDER / f"{name}.yaml")
    fans = {tensor.name: tensor.fans for tensor in plan.tensors if tensor.fans}
    if name == "gpt2":
        assert fans["transformer.h.0.attn.c_attn.weight"] == (768, 768)
        assert fans["transformer.h.0.mlp.c_fc.weight"] == (768, 3072)
    else:
        assert fans["model.layers.0.mlp.experts.gate_up_proj"] == (64, 112)
        assert fans["model.layers.0.mlp.experts.down_proj"] == (112, 64)


@pytest.mark.parametrize("name", SAMPLES)
def test_comment_says_what_and_how(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/xavinit.schema.json\n#\n")
    assert f"{SAMPLES[name].parameters:,} parameters" in text


def test_llama_dims_can_be_set() -> None:
    # The comment's promise of a shape like the large ones: dims alone make another size.
    dims = {"d": 128, "blocks": 3, "heads": 8, "kv_heads": 1}
    plan = xavinit.make_plan(FOLDER / "llama_tiny.yaml", dims=dims)
    shapes = {tensor.name: tensor.shape for tensor in plan.tensors}
    assert len(shapes) == 1 + 3 * 9 + 2
    assert shapes["model.layers.2.self_attn.k_proj.weight"] == (16, 128)
    assert shapes["model.layers.2.self_attn.q_proj.weight"] == (128, 128)
