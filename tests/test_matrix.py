"""The matrix's probe, in this environment; `make matrix` runs it in every other one."""

from __future__ import annotations

from pathlib import Path

import pytest
from matrix import probe

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.inits import KINDS, NAMED


def test_this_environment_gives_the_pinned_digest() -> None:
    assert probe.run()["tensors"] == probe.PINNED


def test_another_number_gives_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that equal digests mean something."""
    monkeypatch.setattr(probe, "SPEC", probe.SPEC.replace("0.3333333333333333", "0.25"))
    assert probe.run()["tensors"] != probe.PINNED


def test_the_probe_draws_every_initializer_and_dtype(tmp_path: Path) -> None:
    drawn: set[str] = set()
    for text in (probe.make_spec(probe.FLOATS), probe.make_later_spec()):
        (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
        plan = xavinit.make_plan(tmp_path / "spec.yaml")
        assert not plan.warnings
        assert {tensor.dtype.name for tensor in plan.tensors} == set(DTYPES)
        drawn |= {tensor.name.partition(".")[2] for tensor in plan.tensors}
    words = {"constant": "third"}
    plain = {"uniform", "normal", "truncated_normal"}
    wanted = {words.get(name, f"plain_{name}" if name in plain else name) for name in KINDS} - {
        "variance_scaling",
        "default",  # an rng's: the probe's layers are drawn by one
    }
    assert wanted | {name for name in NAMED if not name.startswith(("xavier", "kaiming"))} <= drawn
