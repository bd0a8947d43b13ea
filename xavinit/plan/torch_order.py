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
        own = self._find_own(listed, parts)
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
                    f"{framework} has no place",
                    part.place,
                    hint="write PyTorch's form, or give the layers other initializers than default",
                )

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        return tensors

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        if self._then is self._first:
            return tuple(self._first)
        return (*self._first, *self._then)

    def _find_own(self, listed: LayerSpec, parts: Mapping[str, TensorPlan]) -> set[str]:
        """The roles of the parts that are left as the module makes them.

        Where one is so, all are for which the spec does not give an initializer of its own.
        """
        families = {role: self._families[part.family] for role, part in listed.parts.items()}
        own = {role for role, f in families.items() if isinstance(f.init, inits.Default)}
        if own or self._is_default:
            own |= {role for role, f in families.items() if not _is_given(f)}
        return {role for role in own if not parts[role].is_tied}


def _is_given(family: Family) -> bool:
    place = family.places.get("init")
    return place is not None and place != family.places[""]


def make_order(spec: Spec) -> TorchOrder:
    """The order of a spec under this rng."""
    return TorchOrder(spec)
