"""A model without numbers → its tensors, as a spec is derived from them."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from xavinit.configs.library import Library
from xavinit.configs.recording import find_storage, record_inits
from xavinit.deriving import NamedTensor

_GLOROT = "glorot_uniform"
_LEAST_SHARE = 0.5  # of a model's numbers, that one initializer draws


def describe_model(library: Library, model: Any) -> tuple[tuple[NamedTensor, ...], Any]:
    """The tensors by the names that the model's files have, and the initializer of most.

    All of those that are tied stand in it; what save_pretrained leaves out is `tied` to the rest.
    """
    own = _list_own(model)
    inits = record_inits(library, model)
    stored = _rename(model, own)
    left_out = _list_left_out(model, own)
    firsts: dict[object, str] = {}
    for name, tensor in sorted(stored.items(), key=lambda item: item[0] in left_out):
        firsts.setdefault(_identify(tensor), name)
    tensors = []
    for name, tensor in stored.items():
        first = firsts[_identify(tensor)]
        tensors.append(
            NamedTensor(
                name,
                tuple(map(int, tensor.shape)),
                str(tensor.dtype).removeprefix("torch."),
                None if first == name else first,
                inits.get(find_storage(tensor)),
            )
        )
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
        if isinstance(laws[key], dict) and laws[key]["type"] == "normal":
            if count >= _LEAST_SHARE * counts.total():
                return laws[key]
    return _GLOROT
