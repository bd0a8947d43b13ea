"""What `derive` with `laws="as-is"` adds: the source is measured, and the spec says its laws."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import structs

from xavinit.deriving import Model, derive_text
from xavinit.errors import UsageError
from xavinit.formats import Index, StoredTensor
from xavinit.plan import Law, plan_spec
from xavinit.spec import parse_document, resolve_spec
from xavinit.verbs.arrays import PLACE, store_array
from xavinit.verbs.held import Held, HeldTensor
from xavinit.verbs.laws import MeasuredLaw, is_drawn, measure_laws, write_measured
from xavinit.verbs.progress import Progress, make_advance
from xavinit.wording import format_value

MEASURED = "The laws are those that the source's numbers look like, their parameters measured."

Laws = Mapping[str, MeasuredLaw]  # by the names of tensors


def measure_stored(
    index: Index, names: AbstractSet[str], jobs: int | None, progress: Progress | None
) -> Laws:
    """The laws of the tensors of a file."""
    tensors = tuple(tensor for tensor in index.tensors if tensor.name in names)
    index = structs.replace(index, tensors=tensors)
    found = measure_laws(index, jobs, make_advance(index.nbytes, progress))
    return dict(zip((tensor.name for tensor in tensors), found, strict=True))


def measure_held(
    held: Held, names: AbstractSet[str], jobs: int | None, progress: Progress | None
) -> Laws:
    """The laws of tensors in memory."""
    tensors = tuple(_store(tensor) for tensor in held.tensors if tensor.name in names)
    format = "keras" if held.layout == "in_out" else ""
    return measure_stored(Index(PLACE, tensors, {}, format), names, jobs, progress)


def derive_measured(model: Model, laws: Laws) -> str:
    """The text of a spec with these laws.

    Initializers by name stand where they give the law for the fans that the spec has; where those
    are others, the law's own numbers do.
    """
    text = derive_text(_give_laws(model, laws))
    spec = resolve_spec(parse_document(text.encode(), "derived.yaml").data)
    planned = {tensor.name: tensor for tensor in plan_spec(spec).tensors}
    other = {
        name: write_measured(law.law, planned[name].dtype)
        for name, law in laws.items()
        if law.law is not None and not _is_same(law.law, planned[name].law)
    }
    return derive_text(_give_laws(model, {**laws, **other})) if other else text


def _give_laws(model: Model, laws: Laws) -> Model:
    """The model with these laws, the one that most tensors have as its default."""
    counts: Counter[str] = Counter(
        json.dumps(law.init) for law in laws.values() if is_drawn(law.init) and not law.note
    )
    most = max(counts, key=lambda told: (counts[told], told[0] == '"'), default=None)  # names first
    default = model.default_init if most is None else json.loads(most)
    tensors = tuple(
        structs.replace(tensor, init=laws[tensor.name].init, note=laws[tensor.name].note)
        if tensor.name in laws
        else tensor
        for tensor in model.tensors
    )
    comments = (MEASURED, *model.comments)
    return structs.replace(model, tensors=tensors, default_init=default, comments=comments)


def _is_same(law: Law, other: Law | None) -> bool:
    """Are two laws one, but for the rounding of their parameter?"""
    if type(law) is not type(other) or other is None:
        return False
    pairs = zip(structs.astuple(law), structs.astuple(other), strict=True)
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in pairs)


def _store(tensor: HeldTensor) -> StoredTensor:
    """A tensor in memory, as those of a file; `UsageError` where it has no numbers."""
    value = tensor.value
    if getattr(value, "is_meta", False) or not any(
        hasattr(value, name) for name in ("__array__", "__dlpack__", "__array_interface__")
    ):
        raise UsageError(
            f"laws that are as is need the numbers of the source; {format_value(tensor.name)} "
            "has a shape and a dtype alone"
        )
    return store_array(tensor.name, value)
