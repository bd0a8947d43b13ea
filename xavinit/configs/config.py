"""A config.json: plain data, read and checked before any library sees it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from xavinit.errors import AddressError, InputError
from xavinit.places import is_file, is_folder, join, list_folder, read_whole, split
from xavinit.wording import explain_os_error, format_value

NAME = "config.json"
_WEIGHTS = re.compile(
    r"\.(safetensors|bin|pt|pth|ckpt|h5|hdf5|keras|npy|npz)\Z|\.index(\.\w+)?\.json\Z"
    r"|\Amanifest\.json\Z"
)
LARGEST_FILE = 16 * 2**20  # bytes
DEEPEST = 64
LARGEST = 2**40  # of any integer
# What a model makes a list, a module or a label of is counted.
_LIMITS = (
    (re.compile(r"layer|depth|block|stage|labels|classes|(^|_)num_.*heads"), 10_000),
    (re.compile(r"experts?\Z"), 100_000),
    (re.compile(r"position|(^|_)n_(ctx|positions)|length"), 2**27),
)


class Config(Struct, frozen=True):
    """The data of a configuration, and the path that it came from."""

    path: str
    data: Mapping[str, Any]

    @property
    def model_type(self) -> str:
        return str(self.data["model_type"])

    @property
    def architecture(self) -> str | None:
        """The class that the weights are of, where the configuration names one."""
        names = self.data.get("architectures")
        return names[0] if isinstance(names, list) and names else None


class Settings(Struct, frozen=True):
    """What a configuration beside weights says of them: its sizes, and the initializer."""

    sizes: Mapping[str, int] = {}
    init: Any = None


def is_config(path: str, *, beside_weights: bool = False) -> bool:
    """Does a path mean a configuration: a JSON file that is no index of a set, or a folder?

    A folder means the one in it, if there are no weights beside it, unless told otherwise.
    """
    if is_folder(path):
        if not is_file(join(path, NAME)):
            return False
        return beside_weights or not any(map(_WEIGHTS.search, list_folder(path)))
    name = split(path)[1]
    return name.endswith(".json") and not _WEIGHTS.search(name)


def load_settings(path: str) -> Settings:
    """What a config.json in a folder of weights says; nothing where there is none.

    Raises `InputError` where it is no JSON object.
    """
    place = join(path, NAME)
    if not is_folder(path) or not is_file(place):
        return Settings()
    data = _read(place)
    if not isinstance(data, dict):
        raise InputError(f"{place}: must be a JSON object; got {format_value(data)}")
    std = data.get("initializer_range")
    is_std = isinstance(std, int | float) and not isinstance(std, bool) and 0 < std < math.inf
    return Settings(list_sizes(data), {"type": "normal", "std": std} if is_std else None)


def load_config(path: str) -> Config:
    """Read a configuration. Raises `InputError` where it is none that a model could be made of."""
    if is_folder(path):
        path = join(path, NAME)
    data = _read(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be a JSON object; got {format_value(data)}")
    if "model_type" not in data:
        raise InputError(f"{path}: has no model_type, which says what the model is")
    kind = data["model_type"]
    if not isinstance(kind, str):
        raise InputError(f"{path}: model_type must be a string; got {format_value(kind)}")
    names = data.get("architectures")
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is not None and not is_list:
        raise InputError(
            f"{path}: architectures must be a list of names; got {format_value(names)}"
        )
    for key, value in walk(data):
        _check_size(path, key, value)
    return Config(path, data)


def _read(path: str) -> Any:
    try:
        content = read_whole(path, LARGEST_FILE)
    except AddressError:
        raise
    except (OSError, ValueError) as error:
        reason = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {reason}") from error
    if len(content) > LARGEST_FILE:
        raise InputError(f"{path}: is over {LARGEST_FILE // 2**20} MiB, and so no config.json")
    try:
        data = json.loads(content)
        if _measure_depth(data) > DEEPEST:
            raise RecursionError
    except RecursionError:
        raise InputError(f"{path}: is nested over {DEEPEST} deep") from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON: {error}") from None
    return data


def _measure_depth(data: Any) -> int:
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + max(map(_measure_depth, items), default=0)


def walk(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number of plain data, by the keys to it with dots between them."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from walk(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for value in data:
            yield from walk(value, path)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield path, data


def _check_size(path: str, key: str, value: float) -> None:
    if not isinstance(value, int):
        return
    name = key.rpartition(".")[2]
    most = next((most for pattern, most in _LIMITS if pattern.search(name)), LARGEST)
    if value > most:
        raise InputError(f"{path}: {key} must be at most {most:,}; got {format_value(value)}")


def list_sizes(data: Mapping[str, Any]) -> dict[str, int]:
    """The sizes in a configuration: its positive integers, nested ones by keys with dots."""
    sizes: dict[str, int] = {}

    def add(data: Mapping[str, Any], prefix: str) -> None:
        for key, value in data.items():
            if isinstance(value, Mapping):
                add(value, f"{prefix}{key}.")
            elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
                sizes[f"{prefix}{key}"] = value

    add(data, "")
    return sizes
