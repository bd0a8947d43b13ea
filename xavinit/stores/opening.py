"""The store that a URL names, opened once; the libraries are loaded when the first one is."""

from __future__ import annotations

import logging
import threading
from importlib import import_module

from xavinit.errors import MissingLibraryError
from xavinit.stores.store import Store
from xavinit.stores.urls import Url

_MODULES = {"s3": "xavinit.stores.s3", "gs": "xavinit.stores.gs", "az": "xavinit.stores.az"}

# Their warnings are for programmers; where nobody listens, Python would print them.
_LOGGERS = ("azure", "boto3", "botocore", "google", "urllib3")

_open: dict[tuple[str, str], Store] = {}
_lock = threading.Lock()


def open_store(url: Url) -> Store:
    """The bucket of a URL. It is not asked for anything yet.

    Raises `MissingLibraryError` where the libraries are not installed, `OSError` or `UsageError`
    where the environment does not say how the store is reached.
    """
    with _lock:
        place = (url.scheme, url.bucket)
        if place not in _open:
            _open[place] = make_store(*place)
        return _open[place]


def make_store(scheme: str, bucket: str) -> Store:
    """Open a bucket; `open_store` keeps it."""
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        module = import_module(_MODULES[scheme])
        store: Store = module.make_store(bucket)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "xavinit":
            raise  # a mistake of ours
        raise MissingLibraryError(
            f"{scheme}:// needs {error.name}: pip install 'xavinit[cloud]'"
        ) from error
    return store


def forget_stores() -> None:
    """Open every store anew at its next use: the environment says another place, in tests."""
    with _lock:
        _open.clear()
