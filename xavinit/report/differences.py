"""How two weights files differ, as text and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.reading import Number
from xavinit.verbs.difference import ComparedTensor, Difference, FileTensor, Spot
from xavinit.wording import plural


def format_difference(found: Difference, most: int) -> Iterator[str]:
    """A line for each difference, by name, at most so many; then one that sums up."""
    lines = [(tensor.name, _format_tensor(tensor)) for tensor in found.different]
    lines += [(tensor.name, _format_only(tensor, "A")) for tensor in found.only_in_a]
    lines += [(tensor.name, _format_only(tensor, "B")) for tensor in found.only_in_b]
    lines.sort()
    for _, line in lines[:most]:
        yield escape(line)
    if len(lines) > most:
        yield f"and {len(lines) - most:,} more"
    yield escape(_format_equal(found) if found.is_same else _format_different(found))


def _format_only(tensor: FileTensor, side: str) -> str:
    return f"{tensor.name}: only in {side}, {list(tensor.shape)} {tensor.dtype}"


def _format_tensor(tensor: ComparedTensor) -> str:
    facts = []
    if not tensor.same_dtype:
        a, b = (_list_dtypes(side) for side in (tensor.a, tensor.b))
        facts.append(f"dtype {a} in A, {b} in B")
        if tensor.fault is None and not tensor.different:
            facts.append("equal values" if not tensor.unequal else "values within the tolerance")
    if tensor.fault is not None:
        facts.append(tensor.fault)
    if tensor.different:
        facts += _list_amounts(tensor)
    if tensor.note is not None:
        facts.append(tensor.note)
    return f"{_format_name(tensor)}: {'; '.join(facts)}"


def _format_name(tensor: ComparedTensor) -> str:
    """PyTorch's name, and what a file calls it instead."""
    others = []
    for label, side in (("A", tensor.a), ("B", tensor.b)):
        names = [one.name for one in side if one.name != tensor.name]
        if names:
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            others.append(f"{names[0]}{more} in {label}")
    return f"{tensor.name} ({', '.join(others)})" if others else tensor.name


def _list_dtypes(side: tuple[FileTensor, ...]) -> str:
    return ", ".join(sorted({tensor.dtype for tensor in side}))


def _list_amounts(tensor: ComparedTensor) -> Iterator[str]:
    """How many elements differ, and by how much at most."""
    verb = "differs" if tensor.different == 1 else "differ"
    of = f" of {tensor.size:,}" if tensor.size != 1 else ""
    yield f"{tensor.different:,}{of} {verb}"
    if tensor.nonfinite and tensor.first is not None:
        yield f"NaN or infinity in one alone: {tensor.nonfinite:,}"
    amounts = [
        _format_amount(name, spot)
        for name, spot in (
            ("absolute", tensor.absolute),
            ("relative", tensor.relative),
            ("ulp", tensor.ulps),
        )
        if spot is not None
    ]
    if amounts:
        yield f"at most {', '.join(amounts)}"
    spot = tensor.absolute if tensor.absolute is not None else tensor.first
    if spot is not None:
        place = f"at {list(spot.index)} " if spot.index else ""
        yield f"{place}{_format_number(spot.a)} in A, {_format_number(spot.b)} in B"


def _format_amount(name: str, spot: Spot) -> str:
    place = f" at {list(spot.index)}" if spot.index else ""
    return f"{name} {_format_short(spot.amount)}{place}"


def _format_short(amount: Number | None) -> str:
    """
    >>> _format_short(0.25), _format_short(3.0), _format_short(18446744073709551615)
    ('0.25', '3', '18446744073709551615')
    """
    return str(amount) if isinstance(amount, int) else f"{amount:.4g}"


def _format_number(number: Number) -> str:
    """As many digits as tell two float32 apart; those of float64 are in the JSON."""
    return str(number) if isinstance(number, int) else f"{number:.9g}"


def _format_equal(found: Difference) -> str:
    line = f"equal: {plural(len(found.tensors), 'tensor')}, "
    line += plural(found.parameters, "parameter")
    near = [tensor for tensor in found.tensors if tensor.unequal]
    if near:
        spots = [tensor.absolute.amount for tensor in near if tensor.absolute is not None]
        line += f", within the tolerance: {plural(len(near), 'tensor')} by at most "
        line += _format_short(max(amount for amount in spots if amount is not None))  # type: ignore[type-var]
    return line + _tell_pairing(found)


def _format_different(found: Difference) -> str:
    line = f"different: {len(found.different):,} of {plural(len(found.tensors), 'tensor')}"
    for side, only in (("A", found.only_in_a), ("B", found.only_in_b)):
        if only:
            line += f", {len(only):,} only in {side}"
    return f"{line}{_tell_pairing(found)} (A is {found.a}, B is {found.b})"


def _tell_pairing(found: Difference) -> str:
    if found.paired_by != "spec":
        return ""
    if found.same_spec:
        return ", paired by the spec that both carry"
    return ", paired by the spec"


# --- JSON -------------------------------------------------------------------------------------


def difference_to_json(found: Difference) -> str:
    """The difference as a JSON object on one line."""
    content = {
        "version": JSON_VERSION,
        "a": found.a,
        "b": found.b,
        "is_same": found.is_same,
        "atol": found.atol,
        "rtol": found.rtol,
        "paired_by": found.paired_by,
        "same_spec": found.same_spec,
        "parameters": found.parameters,
        "only_in_a": [_describe_stored(tensor) for tensor in found.only_in_a],
        "only_in_b": [_describe_stored(tensor) for tensor in found.only_in_b],
        "tensors": [_describe_tensor(tensor) for tensor in found.tensors],
        "warnings": list(found.warnings),
    }
    return json.dumps(content, allow_nan=False)


def _describe_stored(tensor: FileTensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _describe_tensor(tensor: ComparedTensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "a": [_describe_stored(one) for one in tensor.a],
        "b": [_describe_stored(one) for one in tensor.b],
        "shape": list(tensor.shape),
        "is_same": tensor.is_same,
        "same_dtype": tensor.same_dtype,
        "unequal": tensor.unequal,
        "different": tensor.different,
        "nonfinite": tensor.nonfinite,
        "first": _describe_spot(tensor.first),
        "absolute": _describe_spot(tensor.absolute),
        "relative": _describe_spot(tensor.relative),
        "ulps": _describe_spot(tensor.ulps),
        "fault": tensor.fault,
        "note": tensor.note,
    }


def _describe_spot(spot: Spot | None) -> dict[str, Any] | None:
    if spot is None:
        return None
    return {
        "index": list(spot.index),
        "a": _describe_number(spot.a),
        "b": _describe_number(spot.b),
        "amount": spot.amount,
    }


def _describe_number(number: Number) -> Any:
    """A number, or what JSON does not have: a text, or a list of two parts."""
    if isinstance(number, complex):
        return [_describe_number(number.real), _describe_number(number.imag)]
    if isinstance(number, int) or math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
