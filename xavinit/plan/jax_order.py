"""The keys of JAX's tensors: each its own, Linen's by the path, NNX's by the count.

`keys: plain` is JAX alone: a tensor's initializer is called with `jax.random.key(seed)`, of its own
seed, or else of the spec's. `keys: linen` is `model.init(jax.random.key(seed), x)`, where a
parameter's key comes of its module's path and of its place there: a bias is the last, however late
or early it is listed, since files list it before its kernel. `keys: nnx` is a model made with
`nnx.Rngs(seed)`, which counts every parameter, drawn or not. A key of two words is an integer here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from msgspec import structs

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.layers import DRAW, Framework, Layer, find_framework
from xavinit.plan.homes import Source, list_sources, place_sources
from xavinit.plan.jax_keys import fold_path, make_root
from xavinit.plan.jax_laws import compute_law
from xavinit.plan.jax_layers import check_layer, find_default, find_fans
from xavinit.plan.laws import Fixed
from xavinit.plan.parts import place_parts
from xavinit.plan.tensor import TensorPlan
from xavinit.plan.threefry import Key, fold_in
from xavinit.spec import LayerSpec, Spec, TensorSpec

MOST_COUNTS = 2**32 - 1  # a count has 32 bits


class JaxOrder:
    """Gives each tensor that is drawn its key, in the spec's order."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._keys = spec.rng.get("keys")
        self._is_wide = spec.rng.get("x64") == "true"
        self._root = make_root(spec.seed, is_wide=self._is_wide)
        self._framework = find_framework(spec.framework)
        self._home = find_framework("flax")
        self._sources: dict[str, list[Source]] = {}  # by the stream names of tensors and parts
        self._count = 0  # of NNX
        self._counts: Counter[tuple[str, ...]] = Counter()  # of Linen, by the module
        self._biases: list[TensorPlan] = []  # of Linen, which its modules make last

    def add_tensor(self, tensor: TensorPlan, _: TensorSpec) -> TensorPlan:
        if tensor.is_tied:
            return tensor
        if self._keys == "linen" and re.split(r"[./]", tensor.name)[-1] == "bias":
            self._biases.append(tensor)
            return tensor
        return self._give_key(tensor)

    def _give_key(self, tensor: TensorPlan) -> TensorPlan:
        key = self._take(tensor.name, tensor.seed)
        if tensor.law is None or isinstance(tensor.law, Fixed):
            return tensor
        tensor = structs.replace(tensor, seed=key)
        self._sources[tensor.stream] = [Source(None, tensor)]
        return tensor

    def add_draw(self, layer: Layer) -> None:
        (count,) = layer.sizes.outs
        if self._keys != "nnx":
            raise SpecError(
                f"{DRAW} takes from the count of nnx.Rngs; got keys: {self._keys}",
                ("layers",),
            )
        if self._count + count > MOST_COUNTS:
            raise SpecError(f"count must be at most {MOST_COUNTS:,}; got {count:,}", ("layers",))
        self._count += count

    def add_layer(
        self, listed: LayerSpec, parts: Mapping[str, TensorPlan], framework: Framework
    ) -> tuple[list[TensorPlan], set[str]]:
        layer = listed.layer
        try:
            check_layer(layer, self._spec.rng)
        except SpecError as error:
            error.path = next(iter(parts.values())).place
            raise
        settled = {role: self._settle(listed, role, part) for role, part in parts.items()}
        kept = dict(settled)
        for role, source in list_sources(layer, settled, self._home):
            drawn = source.tensor
            key = self._take(drawn.name, drawn.seed)
            if settled[role].is_tied:
                continue
            drawn = structs.replace(self._fit(listed, role, drawn), seed=key)
            self._sources.setdefault(drawn.stream, []).append(Source(source.view, drawn))
            kept[role] = structs.replace(kept[role], law=drawn.law, fans=drawn.fans)
        if self._keys == "nnx":
            self._count += layer.sizes.has_dropout  # made after the projections
        return place_parts(layer, kept, framework)

    def finish(self, tensors: list[TensorPlan]) -> list[TensorPlan]:
        biases = {tensor.name: self._give_key(tensor) for tensor in self._biases}
        tensors = [biases.get(tensor.name, tensor) for tensor in tensors]
        return place_sources(tensors, self._sources, self._framework, self._home)

    def list_sequence(self) -> tuple[TensorPlan, ...]:
        return ()

    def _take(self, name: str, own: int | None) -> int | None:
        """The key of the next parameter; None for a statistic, which is none."""
        collection, *path = re.split(r"[./]", name)
        if self._keys == "plain":
            key = self._root if own is None else make_root(own, is_wide=self._is_wide)
            return _join(key)
        if collection == "batch_stats":
            return None
        if self._keys == "nnx":
            key = fold_in(self._root, self._count)
            self._count += 1
            return _join(key)
        if collection != "params":
            path = [collection, *path]
        module = tuple(path[:-1])
        self._counts[module] += 1
        return _join(fold_path(self._root, module, self._counts[module]))

    def _settle(self, listed: LayerSpec, role: str, part: TensorPlan) -> TensorPlan:
        """A part with the law that Flax's module gives it where the spec does not."""
        if part.is_tied or self._find_given(listed, role) or part.dtype.name == "int64":
            return part  # int64: the counter of a norm
        init = find_default(listed.layer, role)
        return self._give(part, init)

    def _fit(self, listed: LayerSpec, role: str, drawn: TensorPlan) -> TensorPlan:
        """A variable with the law that its own fans give it."""
        given = self._find_given(listed, role)
        fans = find_fans(listed.layer, drawn.shape, drawn.name, is_default=given is None)
        if fans is None:
            return drawn
        init = find_default(listed.layer, role) if given is None else given
        return self._give(structs.replace(drawn, fans=fans), init)

    def _give(self, tensor: TensorPlan, init: inits.Init) -> TensorPlan:
        if tensor.size == 0:
            return tensor
        try:
            law = compute_law(init, tensor.fans, tensor.shape, tensor.dtype, self._spec.rng)
        except SpecError as error:
            error.path = error.path or tensor.place
            raise
        return structs.replace(tensor, law=law)

    def _find_given(self, listed: LayerSpec, role: str) -> inits.Init | None:
        """The initializer that the spec gives a part; None where it leaves it to Flax."""
        family = self._spec.families[listed.parts[role].family]
        place = family.places.get("init", family.places[""])
        is_given = place != family.places[""] and not isinstance(family.init, inits.Default)
        return family.init if is_given else None


def _join(key: Key) -> int:
    return key[0] << 32 | key[1]


def make_order(spec: Spec) -> JaxOrder:
    """The order of a spec under this rng."""
    return JaxOrder(spec)
