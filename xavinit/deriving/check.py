"""Does a spec's text give the tensors that it was derived from?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xavinit.deriving.values import Family, NamedTensor
from xavinit.errors import SpecError
from xavinit.plan import Constant, TensorPlan, plan_spec
from xavinit.spec import TensorSpec, parse_document, parse_pattern, resolve_spec

_CONSTANTS = {"zeros": 0, "ones": 1}


def find_differing(
    text: str, tensors: Sequence[NamedTensor], inits: Mapping[str, Any]
) -> list[str]:
    """The names of tensors that the text does not give as they are.

    `inits` are the initializers that some of them should have. Raises `SpecError` where the text is
    no spec at all, or has a rule that changes nothing.
    """
    spec = resolve_spec(parse_document(text.encode(), "derived.yaml").data)
    if spec.warnings:
        raise spec.warnings[0]
    planned = {tensor.name: tensor for tensor in plan_spec(spec).tensors}
    targets = {
        listed.name: listed.tie.target
        for listed in spec.listing
        if isinstance(listed, TensorSpec) and listed.tie is not None
    }
    differing = [
        tensor.name
        for tensor in tensors
        if tensor.name not in planned
        or not _is_same(planned[tensor.name], tensor, targets.get(tensor.name))
        or not _is_drawn_so(planned[tensor.name], inits.get(tensor.name))
    ]
    if not differing and len(planned) != len(tensors):
        raise SpecError(f"must give {len(tensors)} tensors; got {len(planned)}")
    return differing


def _is_same(planned: TensorPlan, tensor: NamedTensor, target: str | None) -> bool:
    return (
        planned.shape == tensor.shape
        and planned.dtype.name == tensor.dtype
        and target == tensor.tied
    )


def _is_drawn_so(planned: TensorPlan, init: Any) -> bool:
    """Has a tensor the zeros or ones that it should; one of another initializer, neither?"""
    if init is None or planned.law is None:
        return True
    if init in _CONSTANTS:
        return planned.law == Constant(_CONSTANTS[init])
    return not isinstance(planned.law, Constant) or isinstance(init, dict)


def list_inits(families: Sequence[Family], inits: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The initializer of each tensor by name, as its family should have it."""
    for family, init in zip(families, inits, strict=True):
        if family.tied is not None:
            continue
        text = family.texts[0].replace("{", "{{").replace("}", "}}")
        for run, more in zip(family.runs, family.texts[1:], strict=True):
            words = f"{{{','.join(map(str, run))}}}" if len(run) > 1 else str(run[0])
            text += words + more.replace("{", "{{").replace("}", "}}")
        for name, _ in parse_pattern(text, {}).expand():
            yield name, init
