"""A configuration → the model that a spec is derived from: its own, or its tiny twin's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.configs.building import BuildError, build_model, find_class, make_config
from xavinit.configs.config import Config, list_sizes
from xavinit.configs.describing import describe_model
from xavinit.configs.library import Library, open_library
from xavinit.configs.shrinking import shrink
from xavinit.deriving import Model
from xavinit.errors import InputError
from xavinit.places import split


class Twin(Struct, frozen=True):
    """A small model of the same kind, and the text of its config.json."""

    model: Model
    config: str


def make_model(config: Config) -> Model:
    """The tensors of a configuration's model, its sizes and its own initializer.

    Nothing is downloaded, no code of a checkpoint's is run, no number is made. Raises `InputError`
    where no model can be made of it, and `MissingLibraryError` without transformers or torch.
    """
    with open_library() as library:
        try:
            made = make_config(library, config.data)
            cls = find_class(library, made, config.architecture)
            return _describe(library, config, made, build_model(library, cls, made))
        except BuildError as error:
            raise _refuse(config, error) from error


def make_twin(config: Config, *, keep_vocab: bool) -> Twin:
    """The tiny twin of a configuration's model. Raises what `make_model` raises."""
    with open_library() as library:
        try:
            made = make_config(library, config.data)
            cls = find_class(library, made, config.architecture)
            model = build_model(library, cls, made)
            data = shrink(library, cls, _to_data(made), model, keep_vocab=keep_vocab)
            text = _write_config(library, cls, data)
            small = make_config(library, json.loads(text))
            model = build_model(library, cls, small)
            return Twin(_describe(library, config, small, model, "a tiny twin of "), text)
        except BuildError as error:
            raise _refuse(config, error) from error


def _refuse(config: Config, error: BuildError) -> InputError:
    return InputError(f"{config.path}: no model can be made of it: {error}")


def _describe(library: Library, config: Config, made: Any, model: Any, what: str = "") -> Model:
    tensors, default = describe_model(library, model)
    name = split(config.path)[1]
    comments = ["Initialized as the model initializes itself, where a spec can say it."]
    if config.data.get("quantization_config"):
        comments.append("Without the config's quantization.")
    return Model(
        tensors,
        sizes=list_sizes(_to_data(made)),
        default_init=default,
        title=f"{what}{name} ({type(model).__name__})",
        comments=tuple(comments),
    )


def _to_data(made: Any) -> dict[str, Any]:
    """All of a configuration as plain data, with what it leaves to its defaults."""
    data: dict[str, Any] = json.loads(made.to_json_string(use_diff=False))
    return data


def _write_config(library: Library, cls: Any, data: Mapping[str, Any]) -> str:
    """The text of a config.json: what is not the class's default, if that is enough."""
    made = make_config(library, data)
    made.architectures = [cls.__name__]
    short = _clean(json.loads(made.to_json_string(use_diff=True)))
    if _to_data(make_config(library, short)) != _to_data(make_config(library, data)):
        short = _clean(_to_data(made))
    return json.dumps(short, indent=2, sort_keys=True) + "\n"


def _clean(data: dict[str, Any]) -> dict[str, Any]:
    """Without the release that wrote it, so that each writes the same."""
    return {key: value for key, value in data.items() if key != "transformers_version"}
