"""Does a spec's text give the tensors that it was derived from?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from xavinit.deriving.values import Family, NamedTensor
from xavinit.errors import SpecError
from xavinit.plan import (
    Constant,
    Law,
    Normal,
    TensorPlan,
    TruncatedNormal,
    Uniform,
    plan_spec,
)
from xavinit.spec import TensorSpec, parse_document, parse_pattern, resolve_spec

_LAWS: dict[str, Callable[..., Law]] = {
    "constant": Constant,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "uniform": Uniform,
}
LARGEST_FILE = 2**63 - 1  # bytes


def find_differing(
    text: str, tensors: Sequence[NamedTensor], inits: Mapping[str, Any]
) -> list[str]:
    """The names of tensors that the text does not give as they are.

    `inits` are the initializers of those tensors that should not have the default one. Raises
    `SpecError` where the text is no spec at all, or has a rule that changes nothing.
    """
    spec = resolve_spec(parse_document(text.encode(), "derived.yaml").data)
    if spec.warnings:
        raise spec.warnings[0]
    listed = {item.name: item for item in spec.listing if isinstance(item, TensorSpec)}
    # One tensor of each family is planned: the others are the same but for their names.
    examples = {item.family: item for item in listed.values()}
    plan = plan_spec(structs.replace(spec, listing=tuple(examples.values())))
    planned = dict(zip(examples, plan.tensors, strict=True))
    if sum(planned[item.family].nbytes for item in listed.values()) > LARGEST_FILE:
        raise SpecError("must be at most 2⁶³−1 bytes in total; got more")
    differing = []
    for tensor in tensors:
        item = listed.get(tensor.name)
        if item is None or (item.tie.target if item.tie else None) != tensor.tied:
            differing.append(tensor.name)
            continue
        found = planned[item.family]
        is_same = found.shape == tensor.shape and found.dtype.name == tensor.dtype
        if not is_same or (item.tie is None and not _is_drawn_so(found, inits.get(tensor.name))):
            differing.append(tensor.name)
    if not differing and len(listed) != len(tensors):
        raise SpecError(f"must give {len(tensors)} tensors; got {len(listed)}")
    return differing


def _is_drawn_so(planned: TensorPlan, init: Any) -> bool:
    """Has a tensor the zeros or ones that it should, and one of another initializer neither?"""
    if planned.law is None:
        return True
    if init in ("zeros", "ones"):
        return planned.law == Constant(0 if init == "zeros" else 1)
    if isinstance(init, dict):
        kind, *numbers = init.values()
        is_plain = kind in _LAWS and not any(isinstance(number, str) for number in numbers)
        return not is_plain or planned.law == _LAWS[kind](*numbers)
    return not isinstance(planned.law, Constant)


def list_inits(families: Sequence[Family], inits: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The initializer of each tensor by name, of families that have one of their own."""
    for family, init in zip(families, inits, strict=True):
        if family.tied is not None or init is None:
            continue
        text = family.texts[0].replace("{", "{{").replace("}", "}}")
        for run, more in zip(family.runs, family.texts[1:], strict=True):
            words = f"{{{','.join(map(str, run))}}}" if len(run) > 1 else str(run[0])
            text += words + more.replace("{", "{{").replace("}", "}}")
        for name, _ in parse_pattern(text, {}).expand():
            yield name, init
