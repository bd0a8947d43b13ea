"""`Spec` → `Plan`: every decision made and checked, nothing drawn and no file opened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import groupby
from operator import attrgetter

from msgspec import UNSET, Struct, structs

from xavinit.errors import Path, SpecError
from xavinit.plan.dtypes import DTYPES, DType
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.frameworks import Variable, find_module, place_layer
from xavinit.plan.initializers import WITHOUT_FANS, compute_law
from xavinit.plan.laws import Constant, GateConstant, Law
from xavinit.plan.views import View
from xavinit.spec import GateInit, Layer, Spec, TensorSpec
from xavinit.wording import format_value

STREAM = "xavinit-1"
LARGEST_FILE = 2**63 - 1  # bytes


class Module(Struct, frozen=True):
    """The framework's module that a tensor belongs to."""

    name: str
    type: str  # the framework's class, such as Conv2D
    sublayer: str = ""  # of it, as Keras's own file names the path to it


class TensorPlan(Struct, frozen=True):
    """One tensor: what its values are, as a pure function of these fields and the seed.

    `name` and `shape` are the file's. `fans` is None for rank 0 and 1 (batch axes apart) and for
    empty tensors; `law` is None for empty tensors. `stream` is the stream name. `view` says where
    the file's tensor lies in PyTorch's; None is the tensor itself. `module` is None for raw
    tensors. `place` is where the spec gives it, for errors.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    fans: Fans | None
    law: Law | None
    stream: str
    view: View | None = None
    module: Module | None = None
    place: Path = ()

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


class Plan(Struct, frozen=True, dict=True):  # dict: for the cached properties
    """All tensors in the spec's order, and what files carry beside them."""

    seed: int
    framework: str
    tensors: tuple[TensorPlan, ...]
    canonical: str
    warnings: tuple[SpecError, ...] = ()
    stream: str = STREAM

    @cached_property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    @cached_property
    def parameters(self) -> int:
        """How many elements in all tensors."""
        return sum(tensor.size for tensor in self.tensors)


def plan_spec(spec: Spec) -> Plan:
    """The plan of a spec. Raises `SpecError`, with the path of the key at fault."""
    # Tensors that differ by name only share one decision: a brace may stand for thousands.
    decisions: dict[tuple[object, ...], TensorPlan] = {}
    tensors: list[TensorPlan] = []
    owners: dict[str, Layer] = {}  # of each module
    for layer, group in groupby(spec.tensors, attrgetter("layer")):
        plans: dict[str, TensorPlan] = {}
        for tensor in group:
            key = (tensor.shape, tensor.dtype, tensor.init, tensor.axes)
            if key not in decisions:
                decisions[key] = plan_tensor(tensor)
            place = tensor.places[""]
            plans[tensor.name if layer is None else tensor.role] = structs.replace(
                decisions[key], name=tensor.name, stream=tensor.stream, place=place
            )
        if layer is None:
            tensors += plans.values()
            continue
        made, modules = _plan_layer(layer, plans, spec.framework)
        for module in modules:
            if owners.setdefault(module, layer) is not layer:
                raise SpecError(
                    f"two layers must not have one name; got {format_value(module)} twice",
                    made[0].place,
                )
        tensors += made
    if spec.framework != "pytorch":
        _check_names(tensors, spec.framework)
    plan = Plan(spec.seed, spec.framework, tuple(tensors), spec.canonical, spec.warnings)
    if plan.nbytes > LARGEST_FILE:
        raise SpecError(
            f"must be at most 2⁶³−1 bytes in all; got {format_value(plan.nbytes)}",
            ("layers" if tensors[0].module else "tensors",),
        )
    return plan


def _plan_layer(
    layer: Layer, parts: Mapping[str, TensorPlan], framework: str
) -> tuple[list[TensorPlan], set[str]]:
    """The tensors of a layer's parts as the framework's module has them, and all its modules."""
    kind = find_module(layer, framework)
    try:
        placed = place_layer(layer, framework)
    except SpecError as error:
        error.path = (*next(iter(parts.values())).place, *error.path)
        raise
    if placed is None:
        module = Module(layer.name, kind)
        modules = {f"{layer.name}.{role}".rpartition(".")[0] for role in parts}
        return [structs.replace(part, module=module) for part in parts.values()], modules
    tensors, modules = [], set()
    for name, path, variable in placed:
        if variable.role in parts:
            part = parts[variable.role]
            part = structs.replace(part, view=variable.view, law=_cut_law(part.law, variable))
        elif variable.like:
            part = structs.replace(parts[variable.like], fans=None, law=Constant(0))
        else:
            continue
        module = Module(path, kind, variable.sublayer)
        tensors.append(structs.replace(part, name=name, shape=variable.shape, module=module))
        *within, _ = variable.name.split("/")
        modules |= {".".join((path, *within[:depth])) for depth in range(len(within) + 1)}
    return tensors, modules


def _cut_law(law: Law | None, variable: Variable) -> Law | None:
    """The law of a variable that may be one gate of a bias."""
    if not isinstance(law, GateConstant):
        return law
    axes = (range(math.prod(variable.shape)),) if variable.view is None else variable.view.axes
    if len(axes) == 1 and isinstance(axes[0], range) and axes[0].step == 1:
        return law.cut(axes[0])
    return law


def _check_names(tensors: Sequence[TensorPlan], framework: str) -> None:
    """Refuse names that the framework's own form makes one, or a name and a part of another."""
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise SpecError(
                f"two tensors must not have one name; got {format_value(tensor.name)} twice",
                tensor.place,
            )
        names.add(tensor.name)
    if framework == "flax":
        for tensor in tensors:
            above = tensor.name
            while tensor.module and (above := above.rpartition(".")[0]):
                if above in names:
                    raise SpecError(
                        "a variable must not be a module too in Flax; "
                        f"got {format_value(above)} and {format_value(tensor.name)}",
                        tensor.place,
                    )


def plan_tensor(tensor: TensorSpec) -> TensorPlan:
    """The plan of one tensor."""
    dtype = DTYPES[tensor.dtype]
    _check_bytes(tensor, dtype)
    if 0 in tensor.shape:
        return TensorPlan(tensor.name, tensor.shape, dtype, None, None, tensor.stream)
    try:
        fans = compute_fans(tensor.shape, tensor.axes)
    except SpecError as error:
        raise _place(error, tensor, str(error.path[0])) from None
    try:
        law = compute_law(tensor.init, fans)
        _check_range(law, dtype)
    except SpecError as error:
        lacks_fans = fans is None and tensor.init.type not in WITHOUT_FANS
        if lacks_fans:
            error.fact += f"; got shape {list(tensor.shape)}"
        _place(error, tensor, _find_fault(tensor, dtype, lacks_fans=lacks_fans))
        if tensor.init.value is not UNSET and not isinstance(tensor.init, GateInit):
            error.path = (*error.path, "value")
        raise
    return TensorPlan(tensor.name, tensor.shape, dtype, fans, law, tensor.stream)


def _find_fault(tensor: TensorSpec, dtype: DType, *, lacks_fans: bool) -> str:
    """The key to look at where initializer, shape and dtype do not go together.

    A layer has its shapes from its type, so what is at fault is what was said beside.
    """
    init = tensor.places.get("init", ())
    if tensor.layer is None:
        return "shape" if lacks_fans else "init" if init else ""
    if not dtype.is_float and not lacks_fans and "dtype" in tensor.places:
        return "dtype"
    return "shape" if lacks_fans and init[:1] == ("defaults",) else "init" if init else ""


def _check_bytes(tensor: TensorSpec, dtype: DType) -> None:
    """Refuse a tensor larger than any file, before its fans overflow a float."""
    nbytes = math.prod(tensor.shape) * dtype.itemsize
    if nbytes > LARGEST_FILE:
        fact = f"must be at most 2⁶³−1 bytes; got {format_value(nbytes)}"
        raise _place(SpecError(fact), tensor, "shape")


def _place(error: SpecError, tensor: TensorSpec, key: str) -> SpecError:
    """The error at the place where the key was given; it names the tensor if that is elsewhere."""
    place = tensor.places.get(key, tensor.places[""])
    if place[: len(tensor.places[""])] != tensor.places[""] or place[1] != tensor.name:
        error.fact += f" (tensor {format_value(tensor.name)})"
    error.path = place
    return error


def _check_range(law: Law, dtype: DType) -> None:
    if not dtype.is_float:
        _check_exact(law, dtype)
    elif law.largest(dtype) > dtype.largest:
        if isinstance(law, Constant):
            got = format_value(law.value)
        else:
            got = f"values up to {law.largest(dtype):g} ({law})"
        raise SpecError(
            f"must fit {dtype.name}, whose largest number is {dtype.largest:g}; got {got}"
        )


def _check_exact(law: Law, dtype: DType) -> None:
    if not isinstance(law, Constant):
        raise SpecError(f"{dtype.name} takes constants only (zeros, ones, constant); got {law}")
    exact = law.value == int(law.value) and dtype.lowest <= law.value <= dtype.largest
    if not exact:
        raise SpecError(
            f"must be an integer from {dtype.lowest} to {dtype.largest} for {dtype.name}; "
            f"got {format_value(law.value)}"
        )
