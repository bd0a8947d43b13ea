"""`derive --rng auto`: is a tensor what a framework drew, and from which seed?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_derive_files import make_runner

import xavinit
from xavinit.cli import cli
from xavinit.errors import UsageError
from xavinit.verbs.fresh import AFTER_MAKING, LIKELY, OWN_SEED, Fresh, parse_seeds

DENSE = {"type": "dense", "in": 12, "out": 8}
LAYERS = [{"name": "0", **DENSE}, {"name": "2", "type": "dense", "in": 8, "out": 5}]
FLAX = {"framework": "flax", "layers": [{"name": "Dense_0", **DENSE}]}
GLOROT = {"defaults": {"init": "glorot_uniform"}}
KERNEL = "params.Dense_0.kernel"


def save(path: Path, spec: dict[str, Any]) -> Path:
    """A file without the spec: as a framework writes it."""
    save_file({k: np.ascontiguousarray(v) for k, v in xavinit.draw(spec).items()}, path)
    return path


@pytest.mark.parametrize(
    ("spec", "fresh"),
    [
        (
            {"rng": "torch-2.13", "layers": LAYERS, "defaults": {"init": "default"}},
            Fresh("0.weight", "torch-2.13", "default", 42, "torch.manual_seed, its first numbers"),
        ),
        (
            {"rng": "torch-2.13,construction=drawn", "layers": LAYERS, **GLOROT},
            Fresh(
                "0.weight",
                "torch-2.13",
                "glorot_uniform",
                42,
                "torch.manual_seed, after the making of all modules",
            ),
        ),
        (
            {"rng": "torch-2.13", "tensors": {"w": {"shape": [9, 7], "init": "he_normal"}}},
            Fresh("w", "torch-2.13", "he_normal", 42, "torch.manual_seed, its first numbers"),
        ),
        (
            {"rng": "keras-3.15", "framework": "keras", "layers": [{"name": "a", **DENSE}]},
            Fresh(
                "a/kernel",
                "keras-3.15",
                "glorot_uniform",
                42,
                "keras.utils.set_random_seed, its number 1",
            ),
        ),
        (
            {
                "rng": "keras-3.15",
                "tensors": {"w": {"shape": [9, 7], "seed": 42, "init": "he_truncated_normal"}},
            },
            Fresh("w", "keras-3.15", "he_truncated_normal", 42, "the initializer's own"),
        ),
        (
            {"rng": "jax-0.10", **FLAX},
            Fresh(KERNEL, "jax-0.10", "lecun_truncated_normal", 42, "jax.random.key"),
        ),
        (
            {"rng": "jax-0.10,keys=linen", **FLAX, **GLOROT},
            Fresh(KERNEL, "jax-0.10,keys=linen", "glorot_uniform", 42, "Linen's model.init"),
        ),
        (
            {
                "rng": "jax-0.10,keys=nnx",
                "framework": "flax",
                "layers": [{"type": "draw", "count": 5}, *FLAX["layers"]],
            },
            Fresh(
                KERNEL, "jax-0.10,keys=nnx", "lecun_truncated_normal", 42, "nnx.Rngs, its count 5"
            ),
        ),
    ],
    ids=lambda value: value.rng if isinstance(value, Fresh) else "",
)
@pytest.mark.parametrize("kernel", ["native", "numpy"])
def test_a_fresh_init_is_found(
    spec: dict[str, Any],
    fresh: Fresh,
    kernel: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kernel == "native":
        pytest.importorskip("xavinit.streams._kernel")
    monkeypatch.setenv("XAVINIT_KERNEL", kernel)
    path = save(tmp_path / "made.safetensors", {"seed": 42, **spec})
    derived = xavinit.derive(path, rng="auto", seeds=range(40, 45))
    assert derived.fresh == fresh
    assert f"# {fresh}." in derived.text.splitlines()


def test_the_seeds_that_people_like_are_tried(tmp_path: Path) -> None:
    assert {0, 1, 42, 123, 1234, 2024, 3407, 12345, 2**32 - 1} < set(LIKELY)
    assert len(LIKELY) == len(set(LIKELY))
    path = save(tmp_path / "made.safetensors", {"seed": 3407, "rng": "jax-0.10,keys=linen", **FLAX})
    fresh = xavinit.derive(path, rng="auto").fresh
    assert fresh is not None
    assert fresh.seed == 3407


def test_a_trained_tensor_is_not_fresh(tmp_path: Path) -> None:
    """One bit of one element is another."""
    arrays = xavinit.draw({"seed": 42, "rng": "jax-0.10,keys=linen", **FLAX})
    arrays[KERNEL].view(np.uint32).reshape(-1)[-1] ^= 1
    save_file(arrays, tmp_path / "made.safetensors")
    derived = xavinit.derive(tmp_path / "made.safetensors", rng="auto", seeds=[42])
    assert derived.fresh is None
    told = "No seed that was tried gives a tensor of it under torch-2.13, keras-3.15, jax-0.10."
    assert f"# {told}" in derived.text.splitlines()


def test_a_file_of_ours_is_looked_at_too(tmp_path: Path) -> None:
    xavinit.generate({"seed": 42, "rng": "jax-0.10", **FLAX}, tmp_path / "ours.safetensors")
    derived = xavinit.derive(tmp_path / "ours.safetensors", rng="auto", seeds=[42])
    assert derived.fresh is not None
    assert derived.fresh.seed == derived.spec["seed"] == 42
    assert f"# {derived.fresh}." in derived.text.splitlines()


def test_the_seed_that_a_file_carries_is_tried(tmp_path: Path) -> None:
    assert 77_777 not in LIKELY
    xavinit.generate({"seed": 77_777, "rng": "jax-0.10", **FLAX}, tmp_path / "ours.safetensors")
    fresh = xavinit.derive(tmp_path / "ours.safetensors", rng="auto").fresh
    assert fresh is not None
    assert fresh.seed == 77_777


@pytest.mark.parametrize(
    ("rng", "said"),
    [
        (
            "jax-0.10,keys=linen",
            "rng: {type: jax-0.10, keys: linen}, seed: 42 and init: he_uniform",
        ),
        ("jax-0.10", "rng: jax-0.10, seed: 42 and init: he_uniform"),
    ],
)
def test_the_lines_that_it_tells_draw_the_file(rng: str, said: str, tmp_path: Path) -> None:
    """Although a file lists a bias before its kernel."""
    init = {"defaults": {"init": "he_uniform"}}
    layers = [{"name": "Dense_0", **DENSE}, {"name": "Dense_1", "type": "dense", "in": 8, "out": 5}]
    made = {"seed": 42, "rng": rng, "framework": "flax", "layers": layers, **init}
    path = save(tmp_path / "made.safetensors", made)
    text = xavinit.derive(path, rng="auto").text
    assert f"# The lines below draw other numbers; for its own write {said}." in text.splitlines()
    seed, law = "seed: 42", "init: he_uniform"
    rng_line = said.split(", seed")[0]
    text = text.replace("seed: 0", f"{rng_line}\n{seed}").replace("init: glorot_uniform", law)
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    assert xavinit.digest(xavinit.draw(tmp_path / "spec.yaml")) == xavinit.digest(path)


@pytest.mark.parametrize(
    ("fresh", "told"),
    [
        (
            Fresh("w", "torch-2.13", "he_normal", 1, "torch.manual_seed, its first numbers"),
            "rng: torch-2.13, seed: 1 and init: he_normal, and layers in the program's order in "
            "place of tensors",
        ),
        (
            Fresh("w", "torch-2.13", "he_normal", 1, AFTER_MAKING),
            "rng: {type: torch-2.13, construction: drawn}, seed: 1 and init: he_normal, and layers "
            "in the program's order in place of tensors",
        ),
        (
            Fresh("w", "keras-3.15", "he_uniform", 1, OWN_SEED),
            "rng: keras-3.15, and of that tensor seed: 1 and init: he_uniform",
        ),
        (
            Fresh("w", "jax-0.10,keys=nnx", "he_uniform", 1, "nnx.Rngs, its count 0"),
            "rng: {type: jax-0.10, keys: nnx}, seed: 1 and init: he_uniform, and the tensors or "
            "layers in the program's order",
        ),
    ],
)
def test_it_tells_what_else_the_numbers_need(fresh: Fresh, told: str) -> None:
    assert fresh.tell_lines() == f"The lines below draw other numbers; for its own write {told}."


@pytest.mark.parametrize(
    "array",
    [
        np.ones((9, 9), np.float64),
        np.arange(64, dtype=np.float32),
        np.zeros((9, 9), np.float32),
        np.arange(9, dtype=np.float32).reshape(3, 3),
    ],
    ids=["float64", "vector", "constant", "small"],
)
def test_what_cannot_be_tried_is_not_said_to_be_no_seeds(array: Any, tmp_path: Path) -> None:
    save_file({"w": array}, tmp_path / "made.safetensors")
    derived = xavinit.derive(tmp_path / "made.safetensors", rng="auto")
    assert derived.fresh is None
    assert derived.sought == (
        "Nothing of it can be tried: an rng is looked for in matrices of float32, of 16 to 2²⁸ "
        "elements that are not all alike."
    )
    assert f"# {derived.sought}" in derived.text.splitlines()


def test_nothing_is_looked_for_unless_asked(tmp_path: Path) -> None:
    path = save(tmp_path / "made.safetensors", {"seed": 42, "rng": "jax-0.10", **FLAX})
    derived = xavinit.derive(path)
    assert derived.fresh is None
    assert "fresh" not in derived.text


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"rng": "torch-2.13"}, 'rng must be auto; got "torch-2.13"'),
        ({"seeds": [1]}, "seeds are tried with rng=auto alone (--rng auto)"),
        ({"rng": "auto", "seeds": []}, "seeds must be from 1 to 1,000,000 of them; got none"),
        (
            {"rng": "auto", "seeds": range(10**7)},
            "seeds must be from 1 to 1,000,000 of them; got more than 1,000,000",
        ),
        ({"rng": "auto", "seeds": [-1]}, "seeds must be integers from 0 to 2⁶⁴−1; got -1"),
    ],
)
def test_bad_arguments(keys: Any, fact: str, tmp_path: Path) -> None:
    path = save(tmp_path / "made.safetensors", {"rng": "jax-0.10", **FLAX})
    with pytest.raises(UsageError) as caught:
        xavinit.derive(path, **keys)
    assert str(caught.value).splitlines()[0] == fact
    assert (caught.value.hint is not None) == ("-1" in fact)


def test_only_a_file_has_numbers_of_a_seed() -> None:
    with pytest.raises(UsageError, match="an rng is looked for in a weights file alone"):
        xavinit.derive({"w": np.zeros((4, 4), np.float32)}, rng="auto")


def test_the_command_tells_it_and_writes_the_spec(tmp_path: Path) -> None:
    path = save(tmp_path / "made.safetensors", {"seed": 1500, "rng": "jax-0.10", **FLAX})
    asked = ["derive", str(path), "--rng", "auto", "--seeds"]
    done = make_runner().invoke(cli, [*asked, "1000..1999"])
    assert done.exit_code == 0
    assert "jax-0.10 draws every bit of it from seed 1500 (jax.random.key)" in done.stderr
    assert "Dense_0" in done.stdout


@pytest.mark.parametrize("text", ["3..1", "a..b", "0..1000000", "-1", "1..2..3"])
def test_bad_ranges_of_seeds(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--seeds must be A\.\.B"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["-5..5", "-1", "0..-3"])
def test_negative_seeds_are_told_by_their_other_name(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_seeds(text)
    assert caught.value.hint == (
        "a negative seed of PyTorch or JAX is the one that is 2⁶⁴ more: −1 is 18446744073709551615"
    )
