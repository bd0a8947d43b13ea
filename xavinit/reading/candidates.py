"""The laws that a tensor of some shape may have been given: named initializers, and their rivals.

A rival is a law that people use as well, but that has no name here, or none that the shape alone
can tell. Where it cannot be told from a named one, the name stays unsaid.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from xavinit import inits
from xavinit.choices import AxisLayout, Distribution
from xavinit.layers import Axes
from xavinit.plan import CUT_STD, Fans, TruncatedNormal, Uniform, compute_fans, scale_variance
from xavinit.reading.distributions import Drawn
from xavinit.reading.values import PYTORCH_DEFAULT

_FAMILIES = ("glorot", "he", "lecun")

# Numbers that people write themselves, for layers of any shape.
_PLAIN = {
    "uniform": (0.01, 0.05, 0.1, 1.0),
    "normal": (0.01, 0.02, 0.05, 0.1, 1.0),
    # Keras and PyTorch give the std before the cut.
    "truncated_normal": (0.02, *(s * CUT_STD for s in (0.01, 0.02, 0.05, 0.1, 1.0))),
}
# The gains that torch.nn.init.calculate_gain gives for tanh, relu and selu.
_GLOROT_GAINS = (inits.GAINS["tanh"], inits.GAINS["relu"], inits.GAINS["selu"])
_LECUN_GAINS = (inits.GAINS["tanh"], inits.GAINS["selu"])

_GATED = (
    3,
    4,
)  # blocks of outputs in one matrix: query, key and value, or a recurrent cell's gates
_MANY_GROUPS = 8  # a convolution with so many times more outputs than inputs may be grouped


class Candidate(Struct, frozen=True):
    """A named initializer's law for a shape. Its `layout` says how the fans were counted."""

    name: str
    law: Drawn
    fans: Fans
    layout: AxisLayout


class Candidates(Struct, frozen=True):
    """The laws of one kind: those with a name, and the parameters of their rivals."""

    named: tuple[Candidate, ...]
    rivals: tuple[float, ...]


@lru_cache(maxsize=1024)  # a model's layers have few different shapes
def list_candidates(
    shape: tuple[int, ...], distribution: Distribution, layouts: tuple[AxisLayout, ...]
) -> Candidates:
    """Those of a distribution, with the fans that frameworks count: from the shape as a whole."""
    named = tuple(_list_named(shape, distribution, layouts))
    rivals = [*_PLAIN[distribution]]
    for n, gain in _list_rules(shape, distribution, layouts):
        std = gain / math.sqrt(n)
        rivals.append(std * math.sqrt(3) if distribution == "uniform" else std)
        if distribution == "truncated_normal":
            rivals.append(std * CUT_STD)  # as those who forget that a cut makes the std smaller
    laws = [candidate.law for candidate in named]
    rivals += [law.std * CUT_STD for law in laws if isinstance(law, TruncatedNormal)]
    return Candidates(named, tuple(rivals))


def _list_named(
    shape: tuple[int, ...], distribution: Distribution, layouts: tuple[AxisLayout, ...]
) -> Iterator[Candidate]:
    for layout in layouts:
        fans = compute_fans(shape, Axes(layout=layout))
        if fans is None:
            continue
        for family in _FAMILIES:
            rule = inits.NAMED[f"{family}_{distribution}"]
            yield Candidate(rule.name, scale_variance(rule, fans), fans, layout)
        if distribution == "uniform" and layout == "out_in":
            yield Candidate(PYTORCH_DEFAULT, Uniform(1 / math.sqrt(fans.fan_in)), fans, layout)


def _list_rules(
    shape: tuple[int, ...], distribution: Distribution, layouts: tuple[AxisLayout, ...]
) -> Iterator[tuple[float, float]]:
    """n and gain of the rivals that have fans: their variance is gain²/n."""
    counted = {layout: compute_fans(shape, Axes(layout=layout)) for layout in layouts}
    known = {fans.fan_in for fans in counted.values() if fans}  # the n of he's and lecun's
    for fans in filter(None, counted.values()):
        for gain in _GLOROT_GAINS:
            if fans.fan_in != fans.fan_out or gain != inits.GAINS["relu"]:  # else it is he's
                yield (fans.fan_in + fans.fan_out) / 2, gain
        for gain in _LECUN_GAINS:
            yield fans.fan_in, gain
        for blocks in _list_blocks(shape, fans):
            yield (fans.fan_in + fans.fan_out / blocks) / 2, 1.0
        if len(shape) > 2:  # two axes: it is fan_in in the other layout
            yield from _list_simple((fans.fan_out,), known)
    if len(shape) == 2 and distribution == "uniform" and "out_in" in layouts:
        # PyTorch's recurrent layers: ±1/√hidden, with one, three or four blocks of outputs.
        rows, columns = shape
        hidden = [rows // blocks for blocks in (1, *_GATED) if rows % blocks == 0]
        yield from ((n, math.sqrt(1 / 3)) for n in hidden if n != columns)
    if len(shape) == 3:
        a, b, c = shape
        # What else three axes may be: experts, and their two axes; heads, split from an axis.
        for fan_in, fan_out in ((b, c), (a, b * c), (a * b, c)):
            yield (fan_in + fan_out) / 2, 1.0
        yield from _list_simple((a, b, c, a * b, b * c), known)


def _list_simple(
    numbers: Iterable[int], known: Container[int | float]
) -> Iterator[tuple[float, float]]:
    """Those of one fan, with the gains of lecun and he, unless it is known: that is their name."""
    for n in numbers:
        if n not in known:
            yield n, 1.0
            yield n, inits.GAINS["relu"]


def _list_blocks(shape: tuple[int, ...], fans: Fans) -> Iterator[int | float]:
    """How many equal blocks the outputs may hold: only `fused` in a spec counts one of them."""
    ratio, left = divmod(fans.fan_out, fans.fan_in)
    if len(shape) == 2:
        yield from (blocks for blocks in _GATED if fans.fan_out % blocks == 0)
    elif not left and (ratio >= _MANY_GROUPS or 1 in shape[:2] or 1 in shape[-2:]):
        yield ratio


def list_orthogonal(shape: tuple[int, ...], layouts: tuple[AxisLayout, ...]) -> Iterator[float]:
    """The mean squares of orthogonal matrices of a shape, which are exactly these: gain²/n, where
    n is the larger side. An axis of outputs is one side, all others the other.
    """
    if len(shape) < 2:
        return
    size = math.prod(shape)
    for layout in layouts:
        outs = shape[0] if layout == "out_in" else shape[-1]
        for gain in (1.0, inits.GAINS["relu"], inits.GAINS["tanh"]):
            yield gain**2 / max(outs, size // outs)
