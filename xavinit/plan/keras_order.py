"""The seeds of Keras's initializers: each tensor's own, or the next of Python's generator.

`keras.utils.set_random_seed(s)` seeds Python's generator. An initializer without a seed takes
`random.randint(1, 10**9)` from it where it is constructed, which is when its layer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from msgspec import structs

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.layers import Framework, Layer, find_framework
from xavinit.plan.homes import Source, list_sources, place_sources
from xavinit.plan.keras_laws import compute_law
from xavinit.plan.keras_layers import find_default, list_constructions
from xavinit.plan.parts import place_parts
from xavinit.plan.python_random import PythonRandom
from xavinit.plan.tensor import TensorPlan
from xavinit.spec import LayerSpec, Spec, TensorSpec

MOST_DRAWS = 10**6  # that a `draw` takes, in a second
_SEEDS = (1, 10**9)  # of make_default_seed in keras/src/random/seed_generator.py
_RANDOM = (
    inits.Uniform,
    inits.Between,
    inits.Normal,
    inits.TruncatedNormal,
    inits.VarianceScaling,
)


class KerasOrder:
    """Gives each tensor that is drawn the seed of its initializer, in the spec's order."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._framework = find_framework(spec.framework)
        self._home = find_framework("keras")
        self._sources: dict[str, list[Source]] = {}  # by the stream names of tensors and parts

    @cached_property
    def _random(self) -> PythonRandom:  # only where something has no seed
        return PythonRandom(self._spec.seed)

    def add_tensor(self, tensor: TensorPlan, listed: TensorSpec) -> TensorPlan:
        if not tensor.is_tied and isinstance(self._spec.families[listed.family].init, _RANDOM):
            tensor = structs.replace(tensor, seed=self._take(tensor.seed), drawn=tensor.size)
            self._sources[tensor.stream] = [Source(None, tensor)]
        return tensor

    def add_draw(self, layer: Layer) -> None:
        (count,) = layer.sizes.outs
        if count > MOST_DRAWS:
            fact = f"count must be at most {MOST_DRAWS:,} numbers; got {count:,}"
            raise SpecError(fact, ("layers",))
        for _ in range(count):
            self._take(None)

    def add_layer(
        self, listed: LayerSpec, parts: Mapping[str, TensorPlan], framework: Framework
    ) -> tuple[list[TensorPlan], set[str]]:
        layer = listed.layer
        settled = {role: self._settle(listed, role, part) for role, part in parts.items()}
        kept = {role: part for role, (part, _) in settled.items()}
        sources = list(list_sources(layer, kept, self._home))
        for role, number in list_constructions(layer, [role for role, _ in sources]):
            if role is None:
                self._take(None)
                continue
            part, init = settled[role]
            if part.is_tied or not isinstance(init, _RANDOM):
                continue
            seed = self._take(part.seed)
            if number is not None:
                _, source = sources[number]
                drawn = structs.replace(source.tensor, seed=seed, drawn=source.tensor.size)
                self._sources.setdefault(part.stream, []).append(Source(source.view, drawn))
        return place_parts(layer, kept, framework)

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        return place_sources(tensors, self._sources, self._framework, self._home)

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        return ()

    def _take(self, own: int | None) -> int:
        return self._random.draw(*_SEEDS) if own is None else own

    def _settle(
        self, listed: LayerSpec, role: str, part: TensorPlan
    ) -> tuple[TensorPlan, inits.Init]:
        """A part with the law that Keras's layer gives it where the spec does not, and its
        initializer.
        """
        family = self._spec.families[listed.parts[role].family]
        given = family.places.get("init", family.places[""])
        is_given = given != family.places[""] and not isinstance(family.init, inits.Default)
        if part.is_tied or is_given or part.dtype.name == "int64":  # the counter of a norm
            return part, family.init
        try:
            init = find_default(listed.layer, role)
            law = compute_law(init, part.fans, part.shape, part.dtype, self._spec.rng)
        except SpecError as error:
            error.path = error.path or part.place
            raise
        return structs.replace(
            part, law=None if part.law is None and 0 in part.shape else law
        ), init


def make_order(spec: Spec) -> KerasOrder:
    """The order of a spec under this rng."""
    return KerasOrder(spec)
