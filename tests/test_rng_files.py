"""Files under an rng: they carry the order that their numbers have, and others' are recognized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import xavinit
from xavinit.errors import SpecError

ORDERED = {"rng": "torch-2.13", "seed": 3, "tensors": {"z": [20, 30], "a": [20, 30]}}
DENSE: dict[str, Any] = {"type": "dense", "in": 8, "out": 16}


def test_a_folder_of_npy_keeps_the_order_of_its_spec(tmp_path: Path) -> None:
    xavinit.generate(ORDERED, tmp_path / "n", format="npy")
    assert xavinit.verify(tmp_path / "n").is_same
    xavinit.generate(tmp_path / "n", tmp_path / "again.safetensors")
    again, drawn = load_file(tmp_path / "again.safetensors"), xavinit.draw(ORDERED)
    assert {name: array.tobytes() for name, array in again.items()} == {
        name: array.tobytes() for name, array in drawn.items()
    }


@pytest.mark.parametrize("rng", ["torch-2.13", {"type": "torch-2.13"}])
def test_the_name_of_an_rng_leaves_the_variants_of_the_spec(rng: object) -> None:
    layers = [{**DENSE, "name": "a"}, {**DENSE, "name": "b", "in": 16}]
    made = {"rng": {"type": "torch-2.13", "construction": "drawn"}, "layers": layers}
    plan = xavinit.make_plan(made, rng=rng)
    assert plan.stream == "torch-2.13,construction=drawn"
    assert xavinit.make_plan(made, rng="torch-2.13,construction=skipped").stream == "torch-2.13"
    assert xavinit.make_plan({"layers": layers}, rng=rng).stream == "torch-2.13"


def test_what_draws_and_has_no_tensor_is_no_tensor_of_a_difference(tmp_path: Path) -> None:
    layers = [{**DENSE, "name": "a"}, {"type": "draw"}, {**DENSE, "name": "b"}]
    spec = {"rng": "keras-3.15", "layers": layers}
    paths = [tmp_path / f"{name}.safetensors" for name in ("keras", "pytorch")]
    for path in paths:
        xavinit.generate(spec, path, framework=path.stem)
    found = xavinit.diff(*paths)
    assert found.is_same
    assert found.paired_by == "spec"
    assert len(found.tensors) == 4


def test_a_file_of_a_framework_is_compared_by_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file(xavinit.draw(ORDERED), path, metadata={"format": "pt"})
    assert xavinit.verify(path, ORDERED).is_same
    faults = xavinit.verify(path, ORDERED, seed=4).faults
    assert [fault.kind for fault in faults] == ["values"] * 2
    save_file({"z": np.zeros((20, 30), np.float32)}, path)
    kinds = {fault.kind for fault in xavinit.verify(path, ORDERED).faults}
    assert kinds == {"values", "missing_tensor"}


def test_a_layer_that_takes_a_number_is_not_left_out() -> None:
    with pytest.raises(SpecError) as raised:
        xavinit.make_plan({"rng": "keras-3.15", "layers": [{"name": "d", "type": "dropout"}]})
    assert "where it takes a number, write type: draw" in str(raised.value.hint)


TIED = [("wte", "head"), ("head", "wte")]
SPELLED = ["torch-2.13", "torch-2.13,construction=drawn", "keras-3.15", "jax-0.10,keys=linen"]


@pytest.mark.parametrize("rng", SPELLED)
@pytest.mark.parametrize(("copy", "drawn"), TIED)
@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
def test_a_copy_of_what_a_module_makes_is_a_copy(
    rng: str, copy: str, drawn: str, framework: str, tmp_path: Path
) -> None:
    layers = [
        {"name": name, "type": "dense", "in": 30, "out": 30} for name in ("wte", "fc", "head")
    ]
    spec = {
        "rng": rng,
        "defaults": {"init": "default"},
        "layers": layers,
        "rules": [{"match": f"{copy}.weight", "tied": f"{drawn}.weight"}],
    }
    xavinit.generate(spec, tmp_path / "w.safetensors", framework=framework)
    stored = load_file(tmp_path / "w.safetensors")
    kernels = {name: array for name, array in stored.items() if array.ndim == 2}
    first, between, last = (
        next(array for name, array in kernels.items() if part in name)
        for part in ("wte", "fc", "head")
    )
    assert (first == last).all()
    assert first.std() > 0.05
    assert (first != between).any()
    drawn_again = xavinit.draw(spec, framework=framework)
    assert all((drawn_again[name] == array).all() for name, array in stored.items())
