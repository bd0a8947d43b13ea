"""The rng `torch-2.13` against digests that PyTorch made (tests/golden/make_torch_golden.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_digests import compute_digest

GOLDEN = json.loads((Path(__file__).parent / "golden" / "torch-2.13.json").read_text())
CASES = GOLDEN["cases"]
# NumPy's kernel takes a hundred times as long: it draws some cases of each kind.
KINDS = ("seed 2147483648", "of 1 to 70", "small tensors", "padded row", "made", "at the ends")


def name_cases(cases: list[Any]) -> dict[str, Any]:
    return {f"{case['title']}, {case['cpu']}": case for case in cases}


@pytest.mark.parametrize("case", (named := name_cases(CASES)).values(), ids=named)
def test_what_pytorch_draws(case: dict[str, Any]) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    assert compute_digest(case["spec"]) == case["sha256"]


def list_few() -> dict[str, Any]:
    found = {
        name: {**case, "spec": cut(case["spec"])}
        for name, case in name_cases(CASES).items()
        if any(kind in name for kind in KINDS)
    }
    ends = {name: case for name, case in found.items() if "at the ends" in name}
    return dict(list(found.items())[::3]) | ends


def cut(spec: dict[str, Any]) -> dict[str, Any]:
    """The first tensors of a spec, up to a large one."""
    tensors: dict[str, Any] = {}
    for name, table in spec.get("tensors", {}).items():
        shape = table["shape"] if isinstance(table, dict) else table
        if shape == [64, 3, 7, 7] or len(tensors) == 20:
            break
        tensors[name] = table
    return {**spec, "tensors": tensors} if tensors else spec


@pytest.mark.parametrize("case", (few := list_few()).values(), ids=few)
def test_both_kernels_draw_the_same(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    monkeypatch.setenv("XAVINIT_KERNEL", "native")
    native = compute_digest(case["spec"])
    monkeypatch.setenv("XAVINIT_KERNEL", "numpy")
    assert compute_digest(case["spec"]) == native


def test_the_golden_file_tells_its_origin() -> None:
    assert GOLDEN["made"]["torch"].startswith("2.13.")
    assert GOLDEN["made"]["libc"] == "glibc 2.36"
    assert {case["cpu"] for case in CASES} == {"avx2", "plain"}
    seeds = {case["spec"]["seed"] for case in CASES}
    assert seeds >= {2**32 - 1, 2**32 + 5, -1, -(2**63), 2**64 - 1}
