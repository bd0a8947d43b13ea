"""A configuration → the model of it, on the device that holds shapes and no numbers."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xavinit.configs.library import Library
from xavinit.errors import escape
from xavinit.wording import format_value, plural

MOST_TENSORS = 1_000_000
MOST_TOLD = 300  # characters of another library's message
# Classes that choose the model of a configuration that names none, in this order.
_AUTO = (
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM",
    "AutoModelForImageTextToText",
    "AutoModelForImageClassification",
    "AutoModelForObjectDetection",
    "AutoModelForPreTraining",
)
# What is no part of the weights' names and shapes, or would be looked for elsewhere.
_DROPPED = ("quantization_config", "auto_map", "_name_or_path", "transformers_version")
_PRETRAINED = "use_pretrained_backbone"


class BuildError(Exception):
    """A model could not be made of a configuration."""


def make_config(library: Library, data: Mapping[str, Any]) -> Any:
    """The library's configuration of plain data. Raises `BuildError`."""
    kind = str(data.get("model_type"))
    known = library.transformers.models.auto.configuration_auto.CONFIG_MAPPING
    if kind not in known:
        if data.get("auto_map"):
            raise BuildError(
                f"model_type {format_value(kind)} has code of its own (auto_map), which is not run"
            )
        version = library.transformers.__version__
        raise BuildError(
            f"model_type {format_value(kind)} is not one that transformers {version} knows"
        )
    plain = _drop(copy.deepcopy(dict(data)))
    del plain["model_type"]
    with _telling():
        return known[kind].from_dict(plain)


def _drop(data: Any) -> Any:
    """Plain data without what is not wanted; infinities, written as tables, are floats."""
    if isinstance(data, list):
        return [_drop(value) for value in data]
    if isinstance(data, dict):
        if set(data) == {"__float__"}:
            return float(str(data["__float__"]).replace("Infinity", "inf"))
        data = {key: _drop(value) for key, value in data.items() if key not in _DROPPED}
        if _PRETRAINED in data:
            data[_PRETRAINED] = False  # its weights would be looked for
    return data


def find_class(library: Library, config: Any, name: str | None) -> Any:
    """The class of a model: the one named, else the one that transformers has for the config."""
    transformers = library.transformers
    if name is not None:
        found = _find_named(transformers, name)
        if found is None:
            version = transformers.__version__
            raise BuildError(
                f"the architecture {format_value(name)} is not one that transformers {version} has"
            )
        wanted = getattr(found, "config_class", None)
        if isinstance(wanted, type) and not isinstance(config, wanted):
            raise BuildError(
                f"the architecture {format_value(name)} is not one of model_type "
                f"{format_value(config.model_type)}"
            )
        return found
    for auto in _AUTO:
        mapping = getattr(getattr(transformers, auto, None), "_model_mapping", {})
        if type(config) in mapping:
            found = mapping[type(config)]
            return found[0] if isinstance(found, tuple | list) else found
    raise BuildError(
        f"model_type {format_value(config.model_type)} has no model: name one in architectures"
    )


def _find_named(transformers: Any, name: str) -> Any:
    with contextlib.suppress(Exception):  # whatever importing it does
        found = getattr(transformers, name)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    return None


def build_model(
    library: Library, cls: Any, config: Any, *, device: str = "meta", seed: int | None = None
) -> Any:
    """The model of a configuration, its tied tensors tied. Raises `BuildError`."""
    torch = library.torch
    dtype = find_dtype(library, config)
    initialization = getattr(library.transformers, "initialization", None)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_telling())
        stack.enter_context(_counting(torch))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(dtype)
        if seed is not None:
            stack.enter_context(torch.random.fork_rng(devices=[]))
            torch.manual_seed(seed)
        stack.enter_context(torch.device(device))
        safe: Callable[[], Any] | None = getattr(
            initialization, "meta_device_safe_creation_ops", None
        )
        if safe is not None and device == "meta":
            stack.enter_context(safe())
        model = cls(config)
        model.tie_weights()
    return model.eval()


def find_dtype(library: Library, config: Any) -> Any:
    """The dtype that a configuration names, or float32."""
    torch = library.torch
    told = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None)
    if isinstance(told, str):
        told = getattr(torch, told.removeprefix("torch."), None)
    is_float = isinstance(told, torch.dtype) and told.is_floating_point and told.itemsize > 1
    return told if is_float else torch.float32


@contextlib.contextmanager
def _counting(torch: Any) -> Iterator[None]:
    """Refuse a model of more tensors than a spec can have, before memory is full of them."""
    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1
        if count > MOST_TENSORS:
            raise BuildError(f"the model has more than {plural(MOST_TENSORS, 'tensor')}")

    register = torch.nn.modules.module.register_module_parameter_registration_hook
    hook = register(add)
    try:
        yield
    finally:
        hook.remove()


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Whatever a library's code raises about a configuration, in one line."""
    try:
        yield
    except BuildError:
        raise
    except ImportError as error:
        raise BuildError(f"needs another library: {shorten(error)}") from error
    except Exception as error:
        raise BuildError(shorten(error)) from error


def shorten(error: BaseException) -> str:
    """What a library says, in one short line."""
    text = " ".join(str(error).split())
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return escape(text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…")
