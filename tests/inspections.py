"""Inspections of arrays, their figures computed by NumPy, for the tests of what reports show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from xavinit.plan import Constant, Fans, Normal, TruncatedNormal, Uniform
from xavinit.reading import QUANTILES, Guess, Histogram, Summary
from xavinit.verbs.inspect import InspectedTensor, Inspection


def make_histogram(values: np.ndarray[Any, Any]) -> Histogram:
    """Some 40 bins, whose edges are multiples of a power of two."""
    low, high = float(values.min()), float(values.max())
    width = high / 40 - low / 40 or abs(high) or 1.0
    step = 2.0 ** math.floor(math.log2(width))
    first = math.floor(low / step)
    edges = [step * i for i in range(first, math.floor(high / step) + 2)]
    counts, _ = np.histogram(values, edges)
    return Histogram(tuple(edges), tuple(map(int, counts)))


def make_summary(array: np.ndarray[Any, Any], guess: Guess | None = None) -> Summary:
    values = array.reshape(-1)
    if values.dtype.kind == "c":
        values = values.view(values.real.dtype)
    is_float = values.dtype.kind == "f"
    finite = values[np.isfinite(values)] if is_float else values
    wide = finite.astype(np.float64)
    figures: dict[str, Any] = {}
    if finite.size:
        with np.errstate(over="ignore"):
            std, quantiles = float(wide.std()), np.quantile(wide, QUANTILES)
        figures = {
            "mean": float(wide.mean()),
            "std": std,
            "min": finite.min().item(),
            "max": finite.max().item(),
            "quantiles": tuple(map(float, quantiles)),
            "histogram": make_histogram(wide),
        }
    return Summary(
        size=values.size,
        zeros=int((values == 0).sum()),
        nans=int(np.isnan(values).sum()) if is_float else 0,
        positive_infinities=int(np.isposinf(values).sum()) if is_float else 0,
        negative_infinities=int(np.isneginf(values).sum()) if is_float else 0,
        guess=guess,
        **figures,
    )


def make_tensor(
    name: str, array: np.ndarray[Any, Any], guess: Guess | None = None, label: str | None = None
) -> InspectedTensor:
    summary = make_summary(array, guess)
    return InspectedTensor(name, array.shape, array.dtype.name, array.nbytes, summary, label)


def make_inspection(
    tensors: Iterable[InspectedTensor], path: str = "folder/model.safetensors", **rest: Any
) -> Inspection:
    metadata: Mapping[str, str] = rest.pop("metadata", {})
    return Inspection(path, "safetensors", tuple(tensors), metadata, **rest)


def make_model(blocks: int = 12, width: int = 64) -> Inspection:
    """One like GPT-2, smaller, drawn by NumPy."""
    random = np.random.default_rng(1)
    tensors = [
        make_normal("wte.weight", random, (1024, width)),
        make_normal("wpe.weight", random, (256, width)),
    ]
    for block in range(blocks):
        for part, (rows, columns) in {
            "attn.c_attn": (width, 3 * width),
            "attn.c_proj": (width, width),
            "mlp.c_fc": (width, 4 * width),
            "mlp.c_proj": (4 * width, width),
        }.items():
            tensors += [
                make_uniform(f"h.{block}.{part}.weight", random, (rows, columns)),
                make_constant(f"h.{block}.{part}.bias", columns, 0),
            ]
        for norm in ("ln_1", "ln_2"):
            tensors += [
                make_constant(f"h.{block}.{norm}.weight", width, 1),
                make_constant(f"h.{block}.{norm}.bias", width, 0),
            ]
    tensors += [make_constant("ln_f.weight", width, 1), make_constant("ln_f.bias", width, 0)]
    spec = {
        "seed": 42,
        "dims": {"d": width, "blocks": blocks},
        "tensors": {
            "wte.weight": {"shape": [1024, "d"], "init": {"type": "normal", "std": 0.02}},
            "h.{blocks}.attn.c_attn.weight": {"shape": ["d", "3*d"], "fused": 3},
        },
    }
    metadata = {"format": "pt", "xavinit": "{…}"}
    return make_inspection(tensors, metadata=metadata, spec=spec, seed=42, stream="xavinit-1")


def make_normal(name: str, random: np.random.Generator, shape: tuple[int, ...]) -> InspectedTensor:
    array = random.normal(0, 0.02, shape).astype(np.float32)
    return make_tensor(name, array, Guess(Normal(0.02)))


def make_uniform(name: str, random: np.random.Generator, shape: tuple[int, int]) -> InspectedTensor:
    bound = math.sqrt(6 / sum(shape))
    array = random.uniform(-bound, bound, shape).astype(np.float32)
    return make_tensor(name, array, Guess(Uniform(bound), ("glorot_uniform",), Fans(*shape)))


def make_constant(name: str, size: int, value: int) -> InspectedTensor:
    array = np.full(size, value, np.float32)
    return make_tensor(name, array, Guess(Constant(float(value)), ("ones" if value else "zeros",)))


HOSTILE_NAMES = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=\"document.title='broken'\">",
    "<!--<script>",
    "]]>&amp;&lt;",
    "'\"`{{ 7 * 7 }}{% raw %}",
    "right\u202eto\u2066left",
    "line\nnext\r\n\u2028\u2029end",
    "bell\x07escape\x1b[31mnull\x00",
    "surrogate\udc80",
    "層.重み",
    "e\u0301mbedding 🎲",
    "invisible\u200b\u3164\ufeff",
    "__proto__",
    "x" * 5000,
    "",
    " ",
)


def make_hostile() -> Inspection:
    """Every text of it is a stranger's."""
    array = np.arange(6, dtype=np.float32)
    return make_inspection(
        [make_tensor(name, array, label=name) for name in HOSTILE_NAMES],
        path="/a\nb/</title><script>document.title='broken'</script>.pt",
        metadata={name: name for name in HOSTILE_NAMES},
        spec={name: [name, {"</script>": 1}] for name in HOSTILE_NAMES},
        stream="</script>\u202e",
        seed=2**64 - 1,
        skipped=3,
    )


def make_odd() -> Inspection:
    """Tensors of every kind but the usual."""
    random = np.random.default_rng(2)
    cut = random.normal(size=20_000)
    cut = cut[np.abs(cut) <= 2][:16_384].reshape(128, 128).astype(np.float32) * 0.02
    some = random.normal(size=1000).astype(np.float32)
    some[:3], some[3:5], some[5] = np.nan, np.inf, -np.inf
    trained = np.concatenate([random.normal(-1, 0.1, 5000), random.standard_t(3, 5000)])
    tensors = [
        make_tensor("cut", cut, Guess(TruncatedNormal(0.02 * 0.87962566103423978))),
        make_tensor("not finite, some", some, Guess(Normal(1.0))),
        make_tensor("not finite, all", np.full(7, np.nan, np.float16)),
        make_tensor("empty", np.zeros((0, 3), np.float32)),
        make_tensor("scalar", np.array(3.5)),
        make_tensor("constant", np.full(9, -0.1), Guess(Constant(-0.1))),
        make_tensor("zero", np.zeros((3, 3), np.float16), Guess(Constant(0.0), ("zeros",))),
        make_tensor("int64", np.array([-(2**63), 0, 2**63 - 1])),
        make_tensor("uint64", np.array([2**64 - 1, 2**53 + 1], np.uint64)),
        make_tensor("bool", np.array([True, False, True])),
        make_tensor("complex", (random.normal(size=500) + 1j * random.normal(size=500))),
        make_tensor("trained", trained),
        make_tensor("huge", np.array([-1.7e308, 1.7e308, 1e307])),
        make_tensor("tiny", np.array([5e-324, 1e-310, -5e-324])),
        make_tensor("rank 8", np.ones((1, 2, 1, 3, 1, 2, 1, 2), np.int8)),
        make_tensor(
            "several", some[6:], Guess(Normal(1.0), ("glorot_normal", "lecun_normal"), Fans(1, 1))
        ),
    ]
    return make_inspection(tensors)


def make_many(count: int) -> Inspection:
    """So many tensors; a few hundred different ones by turns, under names of their own."""
    random = np.random.default_rng(3)
    rows = [32 + 8 * (i % 16) for i in range(min(count, 300))]
    models = [make_uniform("", random, (n, 48)) for n in rows]
    return make_inspection(
        InspectedTensor(f"layers.{i}.mlp.weight", one.shape, one.dtype, one.nbytes, one.summary)
        for i in range(count)
        for one in (models[i % len(models)],)
    )
