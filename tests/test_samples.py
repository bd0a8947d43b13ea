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


# Counts: by hand, from the networks. Digests: of xavinit 0.1.0, stream xavinit-1, and equal to
# those of a plain-Python program that shares only the quantile's coefficients. An edit of a
# spec may move its digest; nothing else ever may.
SAMPLES = {
    "lenet5": Sample(
        tensors=10,
        parameters=(25 + 1) * 6 + (6 * 25 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + 85 * 10,
        nbytes=61_706 * 4,
        digest="86fd7992e26a1e4d036a1e7d527222fd40ed9434bc3ac926e1e504229bba4192",
    ),
    "llama_tiny": Sample(
        tensors=1 + 2 * 9 + 2,
        parameters=2 * 512 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 176 + 2 * 64) + 64,
        nbytes=158_016 * 2,
        digest="78b1540a61cf5650c7ec62981cf728bc19588490372772372c3ea23608371677",
    ),
    "mnist_mlp": Sample(
        tensors=4,
        parameters=(784 + 1) * 128 + (128 + 1) * 10,
        nbytes=101_770 * 4,
        digest="c262bb905d49497c9c9c7e4e95804b5cc421413274e4645750e8bcad4e2a3228",
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
    assert plan.parameters == known.parameters
    assert plan.nbytes == known.nbytes


@pytest.mark.parametrize("name", SAMPLES)
def test_digest_is_pinned(name: str, tmp_path: Path) -> None:
    spec = FOLDER / f"{name}.yaml"
    path = tmp_path / f"{name}.safetensors"
    xavinit.write(spec, path)
    assert xavinit.digest(path) == SAMPLES[name].digest
    assert xavinit.digest(xavinit.generate(spec)) == SAMPLES[name].digest


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
