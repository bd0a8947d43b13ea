"""The order in which the tensors of a plan draw from the one stream of an rng."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.layers import Framework, Layer
from xavinit.plan.parts import place_parts
from xavinit.plan.tensor import TensorPlan
from xavinit.plan.torch_laws import is_drawn
from xavinit.plan.torch_modules import make_draw, make_layer
from xavinit.spec import Family, LayerSpec, Spec, TensorSpec
from xavinit.wording import format_value

MOST_WORDS = 2**32  # that a `draw` takes, in about a second


class TorchOrder:
    """Collects what draws, in the spec's order; with `construction: drawn`, modules come first."""

    def __init__(self, spec: Spec) -> None:
        self._rng = spec.rng
        self._families = spec.families
        self._is_default = spec.is_default
        is_constructed = spec.rng.get("construction") == "drawn"
        self._is_made = is_constructed or spec.is_default  # is every module?
        self._first: list[TensorPlan] = []  # when modules are made
        self._then: list[TensorPlan] = []  # when initializers are applied
        if not is_constructed:
            self._then = self._first  # both as they come

    def add_tensor(self, tensor: TensorPlan, _: TensorSpec) -> TensorPlan:
        if not tensor.is_tied:
            self._then.append(tensor)
        return tensor

    def add_draw(self, layer: Layer) -> None:
        drawn = make_draw(layer, len(self._first))
        if drawn.size > MOST_WORDS:
            raise SpecError(
                f"count must be at most {MOST_WORDS:,} words; got {drawn.size:,}", ("layers",)
            )
        self._first.append(drawn)

    def add_layer(
        self, listed: LayerSpec, parts: Mapping[str, TensorPlan], framework: Framework
    ) -> tuple[list[TensorPlan], set[str]]:
        own = find_left(listed, self._families, is_default=self._is_default)
        is_made = bool(own) or self._is_made
        made = make_layer(listed.layer, parts, own, self._rng, is_made=is_made)
        self._first += made.first
        self._then += made.then
        tensors, modules = place_parts(listed.layer, made.parts, framework)
        self._check_placed(made.parts, tensors, framework.name)
        return tensors, modules

    def _check_placed(
        self, parts: Mapping[str, TensorPlan], made: Sequence[TensorPlan], framework: str
    ) -> None:
        """Refuse a layer of which a drawn part has no place: without it, it is another model."""
        placed: Counter[str] = Counter()
        for tensor in made:
            placed[tensor.stream] += tensor.size if tensor.view is None else tensor.view.count
        for part in parts.values():
            if is_drawn(part.law) and placed[part.stream] < part.size:
                raise SpecError(
                    f"{self._rng.name} draws all of {format_value(part.name)}, for which "
                    f"{framework} has no place of its own",
                    part.place,
                    hint="write PyTorch's form, or give the layer bias_init: zeros, as a program "
                    "does that fills its biases with zeros when they are drawn",
                )

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        return tensors

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        if self._then is self._first:
            return tuple(self._first)
        return (*self._first, *self._then)


def find_left(listed: LayerSpec, families: Sequence[Family], *, is_default: bool) -> set[str]:
    """The roles of a layer's parts that are left as its module makes them.

    They are those with the initializer `default`. Where one is, so are the biases, and what a norm
    has, unless something is said of them; and a cell's second weight, as its first.
    """
    of_roles = {role: families[part.family] for role, part in listed.parts.items()}
    left = {role for role, f in of_roles.items() if isinstance(f.init, inits.Default)}
    if left or is_default:
        _check_forget_bias(of_roles)
        left |= {role for role, f in of_roles.items() if _is_usual(f)}
        for role, family in of_roles.items():
            first = role.replace("_hh_", "_ih_")
            if _is_unsaid(family) and first in left:
                left.add(role)
            elif role.startswith("bias_hh_") and first not in left:  # which is zero then
                left.discard(role)
    return {role for role in left if listed.parts[role].tie is None}


def _check_forget_bias(families: Mapping[str, Family]) -> None:
    """Refuse what PyTorch has no word for, and what programs that say it do in different ways."""
    for family in families.values():
        if isinstance(family.init, inits.GateConstant):
            raise SpecError(
                "forget_bias must not be given where the biases are left as PyTorch draws them, "
                "two for each gate, of which programs fill one or both; "
                f"got {format_value(family.init.value)}",
                family.places["init"],
                at_key=True,
                hint="leave it out, or give the layer initializers other than default",
            )


def _is_usual(family: Family) -> bool:
    """Does it have what is usual for such a part of a layer, as a bias has zeros?"""
    return family.places.get("init") == family.places[""]


def _is_unsaid(family: Family) -> bool:
    """Does neither a rule nor the layer say how it is initialized?"""
    place = family.places.get("init")
    return place is None or place[:1] == ("defaults",)


def make_order(spec: Spec) -> TorchOrder:
    """The order of a spec under this rng."""
    return TorchOrder(spec)
