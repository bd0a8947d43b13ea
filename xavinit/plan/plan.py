"""`Spec` → `Plan`: every decision made and checked, nothing drawn and no file opened."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct, structs

from xavinit.errors import Faults, SpecError
from xavinit.layers import DRAW, Framework, Layer, find_framework
from xavinit.plan.homes import find_home_shapes
from xavinit.plan.orders import make_order
from xavinit.plan.sequence import Costs, list_places, measure_costs
from xavinit.plan.tensor import LARGEST_FILE, Decision, TensorPlan, decide, find_warning
from xavinit.spec import Spec, TensorSpec
from xavinit.wording import format_bytes, format_value, plural

STREAM = "xavinit-1"


class Plan(Struct, frozen=True, dict=True):  # dict: for the cached properties
    """All tensors in the spec's order, and what files carry beside them."""

    seed: int
    framework: str
    tensors: tuple[TensorPlan, ...]
    canonical: str
    order: tuple[str, ...] = ()  # the names of the spec's `tensors`, in its order
    warnings: tuple[SpecError, ...] = ()
    stream: str = STREAM
    # Of a stream that is one sequence: all that draw from it, in order and in PyTorch's form.
    sequence: tuple[TensorPlan, ...] = ()

    @cached_property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @cached_property
    def parameters(self) -> int:
        """How many elements in all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    def __getitem__(self, name: str) -> TensorPlan:
        """The tensor of a name; `KeyError` where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, TensorPlan]:
        return {tensor.name: tensor for tensor in self.tensors}

    def __repr__(self) -> str:
        return f"<Plan: {self._describe()}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: a row a tensor."""
        from xavinit.plan.notebook import format_html

        return format_html(self.tensors, self._describe())

    def _describe(self) -> str:
        count = plural(len(self.tensors), "tensor")
        parameters = plural(self.parameters, "parameter")
        return f"{count}, {parameters}, {format_bytes(self.nbytes)}, seed {self.seed}"

    @cached_property
    def words(self) -> dict[str, int | None]:
        """Where each stream name begins in a stream that is one sequence, in words of 32 bits.

        None where no one can know, since a truncated normal comes before.
        """
        return dict(list_places(self.sequence))

    @cached_property
    def costs(self) -> Costs | None:
        """What a stream that is one sequence takes; None where each tensor has its own."""
        return measure_costs(self.sequence, self.tensors) if self.sequence else None

    @cached_property
    def memory(self) -> int:
        """The bytes of the largest tensor that is made in one piece, which memory must hold.

        Each buffer takes as much; 0 where all tensors can be drawn part by part.
        """
        whole = (t.nbytes for t in self.tensors if t.law is not None and t.law.is_whole)
        return max(whole, default=0)


def plan_spec(spec: Spec) -> Plan:
    """The plan of a spec. Raises `SpecError`, with the paths of the keys at fault."""
    framework = find_framework(spec.framework)
    decisions = []
    faults = Faults()
    homes = find_home_shapes(spec)
    for number, family in enumerate(spec.families):
        try:
            decisions.append(decide(family, spec.families, spec.rng, homes.get(number)))
        except SpecError as error:
            faults.add(error)
    faults.check()
    tensors: list[TensorPlan] = []
    order = make_order(spec)
    owners: dict[str, Layer] = {}  # of each module
    for listed in spec.listing:
        if isinstance(listed, TensorSpec):
            tensors.append(order.add_tensor(_name_tensor(decisions, listed), listed))
            continue
        if listed.layer.type == DRAW:
            order.add_draw(listed.layer)
            continue
        named = {role: _name_tensor(decisions, part) for role, part in listed.parts.items()}
        made, modules = order.add_layer(listed, named, framework)
        for module in modules:
            if owners.setdefault(module, listed.layer) is not listed.layer:
                raise SpecError(
                    f"two layers must not have one name; got {format_value(module)} twice",
                    made[0].place,
                )
        tensors += made
    sequence = order.list_sequence()
    tensors = order.finish(_complete_ties(tensors, sequence))
    if owners:
        _check_names(tensors, framework)
    found = map(find_warning, spec.families, decisions)
    warnings = (*spec.warnings, *(warning for warning in found if warning is not None))
    plan = Plan(
        spec.seed,
        spec.framework,
        tuple(tensors),
        spec.canonical,
        spec.order,
        warnings,
        str(spec.rng),
        sequence,
    )
    if plan.nbytes > LARGEST_FILE:
        raise SpecError(
            f"must be at most 2⁶³−1 bytes in total; got {format_value(plan.nbytes)}",
            ("layers" if tensors[0].module else "tensors",),
        )
    return plan


def _complete_ties(tensors: list[TensorPlan], sequence: Sequence[TensorPlan]) -> list[TensorPlan]:
    """Give copies of what a layer's module makes its law, which only the module's order knows."""
    if not any(tensor.law is None and tensor.size for tensor in tensors):
        return tensors
    laws = {t.stream: t.law for t in (*sequence, *tensors) if not t.is_tied and t.law is not None}
    made = []
    for tensor in tensors:
        if tensor.law is None and tensor.size:
            if tensor.stream not in laws:
                raise SpecError(
                    f"a copy needs the numbers of {format_value(tensor.stream)}, which are not "
                    "drawn: give it an initializer",
                    tensor.place,
                )
            tensor = structs.replace(tensor, law=laws[tensor.stream])
        made.append(tensor)
    return made


def _name_tensor(decisions: Sequence[Decision], tensor: TensorSpec) -> TensorPlan:
    decision = decisions[tensor.family]
    return decision.name_tensor(tensor.name, tensor.stream, is_tied=tensor.tie is not None)


def _check_names(tensors: Sequence[TensorPlan], framework: Framework) -> None:
    """Refuse two tensors to which the framework gives one name, and names that it refuses."""
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise SpecError(
                f"two tensors must not have one name; got {format_value(tensor.name)} twice",
                tensor.place,
            )
        names.add(tensor.name)
    for tensor in tensors:
        if tensor.module is not None:
            try:
                framework.check_name(tensor.name, names)
            except SpecError as error:
                error.path = tensor.place
                raise
