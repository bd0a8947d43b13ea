"""What is in a weights file, as JSON: for programs, and for the page that shows it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from xavinit.failures import JSON_VERSION
from xavinit.reading import QUANTILES, Histogram, Summary
from xavinit.report.guesses import guess_to_data
from xavinit.verbs.inspect import InspectedTensor, Inspection


def inspection_to_json(inspection: Inspection) -> str:
    """The inspection as a JSON object on one line."""
    return json.dumps(inspection_to_data(inspection), allow_nan=False)


def inspection_to_data(inspection: Inspection) -> dict[str, Any]:
    """What the JSON object holds. Figures that do not exist are None: JSON has no NaN."""
    summaries = [tensor.summary for tensor in inspection.tensors]
    return {
        "version": JSON_VERSION,
        "path": inspection.path,
        "format": inspection.format,
        "metadata": dict(inspection.metadata),
        "spec": _make_spec(inspection.spec),
        "seed": inspection.seed,
        "stream": inspection.stream,
        "tensors": [_describe_tensor(tensor) for tensor in inspection.tensors],
        "match": inspection.match,
        "tensors_in_file": inspection.whole,
        "skipped": inspection.skipped,
        "parameters": inspection.parameters,
        "bytes": inspection.nbytes,
        "zeros": sum(summary.zeros for summary in summaries),
        "nans": sum(summary.nans for summary in summaries),
        "positive_infinities": sum(summary.positive_infinities for summary in summaries),
        "negative_infinities": sum(summary.negative_infinities for summary in summaries),
    }


def _make_spec(spec: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The spec, or None where a stranger wrote into the file what no spec has and no JSON."""
    if spec is None:
        return None
    content = dict(spec)
    try:
        json.dumps(content, allow_nan=False)
    except (ValueError, RecursionError):  # NaN, 1e999; nested too deeply
        return None
    return content


def _describe_tensor(tensor: InspectedTensor) -> dict[str, Any]:
    summary = tensor.summary
    return {
        "name": tensor.name,
        "label": tensor.label,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "count": tensor.size,
        "bytes": tensor.nbytes,
        "mean": _make_figure(summary.mean),
        "std": _make_figure(summary.std),
        "min": _make_figure(summary.min),
        "max": _make_figure(summary.max),
        "zeros": summary.zeros,
        "nans": summary.nans,
        "positive_infinities": summary.positive_infinities,
        "negative_infinities": summary.negative_infinities,
        "quantiles": _describe_quantiles(summary),
        "histogram": _describe_histogram(summary.histogram),
        "law": guess_to_data(summary.guess),
    }


def _make_figure(number: float | int | None) -> float | int | None:
    """A number that JSON has: not the std of values so large that their squares overflow."""
    if isinstance(number, bool):  # of a tensor of them
        return int(number)
    return number if number is not None and math.isfinite(number) else None


def _describe_quantiles(summary: Summary) -> dict[str, float | int | None] | None:
    if summary.quantiles is None:
        return None
    figures = map(_make_figure, summary.quantiles)
    return dict(zip(map(str, QUANTILES), figures, strict=True))


def _describe_histogram(histogram: Histogram | None) -> dict[str, Any] | None:
    """Its edges and counts; None where an edge lies beyond the largest float64."""
    if histogram is None or not all(map(math.isfinite, histogram.edges)):
        return None
    return {"edges": list(histogram.edges), "counts": list(histogram.counts)}
