"""What PyTorch's modules draw when they are made: `reset_parameters` of torch/nn/modules (2.13)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set

from msgspec import Struct, structs

from xavinit import inits
from xavinit.dtypes import DTYPES
from xavinit.errors import SpecError
from xavinit.layers import Layer
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.laws import Constant, Law, Normal, Uniform
from xavinit.plan.tensor import TensorPlan
from xavinit.plan.torch_laws import DRAWN, PYTORCH, is_drawn, scale_variance
from xavinit.rngs import Rng
from xavinit.wording import format_choices

# A Linear and a convolution: kaiming_uniform_(a=√5), whose gain is √(2/(1 + a²)).
_LEAKY = inits.VarianceScaling(
    mode="fan_in",
    distribution="uniform",
    gain=math.sqrt(2.0 / (1 + math.sqrt(5.0) ** 2)),
)

_OF_NORMS = (("weight", 1), ("bias", 0))

# A part by its role, with a law.
Draw = tuple[str, Law]


def list_draws(layer: Layer, parts: Mapping[str, TensorPlan], rng: Rng) -> Iterator[Draw]:
    """What a module does with its parts when it is made, in its order; a part may come twice.

    The last that comes stays. A part that does not come keeps the law that it has.
    """
    kind = layer.type
    if kind in ("lstm", "gru"):
        bound = 1.0 / math.sqrt(layer.sizes.outs[0])
        for role in parts:
            yield role, Uniform(bound)
    elif kind == "embedding":
        yield "weight", Normal(1.0)
    elif kind == "multi_head_attention" and not layer.sizes.kv_heads:
        yield from _list_linear("out_proj.", parts, rng)
        fans = _find_fans(parts["in_proj_weight"])
        yield "in_proj_weight", scale_variance(inits.NAMED["xavier_uniform"], fans, rng)
        for role in ("in_proj_bias", "out_proj.bias"):
            if role in parts:
                yield role, Constant(0)
    elif kind == "multi_head_attention":
        for name in ("q_proj.", "k_proj.", "v_proj.", "o_proj."):
            yield from _list_linear(name, parts, rng)
    elif kind.endswith("_norm"):
        yield from ((role, Constant(value)) for role, value in _OF_NORMS if role in parts)
    else:
        yield from _list_linear("", parts, rng)


def _list_linear(prefix: str, parts: Mapping[str, TensorPlan], rng: Rng) -> Iterator[Draw]:
    """A Linear's, which are those of a convolution too: the fans of the weight are for the bias."""
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    fans = _find_fans(parts[weight])
    yield weight, scale_variance(_LEAKY, fans, rng)
    if bias in parts:
        yield bias, Uniform(1 / math.sqrt(fans.fan_in))


def _find_fans(part: TensorPlan) -> Fans:
    fans = compute_fans(part.shape, PYTORCH)
    if fans is None:
        raise TypeError(f"no fans of {part.name}")
    return fans


class Made(Struct, frozen=True):
    """A layer under the rng: its parts with their laws, and what draws from the stream.

    `first` is drawn when its module is made, `then` when the spec's initializers are applied. What
    is drawn first and has no part of the file bears a name that no tensor has.
    """

    parts: Mapping[str, TensorPlan]
    first: tuple[TensorPlan, ...]
    then: tuple[TensorPlan, ...]


def make_layer(
    layer: Layer, parts: Mapping[str, TensorPlan], own: Set[str], rng: Rng, *, is_made: bool
) -> Made:
    """A layer, of which the parts `own` are left as its module makes them, if it is made.

    Raises `SpecError`, at the layer's place, where the rng does not draw a part's dtype.
    """
    first: list[TensorPlan] = []
    kept = dict(parts)
    if is_made:
        draws = list(list_draws(layer, parts, rng))
        last = {role: index for index, (role, _) in enumerate(draws)}
        for index, (role, law) in enumerate(draws):
            if is_drawn(law) and parts[role].dtype.name not in DRAWN:
                fact = f"{rng.name} draws {format_choices(DRAWN)}; got {parts[role].dtype.name}"
                raise SpecError(fact, parts[role].place)
            drawn = structs.replace(parts[role], law=law)
            if role in own and last[role] == index:
                kept[role] = drawn
            else:
                drawn = structs.replace(drawn, stream=f"\0{layer.name}.{role} {index}")
            first.append(drawn)
    then = (part for role, part in kept.items() if role not in own and not part.is_tied)
    return Made(kept, tuple(first), tuple(then))


def make_draw(layer: Layer, number: int) -> TensorPlan:
    """What takes so many words from the stream, and has no tensor."""
    shape = layer.sizes.outs
    return TensorPlan("", shape, DTYPES["float32"], None, Uniform(1.0), f"\0draw {number}")
