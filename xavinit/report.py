"""Plans and reports as text and as JSON, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.plan import (
    Constant,
    GateConstant,
    Law,
    Normal,
    Plan,
    TensorPlan,
    TruncatedNormal,
    Uniform,
)
from xavinit.verbs.generate import Report
from xavinit.wording import format_bytes, plural

WIDTH = 80
_WIDEST_SHAPE = 20
_TOLD_SHARE = 0.01  # of values that round to zero; fewer are not worth a word

_COLUMNS = ("NAME", "SHAPE", "DTYPE", "FAN_IN", "FAN_OUT", "LAW", "BYTES")


def format_plan(plan: Plan) -> Iterator[str]:
    """The lines of a table: one a tensor where that fits 80 columns, else the name on its own."""
    rows = [_COLUMNS, *(_make_row(tensor) for tensor in plan.tensors)]
    widths = [max(len(row[column]) for row in rows) for column in range(1, len(_COLUMNS))]
    room = WIDTH - sum(widths) - 2 * len(widths)
    name_width = max(len(row[0]) for row in rows)
    alone = name_width > room
    if alone:
        name_width = max(WIDTH - sum(widths) - 2 * len(widths), 2)
    for name, *cells in rows:
        aligned = "  ".join(
            cell.ljust(width) if column in (0, 1, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        if len(name) > name_width:
            yield name
            name = ""
        yield f"{name.ljust(name_width)}  {aligned}".rstrip()
    yield format_total(plan)


def format_total(plan: Plan) -> str:
    count = plural(len(plan.tensors), "tensor")
    parameters = plural(plan.parameters, "parameter")
    return f"{count}, {parameters}, {plan.nbytes:,} bytes ({format_bytes(plan.nbytes)})"


def _make_row(tensor: TensorPlan) -> tuple[str, ...]:
    fan_in, fan_out = map(str, tensor.fans) if tensor.fans else ("-", "-")
    name, shape = escape(tensor.name), "×".join(map(str, tensor.shape)) or "scalar"
    if len(shape) > _WIDEST_SHAPE:
        name, shape = f"{name}  {shape}", ""  # beside the name, lest it widens every row
    return (
        name,
        shape,
        tensor.dtype.name,
        fan_in,
        fan_out,
        _format_law(tensor),
        f"{tensor.nbytes:,}",
    )


def _format_law(tensor: TensorPlan) -> str:
    if tensor.law is None:
        return "-"
    text = str(tensor.law)
    if tensor.view is not None and tensor.view.zeros:
        text += f" at 0…{tensor.view.count - 1}"
    share = _compute_zero_share(tensor)
    return f"{text}, {share:.0%} zeros" if share >= _TOLD_SHARE else text


def _compute_zero_share(tensor: TensorPlan) -> float:
    """The share of its values that round to zero in its dtype."""
    if tensor.law is None or not tensor.dtype.is_float:
        return 0.0
    return tensor.law.compute_zero_share(tensor.dtype)


def plan_to_json(plan: Plan) -> str:
    """The plan as a JSON object on one line."""
    content = {
        "version": JSON_VERSION,
        "stream": plan.stream,
        "seed": plan.seed,
        "framework": plan.framework,
        "tensors": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "dtype": tensor.dtype.name,
                "fan_in": tensor.fans.fan_in if tensor.fans else None,
                "fan_out": tensor.fans.fan_out if tensor.fans else None,
                "law": _law_to_json(tensor),
                "zero_share": _compute_zero_share(tensor),
                "stream": tensor.stream,
                "bytes": tensor.nbytes,
            }
            for tensor in plan.tensors
        ],
        "parameters": plan.parameters,
        "bytes": plan.nbytes,
    }
    return json.dumps(content)


def _law_to_json(tensor: TensorPlan) -> dict[str, Any] | None:
    """The law; with `start` and `stop` where it is that of these elements, and others are zero."""
    content = _describe_law(tensor.law)
    if content is not None and tensor.view is not None and tensor.view.zeros:
        content |= {"start": 0, "stop": tensor.view.count}
    return content


def _describe_law(law: Law | None) -> dict[str, Any] | None:
    match law:
        case None:
            return None
        case GateConstant(value, start, stop):
            return {"type": "constant", "value": value, "start": start, "stop": stop}
        case Constant(value):
            return {"type": "constant", "value": value}
        case Uniform(bound):
            return {"type": "uniform", "bound": bound}
        case Normal(std):
            return {"type": "normal", "std": std}
        case TruncatedNormal(std):
            return {"type": "truncated_normal", "std": std}


def format_report(report: Report, dry_run: bool) -> str:
    """One line on what was written, or would be."""
    verb = "would write" if dry_run else "wrote"
    size = f"{plural(report.tensors, 'tensor')}, {format_bytes(report.nbytes)}"
    took = "" if dry_run else f" in {report.seconds:.2f} s"
    path = "standard output" if report.path == "-" else escape(report.path)
    shards = "" if report.shards is None else f", {plural(report.shards, 'shard')}"
    return f"{verb} {path} ({report.format}{shards}): {size}, seed {report.seed}{took}"


def report_to_json(report: Report, dry_run: bool) -> str:
    """The report as a JSON object on one line."""
    content = {
        "version": JSON_VERSION,
        "path": report.path,
        "format": report.format,
        "shards": report.shards,
        "tensors": report.tensors,
        "parameters": report.parameters,
        "bytes": report.nbytes,
        "stream": report.stream,
        "seed": report.seed,
        "seconds": round(report.seconds, 6),
        "dry_run": dry_run,
        "warnings": [str(warning) for warning in report.warnings],
    }
    return json.dumps(content)
