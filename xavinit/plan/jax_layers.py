"""What Flax's modules draw where nothing is said, and the fans that they draw by.

Checked against flax/linen and flax/nnx of Flax 0.12; the framework tests build every one.
"""

from __future__ import annotations

import math

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.layers import GATES, Layer
from xavinit.plan.fans import Fans
from xavinit.rngs import Rng

_ZEROS, _ONES = inits.Zeros(), inits.Ones()
_KERNEL = inits.NAMED["lecun_truncated_normal"]  # flax.linen.initializers.lecun_normal()
_EMBEDDING = inits.VarianceScaling(
    name="variance_scaling", mode="fan_in", distribution="normal", gain=1.0
)


def check_layer(layer: Layer, rng: Rng) -> None:
    """Refuse a layer whose keys were not tried."""
    if layer.type in GATES:
        raise SpecError(
            f"{rng.name} draws no {layer.type}: Flax makes its recurrent kernels orthogonal, "
            "within a scan",
            hint="list its kernels as tensors, each with a seed of its own, under keys: plain",
        )


def find_default(layer: Layer, role: str) -> inits.Init:
    """The initializer that Flax gives a part of a layer for which the spec has none."""
    if layer.type.endswith("_norm"):
        return _ONES if role in ("weight", "running_var") else _ZEROS
    if layer.type == "embedding":
        return _EMBEDDING
    return _ZEROS if "bias" in role else _KERNEL


def find_fans(layer: Layer, shape: tuple[int, ...], name: str, *, is_default: bool) -> Fans | None:
    """The fans of a layer's variable where they are not those of its shape; else None.

    An attention's kernels are drawn as matrices: (in, heads·head size), and the output's
    (heads·head size, out). An embedding's own initializer has out_axis=0: its fan_in is the
    features, by way of a division in float64, as JAX computes it.
    """
    if layer.type == "multi_head_attention" and len(shape) == 3:
        at = 2 if name.endswith("out.kernel") else 1
        return Fans(math.prod(shape[:at]), math.prod(shape[at:]))
    if layer.type == "embedding" and is_default:
        count, features = shape
        return Fans(count * (count * features / count / count), features)
    return None
