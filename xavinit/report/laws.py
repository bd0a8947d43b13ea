"""A tensor's law as text and as JSON."""

from __future__ import annotations

from typing import Any

from xavinit.plan import (
    Arange,
    Constant,
    CutNormal,
    GateConstant,
    Law,
    LogArange,
    Normal,
    NormalAround,
    TensorPlan,
    TruncatedNormal,
    Uniform,
    UniformOn,
    Values,
)

_MOST_ROWS = 3  # of those that are zero, told in a table
_TOLD_SHARE = 0.01  # of values that round to zero; fewer are not worth a word


def format_law(tensor: TensorPlan) -> str:
    if tensor.law is None:
        return "-"
    text = str(tensor.law)
    if tensor.view is not None and tensor.view.zeros:
        text += f" at 0…{tensor.view.count - 1}"
    if tensor.zero_rows:
        rows = ", ".join(map(str, tensor.zero_rows[:_MOST_ROWS]))
        text += f", rows {rows}{', …' if len(tensor.zero_rows) > _MOST_ROWS else ''} zero"
    share = compute_zero_share(tensor)
    return f"{text}, {share:.0%} zeros" if share >= _TOLD_SHARE else text


def compute_zero_share(tensor: TensorPlan) -> float:
    """The share of its values that round to zero in its dtype."""
    if tensor.law is None or not tensor.dtype.is_float:
        return 0.0
    return tensor.law.compute_zero_share(tensor.dtype)


def law_to_json(tensor: TensorPlan) -> dict[str, Any] | None:
    """The law; with `start` and `stop` where it is that of these elements, and others are zero."""
    content = describe_law(tensor.law)
    if content is not None and tensor.view is not None and tensor.view.zeros:
        content |= {"start": 0, "stop": tensor.view.count}
    return content


def describe_law(law: Law | None) -> dict[str, Any] | None:
    match law:
        case None:
            return None
        case GateConstant(value, start, stop):
            return {"type": "constant", "value": value, "start": start, "stop": stop}
        case Constant(value):
            return {"type": "constant", "value": value}
        case Arange(start, step, repeat):
            # Not "start", which tells where the law begins.
            return {"type": "arange", "first": start, "step": step, "repeat": repeat}
        case Values(values):
            return {"type": "values", "count": len(values)}  # the numbers are in the spec
        case LogArange():
            return {"type": "log_arange"}
        case Uniform(bound):
            return {"type": "uniform", "bound": bound}
        case Normal(std):
            return {"type": "normal", "std": std}
        case UniformOn(low, high):
            return {"type": "uniform", "low": low, "high": high}
        case NormalAround(mean, std):
            return {"type": "normal", "mean": mean, "std": std}
        case CutNormal(mean, std, low, high):
            return {"type": "cut_normal", "mean": mean, "std": std, "low": low, "high": high}
        case TruncatedNormal(std):
            return {"type": "truncated_normal", "std": std}
