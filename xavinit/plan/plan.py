"""`Spec` → `Plan`: every decision made and checked, nothing drawn and no file opened."""

from __future__ import annotations

import math
from functools import cached_property

from msgspec import UNSET, Struct, structs

from xavinit.errors import SpecError
from xavinit.plan.dtypes import DTYPES, DType
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.initializers import WITHOUT_FANS, compute_law
from xavinit.plan.laws import Constant, Law
from xavinit.spec import Spec, TensorSpec
from xavinit.wording import format_value

STREAM = "xavinit-1"
LARGEST_FILE = 2**63 - 1  # bytes


class TensorPlan(Struct, frozen=True):
    """One tensor: what its values are, as a pure function of these fields and the seed.

    `fans` is None for rank 0 and 1 (batch axes apart) and for empty tensors; `law` is None for
    empty tensors. `stream` is the stream name. `view` says where the file's tensor lies in
    PyTorch's; None, the only one so far, is the tensor itself.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    fans: Fans | None
    law: Law | None
    stream: str
    view: None = None

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
    tensors = []
    for tensor in spec.tensors:
        key = (tensor.shape, tensor.dtype, tensor.init, tensor.axes)
        if key not in decisions:
            decisions[key] = plan_tensor(tensor)
        tensors.append(structs.replace(decisions[key], name=tensor.name, stream=tensor.stream))
    plan = Plan(spec.seed, spec.framework, tuple(tensors), spec.canonical, spec.warnings)
    if plan.nbytes > LARGEST_FILE:
        raise SpecError(
            f"must be at most 2⁶³−1 bytes in all; got {format_value(plan.nbytes)}", ("tensors",)
        )
    return plan


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
        key = "init" if "init" in tensor.places else ""
        lacks_fans = fans is None and tensor.init.type not in WITHOUT_FANS
        if lacks_fans:
            error.fact += f"; got shape {list(tensor.shape)}"
        _place(error, tensor, "shape" if lacks_fans else key)
        if tensor.init.value is not UNSET:
            error.path = (*error.path, "value")
        raise
    return TensorPlan(tensor.name, tensor.shape, dtype, fans, law, tensor.stream)


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
