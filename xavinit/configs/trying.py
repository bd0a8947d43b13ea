"""Does a small model run? Its inputs are made up from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xavinit.configs.library import Library

_LENGTH = 8  # tokens
_SAMPLES = 4_000  # of sound


def try_model(library: Library, model: Any) -> str | None:
    """What is wrong with a forward pass; None where one of the tried inputs gives finite numbers.

    Of a model without numbers, its shapes are tried alone, as far as they don't depend on numbers.
    """
    torch = library.torch
    has_numbers = model.device.type != "meta"
    reasons = []
    for inputs in _list_inputs(library, model):
        try:
            with torch.no_grad():
                output = model(**inputs)
        except Exception as error:  # of any model's code
            if not has_numbers and (isinstance(error, NotImplementedError) or "meta" in str(error)):
                return None  # something that only numbers tell
            reasons.append(f"{type(error).__name__}: {error}")
            continue
        if not has_numbers or all(
            bool(torch.isfinite(t).all()) for t in _list_tensors(library, output)
        ):
            return None
        reasons.append("numbers that are not finite")
    return reasons[-1] if reasons else "no inputs"


def _list_tensors(library: Library, output: Any) -> Iterator[Any]:
    if isinstance(output, library.torch.Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            if "loss" not in key:
                yield from _list_tensors(library, value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _list_tensors(library, value)


def _list_inputs(library: Library, model: Any) -> Iterator[dict[str, Any]]:
    """Inputs that a model may take, the likeliest first."""
    names = inspect.signature(model.forward).parameters
    config = model.config
    torch = library.torch
    dtype, device = model.dtype, model.device
    makers: dict[str, Callable[[], Any]] = {
        "input_ids": lambda: torch.arange(2, 2 + _LENGTH, device=device)[None],
        "decoder_input_ids": lambda: torch.arange(2, 2 + _LENGTH, device=device)[None],
        "pixel_values": lambda: torch.zeros(_shape_image(config), dtype=dtype, device=device),
        "input_values": lambda: torch.linspace(-1, 1, _SAMPLES, dtype=dtype, device=device)[None],
        "input_features": lambda: torch.zeros(_shape_features(config), dtype=dtype, device=device),
    }
    text = {n: makers[n]() for n in ("input_ids",) if n in names}
    more = {n: makers[n]() for n in ("decoder_input_ids",) if n in names}
    rest = {
        n: makers[n]() for n in ("pixel_values", "input_values", "input_features") if n in names
    }
    seen: list[set[str]] = []
    for parts in ((text,), (text, more), (rest,), (rest, more), (text, rest), (text, rest, more)):
        inputs: dict[str, Any] = {}
        for part in parts:
            inputs |= part
        if inputs and set(inputs) not in seen:
            seen.append(set(inputs))
            yield inputs


def _find(config: Any, *names: str) -> Any:
    for part in (
        config,
        getattr(config, "vision_config", None),
        getattr(config, "audio_config", None),
        getattr(config, "encoder", None),
        getattr(config, "backbone_config", None),
    ):
        for name in names:
            value = getattr(part, name, None)
            if value is not None:
                return value
    return None


def _shape_image(config: Any) -> tuple[int, ...]:
    size = _find(config, "image_size", "img_size", "input_size")
    size = size if size is not None else 224
    if isinstance(size, Mapping):
        size = [size.get("height", 224), size.get("width", 224)]
    sides = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    channels = _find(config, "num_channels", "in_channels", "in_chans")
    return 1, channels if isinstance(channels, int) else 3, *sides


def _shape_features(config: Any) -> tuple[int, ...]:
    mels = _find(config, "num_mel_bins", "feature_size", "input_feat_per_channel") or 80
    length = _find(config, "max_source_positions")
    return 1, mels, 2 * length if isinstance(length, int) and length < 4000 else 100
