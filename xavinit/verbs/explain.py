"""The verb that tells why: `explain`, from a spec and a name to every decision behind a tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from xavinit import inits
from xavinit.errors import Path, SpecError, UsageError
from xavinit.plan import (
    CUT_STD,
    Constant,
    Normal,
    Origin,
    Plan,
    Roles,
    TensorPlan,
    TruncatedNormal,
    Uniform,
    compute_n,
    find_gain,
    find_home_shapes,
    find_left,
    find_origin,
    find_roles,
    is_drawn,
)
from xavinit.spec import Family, Spec, TensorSpec, parse_pattern
from xavinit.verbs.explained_keys import list_keys
from xavinit.verbs.explanation import Axis, Explanation, Product, Scale
from xavinit.verbs.prepare import make_overrides, read_plan
from xavinit.verbs.sources import SpecSource, load_source
from xavinit.wording import format_value, suggest


def explain(
    spec: SpecSource,
    tensor: str,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    strict: bool = False,
) -> Explanation:
    """Tell every decision behind one tensor of a spec: who gave each key, the fans, the law.

    Takes the arguments of `make_plan`, and the tensor's name; a name with braces, as a folded row
    of the plan's table has it, stands for the first of its tensors.

    Raises what `make_plan` raises, and `UsageError` where the plan has no such tensor.

    >>> told = explain({"tensors": {"hidden.weight": [128, 784]}}, "hidden.weight")
    >>> told.fan_in.value, told.scale.n, told.law.bound == told.scale.value
    (784, 456.0, True)
    """
    document = load_source(spec).document
    found, plan = read_plan(
        document, make_overrides(seed, dtype, framework, dims, rng), strict=strict
    )
    planned = _find_tensor(plan, tensor)
    origin = find_origin(found, planned.name)
    if origin is None:
        raise TypeError(f"no origin of {planned.name}")
    family = origin.family
    default = _find_default(found, origin) if plan.sequence else None
    giver = family if family.fans_of is None else found.families[family.fans_of]
    shape = find_home_shapes(found).get(origin.tensor.family, giver.shape)
    spec_shape = shape if giver is family else family.shape
    keys = list_keys(origin, document, spec_shape, dtype is not None, default)
    roles = None
    if planned.fans is not None and not origin.is_filler:
        roles = find_roles(shape, giver.axes)
    fan_in, fan_out = (None, None) if roles is None else _make_fans(planned, giver, shape, roles)
    note = None
    if origin.is_filler:
        note = "zeros that the framework's module has and the spec's layer lacks"
    elif default is not None:
        note = "left as PyTorch's module makes it"
    elif found.rng.kind.framework != "pytorch" and _is_unsaid(family, planned):
        note = f"the default of {found.rng.name} for such a layer, whatever init says"
    elif giver is not family:
        note = f"axes and fans are those of its fans_of, of shape {list(giver.shape)}"
    return Explanation(
        name=planned.name,
        shape=planned.shape,
        dtype=planned.dtype.name,
        nbytes=planned.nbytes,
        stream=planned.stream,
        rng=None if found.rng.is_ours else plan.stream,
        seed=planned.seed,
        word=plan.words.get(planned.stream) if is_drawn(planned.law) else None,
        tied=origin.tensor.tie.target if origin.tensor.tie else None,
        module=planned.module.type if planned.module else None,
        spec_shape=spec_shape,
        keys=keys,
        axes=_list_axes(shape, roles) if roles else (),
        fan_in=fan_in,
        fan_out=fan_out,
        scale=_find_scale(family, planned) if roles and default is None else None,
        law=planned.law,
        note=note,
        hint=_find_hint(family, roles) if roles and giver is family else None,
    )


def _find_default(spec: Spec, origin: Origin) -> Path | None:
    """Where `default` is said of a part of a layer, perhaps of another; None if it is not left."""
    for listed in spec.listing:
        if isinstance(listed, TensorSpec) or origin.tensor not in listed.parts.values():
            continue
        left = find_left(listed, spec.families, is_default=spec.is_default)
        if not any(listed.parts[role] is origin.tensor for role in left):
            return None
        families = (origin.family, *(spec.families[p.family] for p in listed.parts.values()))
        said = (f.places["init"] for f in families if isinstance(f.init, inits.Default))
        return next(said, ("defaults", "init"))
    return None


def _is_unsaid(family: Family, planned: TensorPlan) -> bool:
    """Has a part of a layer another law than its init, which the spec does not give?"""
    entry = family.places[""]
    if not family.is_part or isinstance(family.init, inits.VarianceScaling):
        return False
    is_given = family.places.get("init", entry) != entry
    is_plain = isinstance(family.init, inits.Zeros | inits.Ones) and type(planned.law) is Constant
    return not is_plain and (not is_given or isinstance(family.init, inits.Default))


def _find_tensor(plan: Plan, name: str) -> TensorPlan:
    if not isinstance(name, str):
        raise UsageError(f"a tensor must be given by its name; got {format_value(name)}")
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    if name not in by_name:
        try:
            first, _ = next(parse_pattern(name, {}).expand(), ("", ()))
        except (SpecError, UnicodeEncodeError):  # no name of a spec, such as bytes of no UTF-8
            first = ""
        if first not in by_name:
            raise UsageError(
                f"the plan has no tensor {format_value(name)}", hint=suggest(name, by_name)
            )
        name = first
    return by_name[name]


def _list_axes(shape: tuple[int, ...], roles: Roles) -> tuple[Axis, ...]:
    def find_role(index: int) -> Literal["in", "out", "batch", "receptive field"]:
        if index in roles.ins:
            return "in"
        if index in roles.outs:
            return "out"
        return "batch" if index in roles.batch else "receptive field"

    return tuple(Axis(index, size, find_role(index)) for index, size in enumerate(shape))


def _make_fans(
    tensor: TensorPlan, family: Family, shape: tuple[int, ...], roles: Roles
) -> tuple[Product, Product]:
    fans = tensor.fans
    if fans is None:
        raise TypeError("no fans")

    def make(own: tuple[int, ...], blocks: int, value: int | float) -> Product:
        axes = (*own, *roles.field)
        return Product(axes, tuple(shape[index] for index in axes), blocks, value)

    return (
        make(roles.ins, family.axes.in_fused, fans.fan_in),
        make(roles.outs, family.axes.fused, fans.fan_out),
    )


def _find_scale(family: Family, tensor: TensorPlan) -> Scale | None:
    rule, fans = family.init, tensor.fans
    if not isinstance(rule, inits.VarianceScaling) or fans is None:
        return None
    name = rule.gain if isinstance(rule.gain, str) else None
    gain, n = find_gain(rule, fans), compute_n(rule, fans)
    match tensor.law:
        case Uniform(bound):
            return Scale("bound", gain, name, rule.mode, n, bound)
        case Normal(std):
            return Scale("std", gain, name, rule.mode, n, std)
        case TruncatedNormal(std):
            return Scale("std", gain, name, rule.mode, n, std, std / CUT_STD)
    return None


def _find_hint(family: Family, roles: Roles) -> str | None:
    """What a kernel needs whose channels are each by themselves, where this may be one.

    It has a receptive field, and one of its in and out axes is 1. Its shape does not tell: the
    first layer of a network for gray pictures has one in axis of 1 too.
    """
    axes = family.axes
    if family.is_part or axes.in_axis is not None or roles.batch or axes.fused > 1:
        return None
    (into,), (out,) = roles.ins, roles.outs
    field = math.prod(family.shape[index] for index in roles.field)
    if field == 1 or 1 not in (family.shape[into], family.shape[out]):
        return None
    channels, one = (into, out) if family.shape[out] == 1 else (out, into)
    if family.shape[channels] == 1:
        return None
    return (
        "if this is a depthwise kernel (each channel by itself), say so: "
        f"batch_axis: {channels}, in_axis: [], out_axis: {one} gives fans of {field}"
    )
