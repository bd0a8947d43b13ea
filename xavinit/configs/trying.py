"""Does a small model run? Its inputs are made up from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from xavinit.configs.library import Library

UNDECIDED = "a model without numbers tells its shapes alone"
_LENGTH = 8  # tokens
_SAMPLES = 4_000  # of sound


def try_model(library: Library, model: Any) -> str | None:
    """What is wrong with a forward pass; None where one of the tried inputs gives finite numbers.

    Of a model without numbers, shapes are tried alone; `UNDECIDED` where they depend on numbers.
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
                return UNDECIDED
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
    torch = library.torch
    dtype, device = model.dtype, model.device

    def make_ids(name: str) -> dict[str, Any]:
        ids = torch.arange(2, 2 + _LENGTH, device=device)[None]
        return {name: ids} if name in names else {}

    text, more = make_ids("input_ids"), make_ids("decoder_input_ids")
    sights = [
        {name: torch.zeros(shape, dtype=dtype, device=device)}
        for name, shapes in _list_shapes(model.config).items()
        if name in names
        for shape in shapes
    ]
    pairs = [(text, {}), (text, more)]
    pairs += [pair for sight in sights for pair in ((sight, {}), (sight, more))]
    pairs += [pair for sight in sights for pair in ((text | sight, {}), (text | sight, more))]
    seen: list[Any] = []
    for first, second in pairs:
        inputs = first | second
        told = {name: tuple(value.shape) for name, value in inputs.items()}
        if inputs and told not in seen:
            seen.append(told)
            yield inputs


def _list_shapes(config: Any) -> dict[str, list[tuple[int, ...]]]:
    """The shapes that images and sounds may have: an image, a film; samples, a spectrogram."""
    image = _shape_image(config)
    frames, bins = _find(config, "num_frames"), _find(config, "num_mel_bins")
    length = _find(config, "max_length")
    film = [(1, frames, *image[1:])] if isinstance(frames, int) else []
    spectrogram = [(1, length, bins)] if isinstance(length, int) and isinstance(bins, int) else []
    return {
        "pixel_values": [image, *film],
        "input_values": [(1, _SAMPLES), *spectrogram, (1, 1, _SAMPLES)],
        "input_features": [_shape_features(config)],
    }


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
