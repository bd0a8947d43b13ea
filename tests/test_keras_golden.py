"""The rng `keras-3.15` against digests that Keras made (tests/golden/make_keras_golden.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_digests import compute_digest

GOLDEN = json.loads((Path(__file__).parent / "golden" / "keras-3.15.json").read_text())
CASES = GOLDEN["cases"]
# NumPy's kernel takes a hundred times as long: it draws some cases of each kind.
KINDS = ("of seed 2147483645", "of 1 to 70", "set_random_seed(1234)", "set_random_seed(42)")


def name_cases(cases: list[Any]) -> dict[str, Any]:
    return {f"{case['title']}, {case['backend']}": case for case in cases}


@pytest.mark.parametrize("case", (named := name_cases(CASES)).values(), ids=named)
def test_what_keras_draws(case: dict[str, Any]) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    assert compute_digest(case["spec"]) == case["sha256"]


FEW = {
    name: case
    for name, case in list(named.items())[::2]
    if any(kind in name for kind in KINDS) and case["backend"] != "numpy"  # one kernel makes it
}


@pytest.mark.parametrize("case", FEW.values(), ids=FEW)
def test_numpys_kernel_draws_the_same(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAVINIT_KERNEL", "numpy")
    assert compute_digest(case["spec"]) == case["sha256"]


def test_the_golden_file_tells_its_origin() -> None:
    made = GOLDEN["made"]
    assert (made["keras"], made["tensorflow"]) == ("3.15.1", "2.21.0")
    assert made["libc"] == "glibc 2.36"
    assert {case["backend"] for case in CASES} == {"tensorflow", "jax", "torch", "numpy"}
    own = {case["spec"].get("defaults", {}).get("seed") for case in CASES}
    assert own >= {2**31 - 2, 2**31 - 1, 2**32 - 1, 2**32 + 5, 2**40 + 3, -1}
