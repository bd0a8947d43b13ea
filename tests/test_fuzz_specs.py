"""Properties of whole specs: valid ones mean the same in every form, bad ones get one message."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from strategies import make_near_spec, make_spec

import xavinit
from xavinit.errors import SpecError
from xavinit.plan import Plan, plan_spec
from xavinit.spec import parse_document, resolve_spec

QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,  # a test that is never flaky; `make fuzz` looks for more
    suppress_health_check=[HealthCheck.too_slow],
)


def plan_text(text: str, name: str) -> Plan:
    document = parse_document(text.encode(), name)
    with document.locating():
        return plan_spec(resolve_spec(document.data))


def to_yaml(spec: Any, flow: bool | None) -> str:
    """YAML by another library; what YAML 1.1 and 1.2 read differently, it quotes for both."""
    text = yaml.safe_dump(spec, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    return str(text)


def quote_strings(spec: Any) -> str:
    """YAML with every string in double quotes, so that no reader takes it for anything else."""

    class Quoting(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Quoting.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    )
    return str(yaml.dump(spec, Dumper=Quoting, sort_keys=False))


def list_tensors(plan: Plan) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in plan.tensors}


@QUICK
@given(make_spec())
def test_a_valid_spec_means_the_same_in_every_form(spec: dict[str, Any]) -> None:
    plan = xavinit.make_plan(spec)
    texts = [
        (json.dumps(spec), "s.json"),
        (json.dumps(spec, indent=1, ensure_ascii=False), "s"),
        (quote_strings(spec), "s.yaml"),
    ]
    for text, name in texts:
        other = plan_text(text, name)
        assert (other.tensors, other.canonical, other.seed) == (
            plan.tensors,
            plan.canonical,
            plan.seed,
        )


@QUICK
@given(make_spec(), st.randoms(use_true_random=False))
def test_order_changes_no_tensor(spec: dict[str, Any], chance: Any) -> None:
    entries = list(spec["tensors"].items())
    chance.shuffle(entries)
    other = {**spec, "tensors": dict(entries)}
    assert list_tensors(xavinit.make_plan(other)) == list_tensors(xavinit.make_plan(spec))
    assert xavinit.make_plan(other).canonical == xavinit.make_plan(spec).canonical


@QUICK
@given(make_spec())
def test_a_valid_spec_is_drawn_and_written(spec: dict[str, Any]) -> None:
    plan = xavinit.make_plan(spec)
    arrays = xavinit.draw(plan)
    assert list(arrays) == [tensor.name for tensor in plan.tensors]
    for tensor in plan.tensors:
        array = arrays[tensor.name]
        assert (array.shape, array.dtype.name) == (tensor.shape, tensor.dtype.name)
        assert np.isfinite(array.astype(np.float64)).all()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.safetensors")
        xavinit.generate(plan, path)
        with safe_open(path, "numpy") as file:
            assert set(file.keys()) == set(arrays)
        assert xavinit.digest(path) == xavinit.digest(arrays)


@settings(QUICK, max_examples=300)
@given(make_near_spec())
def test_a_nearly_valid_spec_plans_or_says_why(spec: Any) -> None:
    outcomes = set()
    for text, name in ((json.dumps(spec), "s.json"), (quote_strings(spec), "s.yaml")):
        try:
            plan_text(text, name)
            outcomes.add("planned")
        except SpecError as error:
            outcomes.add(check_message(str(error), name))
    # The two forms agree; JSON has no NaN and no infinity, so there they are one error earlier.
    if not any(word in json.dumps(spec) for word in ("NaN", "Infinity")):
        assert len(outcomes) == 1


def check_message(message: str, name: str) -> str:
    """A message is a line with its place, and at most a hint and the choices, a line each; so is
    each of several. Returns what they say.
    """
    lines = message.split("\n")
    starts = [number for number, line in enumerate(lines) if not line.startswith("  ")]
    parts = [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return "\n".join(check_one(part, name) for part in parts)


def check_one(lines: list[str], name: str) -> str:
    message = "\n".join(lines)
    first, *rest = lines
    place, said = first.split(": ", 1)
    assert place.startswith(f"{name}:") or place == name, message
    assert first.isprintable(), message
    heads = [line[: line.index(": ") + 2] for line in rest]
    assert heads in ([], ["  hint: "], ["  choices: "], ["  hint: ", "  choices: "]), message
    assert all(line.isprintable() for line in rest), message
    assert len(first) < 1000, message
    return "\n".join([said, *rest])


@pytest.mark.parametrize("flow", [False, True, None])
def test_a_sample_survives_another_librarys_yaml(flow: bool | None) -> None:
    path = Path(__file__).parents[1] / "sample_specs" / "gpt2.yaml"
    spec = yaml.safe_load(path.read_text())
    assert plan_text(to_yaml(spec, flow), "s.yaml").tensors == xavinit.make_plan(path).tensors
