"""A model without numbers → its tensors, as a spec is derived from them."""

from __future__ import annotations

import importlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from xavinit.configs.library import Library
from xavinit.configs.recording import find_storage, record_inits
from xavinit.deriving import NamedTensor

_GLOROT = "glorot_uniform"
_LEAST_SHARE = 0.3  # of a model's numbers, that one initializer draws


def describe_model(library: Library, model: Any) -> tuple[tuple[NamedTensor, ...], Any]:
    """The tensors by the names that the model's files have, and the initializer of most.

    All of those that are tied stand in it; what save_pretrained leaves out is `tied` to the rest.
    """
    own = _list_own(model)
    inits = record_inits(library, model)
    stored = _rename(model, own)
    merged = _find_merged_init(own, stored, inits)
    own_storages = {find_storage(tensor) for tensor in own.values()}
    left_out = _list_left_out(model, own)
    firsts: dict[object, str] = {}
    for name, tensor in sorted(stored.items(), key=lambda item: item[0] in left_out):
        firsts.setdefault(_identify(tensor), name)
    tensors = []
    for name, tensor in stored.items():
        first = firsts[_identify(tensor)]
        shape = tuple(map(int, tensor.shape))
        dtype = str(tensor.dtype).removeprefix("torch.")
        is_own = find_storage(tensor) in own_storages
        init = inits.get(find_storage(tensor)) if is_own else merged
        tied = None if first == name else first
        tensors.append(NamedTensor(name, shape, dtype, tied, _write_init(init, shape)))
    default = _choose_default(tensors)
    return tuple(tensors), default


def _list_own(model: Any) -> dict[str, Any]:
    """What save_pretrained would write, by the model's own names, tied tensors each by each."""
    kept = model.state_dict()
    ignored = getattr(model, "_keys_to_ignore_on_save", None) or ()
    every = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    return {name: every[name] for name in kept if name in every and name not in ignored}


def _rename(model: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors as files have them: transformers 5 merges some of them when it loads."""
    try:
        loading = importlib.import_module("transformers.core_model_loading")
    except ImportError:  # transformers 4: models are as their files
        return dict(own)
    stored: dict[str, Any] = loading.revert_weight_conversion(model, dict(own))
    return {name: stored[name] for name in _sort_as(own, stored)}


def _find_merged_init(
    own: Mapping[str, Any], stored: Mapping[str, Any], inits: Mapping[int, Any]
) -> Any:
    """The initializer of tensors that a model holds merged, where all of them have the same."""
    kept = {find_storage(tensor) for tensor in stored.values()}
    found = [inits.get(place) for t in own.values() if (place := find_storage(t)) not in kept]
    return found[0] if found and all(init == found[0] for init in found) else None


def _sort_as(own: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """The names of files in the model's order; what was merged where the first part's module is."""
    order = {name: number for number, name in enumerate(own)}
    if all(name in order for name in stored):
        return sorted(stored, key=order.__getitem__)
    places: dict[str, int] = {}
    for name, number in order.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            places.setdefault(".".join(parts[:depth]), number)

    def rank(name: str) -> int:
        parts = name.split(".")
        prefixes = (".".join(parts[:depth]) for depth in range(len(parts), 0, -1))
        return next((places[p] for p in prefixes if p in places), len(order))

    return sorted(stored, key=rank)  # stable: otherwise as they are


def _list_left_out(model: Any, own: Mapping[str, Any]) -> set[str]:
    """The names of tied tensors that save_pretrained leaves out."""
    told = getattr(model, "all_tied_weights_keys", None)
    if isinstance(told, dict):
        return set(told)
    patterns = getattr(model, "_tied_weights_keys", None) or ()
    return {name for name in own for pattern in patterns if re.search(pattern, name)}


def _identify(tensor: Any) -> object:
    return find_storage(tensor), tensor.storage_offset(), tuple(tensor.shape)


def _choose_default(tensors: list[NamedTensor]) -> Any:
    """The initializer of most numbers, where it is a law of its own; otherwise Glorot's."""
    counts: Counter[str] = Counter()
    laws: dict[str, Any] = {}
    for tensor in tensors:
        size = 1
        for length in tensor.shape:
            size *= length
        if tensor.tied is None and len(tensor.shape) > 1:
            key = repr(tensor.init)
            counts[key] += size
            laws[key] = tensor.init
    for key, count in counts.most_common(1):
        init = laws[key]
        if count >= _LEAST_SHARE * counts.total() and isinstance(init, dict) and "std" in init:
            return init
    return _GLOROT


def _write_init(init: Any, shape: tuple[int, ...]) -> Any:
    """An initializer as a spec writes it, in terms of the fans where it follows from them.

    The bounds of other uniform laws follow from fans too, but not in a way that shapes tell.
    """
    if not isinstance(init, dict):
        return init
    for key in ("std", "bound"):
        number, inputs = init.get(key, 0.0), math.prod(shape[1:])
        is_fan = len(shape) > 1 and inputs > 0
        if is_fan and math.isclose(number, 1 / math.sqrt(inputs), rel_tol=1e-9):
            return {**init, key: "1/sqrt(fan_in)"}
    return None if init["type"] == "uniform" else init
