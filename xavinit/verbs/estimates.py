"""Laws whose parameter is measured: what it is, what it may be, and which may be one."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from msgspec import Struct

from xavinit.plan import Normal, TruncatedNormal, Uniform
from xavinit.reading import QUANTILES, Summary
from xavinit.verbs.decimals import round_near

TOO_FEW = "too few values to tell a law"
LIKE_WEIGHT = "like its weight? too few values to tell"
LIKE_NORMAL = "normal? it may be of no law"
NO_LAW = "looks like no law"

MOST_OWN = 1000  # tensors that look like no law, each with a parameter of its own
_LEAST = 32_768  # values with which every law is told (reading/guesses.py)
_UNSURE = 5  # standard errors by which two estimates of one parameter may differ
_LEAST_UNIFORM = 64  # values whose largest shows that they are not normal
_RARE = 1e-6  # with this chance, all values would be so small
_FLAT = 1.8  # largest magnitude over std: √3 of a uniform law, above 2.2 of 64 normal values
_BIN = 1 / 128  # how wide the bins of quantiles are, relatively
_LARGEST = sys.float_info.max
_DIGITS = re.compile("[0-9]+")


class Estimate(Struct, frozen=True):
    """A law whose parameter was measured: what it is, and what it may be."""

    kind: str  # normal, truncated_normal, uniform or constant
    value: float
    low: float
    high: float
    note: str


def tell_special(summary: Summary) -> str:
    infinities = summary.positive_infinities + summary.negative_infinities
    told = [f"{summary.nans:,} NaN"] if summary.nans else []
    if infinities:
        told.append("1 infinity" if infinities == 1 else f"{infinities:,} infinities")
    return f"{' and '.join(told)} in the source" if told else ""


def join_notes(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _find_std(summary: Summary) -> float:
    """The std of the values, where their squares neither overflow nor vanish."""
    low, high, std = float(summary.min or 0), float(summary.max or 0), summary.std or 0.0
    return std if 0 < std <= high - low else (high - low) / 4


def _is_constant_nearer(summary: Summary) -> bool:
    """Is one number nearer to the values than a normal law about zero? By Wasserstein's distance
    W₂: the std is lost in the one, the mean in the other.
    """
    return abs(summary.mean or 0.0) > _find_std(summary)


def estimate_law(summary: Summary) -> Estimate:
    """The parameter of the law that is told, or of the nearest one."""
    size = summary.size
    special = tell_special(summary)
    if summary.guess is not None:
        law = summary.guess.law
        if isinstance(law, Normal):
            return _make_estimate("normal", law.std, size, "")
        if isinstance(law, TruncatedNormal):
            return _make_estimate("truncated_normal", law.std, size, "")
        if isinstance(law, Uniform):
            return _make_estimate("uniform", law.bound, size, "")
    mean, std = summary.mean or 0.0, _find_std(summary)
    if _is_constant_nearer(summary):
        note = join_notes(special, f"{NO_LAW}: near this number")
        return Estimate("constant", mean, mean - std / 10, mean + std / 10, note)
    largest = max(abs(float(summary.min or 0)), abs(float(summary.max or 0)))
    if size < _LEAST and not special and abs(mean) <= _UNSURE * std / math.sqrt(size):
        if size >= _LEAST_UNIFORM and largest < _FLAT * std:
            return _make_estimate("uniform", largest, size, TOO_FEW)
        return _make_estimate("normal", std, size, TOO_FEW)
    if not special and _looks_normal(summary):
        return _make_estimate("normal", std, size, LIKE_NORMAL)
    is_centered = abs(mean) <= _UNSURE * std / math.sqrt(size)
    told = NO_LAW if is_centered else f"{NO_LAW}: mean {round_near(mean):g}"
    return Estimate("normal", std, 0.95 * std, 1.05 * std, join_notes(special, told))


def _looks_normal(summary: Summary) -> bool:
    """Are the quantiles those of a normal law about zero?

    Square matrices may be normal and yet not be told so, since orthogonal ones look the same
    (reading/guesses.py): a few of the same kind as others that are told, by chance.
    """
    std, unit = _find_std(summary), NormalDist()
    for share, quantile in zip(QUANTILES, summary.quantiles or (), strict=True):
        z = unit.inv_cdf(share)
        error = math.sqrt(share * (1 - share) / summary.size) / unit.pdf(z)
        if abs(quantile / std - z) > _UNSURE * error + _BIN * abs(z):
            return False
    return True


def name_weight(name: str) -> str:
    """What the weight beside a bias is called."""
    before, bias, after = name.rpartition("bias")
    return f"{before}weight{after}" if bias else ""


def compare_with_weight(estimate: Estimate, summary: Summary, bound: float) -> Estimate:
    """The uniform law of the weight, where few values of the bias may well be of it too: PyTorch
    draws both from one.
    """
    largest = max(abs(float(summary.min or 0)), abs(float(summary.max or 0)))
    if estimate.note != TOO_FEW or largest > bound * (1 + 1e-6):
        return estimate
    if (largest / bound) ** summary.size < _RARE:
        return estimate
    return Estimate("uniform", bound, bound, bound, LIKE_WEIGHT)


def _make_estimate(kind: str, value: float, size: int, note: str) -> Estimate:
    if kind == "uniform":  # the largest value is below the bound by one part in their number
        low, more = 1 - 1e-3, 1e-3 + 10 / size
    else:
        more = _UNSURE / math.sqrt(2 * size)
        low = 1 - min(more, 0.9)
    return Estimate(kind, value, value * low, min(value * (1 + more), _LARGEST), note)


def pool(
    estimates: Mapping[tuple[int, str], Estimate],
) -> dict[int, tuple[str, float, str]]:
    """The kind, parameter and comment of each, by numbers of tensors with their names.

    Those that may have the same parameter have one. What looks like no law has its own; only of a
    great many, which nobody would read, those are one that are near and differ in numbers of their
    names alone.
    """
    unlike = [key for key, estimate in estimates.items() if NO_LAW in estimate.note]
    pooled: dict[int, tuple[str, float, str]] = {}
    buckets: dict[Any, list[tuple[int, str]]] = {}
    if len(unlike) <= MOST_OWN:
        pooled = {n: (e.kind, e.value, e.note) for n, e in ((k[0], estimates[k]) for k in unlike)}
    for key, estimate in estimates.items():
        if key[0] not in pooled:
            is_unlike = NO_LAW in estimate.note
            kin = _DIGITS.sub("#", key[1]) if is_unlike else ""
            buckets.setdefault((estimate.kind, is_unlike, kin), []).append(key)
    for keys in buckets.values():
        for group in _split([(number, estimates[number, name]) for number, name in keys]):
            common = _find_common([estimate for _, estimate in group])
            is_told = any(not estimate.note for _, estimate in group)
            for number, estimate in group:
                pooled[number] = (estimate.kind, common, "" if is_told else estimate.note)
    return pooled


def _split(found: list[tuple[int, Estimate]]) -> Iterator[list[tuple[int, Estimate]]]:
    """Groups of estimates that all allow one number."""
    found.sort(key=lambda pair: (pair[1].high, pair[0]))
    while found:
        first = found[0][1].high
        yield [pair for pair in found if pair[1].low <= first]
        found = [pair for pair in found if pair[1].low > first]


def _find_common(group: Sequence[Estimate]) -> float:
    """The parameter of estimates that overlap: their mean, the surer ones weighing more, as far as
    all allow it.
    """
    low, high = max(e.low for e in group), min(e.high for e in group)
    if low >= high:
        return low
    weights = [((high - low) / (e.high - e.low)) ** 2 if e.high > e.low else 1.0 for e in group]
    values = [min(max(e.value, low), high) for e in group]
    total = math.fsum(w * (v / high) for w, v in zip(weights, values, strict=True))
    return min(max(total / math.fsum(weights) * high, low), high)
