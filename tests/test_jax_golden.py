"""The rng `jax-0.10` against digests that JAX and Flax made (tests/golden/make_jax_golden.py)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import xavinit

GOLDEN = json.loads((Path(__file__).parent / "golden" / "jax-0.10.json").read_text())
CASES = {case["title"]: case for case in GOLDEN["cases"]}
# NumPy's kernel takes many times as long: it draws some cases of each kind.
LARGE = ("4096", "multilayer")


def compute_digest(spec: dict[str, Any]) -> str:
    total = hashlib.sha256()
    for _, array in sorted(xavinit.draw(spec).items()):
        total.update(array.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_jax_draws(case: dict[str, Any]) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    assert compute_digest(case["spec"]) == case["sha256"]


def list_few() -> dict[str, Any]:
    found = {
        name: case
        for name, case in CASES.items()
        if not any(kind in name for kind in LARGE) and [784, 128] not in list_shapes(case["spec"])
    }
    return dict(list(found.items())[::12])


def list_shapes(spec: dict[str, Any]) -> list[Any]:
    return list(spec.get("tensors", {}).values())


@pytest.mark.parametrize("case", (few := list_few()).values(), ids=few)
def test_numpy_draws_the_same(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAVINIT_KERNEL", "numpy")
    assert compute_digest(case["spec"]) == case["sha256"]


def test_the_golden_file_tells_its_origin() -> None:
    assert GOLDEN["made"]["jax"].startswith("0.10.")
    assert GOLDEN["made"]["flax"].startswith("0.12.")
    seeds = {case["spec"]["seed"] for case in CASES.values()}
    assert seeds >= {2**31 - 2, 2**32 - 1, 2**32 + 5, 2**40 + 3, -1, -(2**63), 2**63 - 1}
