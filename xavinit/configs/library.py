"""The transformers library: imported when it is needed, offline, and silent."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from xavinit.errors import MissingLibraryError

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


class Library(Struct, frozen=True):
    """transformers, and the torch that it works with."""

    transformers: Any
    torch: Any


@contextlib.contextmanager
def open_library() -> Iterator[Library]:
    """Import both libraries. Within the block they are silent and go to no network.

    Raises `MissingLibraryError` where one is not there.
    """
    with _offline(), _silent():
        try:
            torch = importlib.import_module("torch")
            transformers = importlib.import_module("transformers")
            hub: Any = importlib.import_module("huggingface_hub.constants")
        except ImportError as error:
            raise MissingLibraryError(
                f"a config.json needs transformers and torch: {error}",
                hint="pip install 'xavinit[derive]'",
            ) from error
        # Read when the hub's client was imported, which may have been before.
        before = hub.HF_HUB_OFFLINE
        hub.HF_HUB_OFFLINE = True
        try:
            yield Library(transformers, torch)
        finally:
            hub.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Neither warnings nor logs nor prints: what is wrong, an error says."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    quiet = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(quiet),
            contextlib.redirect_stderr(quiet),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
