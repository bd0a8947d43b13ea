"""Object stores: s3://, gs:// and az://, where weights are written and read without a disk.

What only a URL needs is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xavinit.stores.schemes import is_url

if TYPE_CHECKING:
    from xavinit.stores.opening import open_store
    from xavinit.stores.remote_file import RemoteFile
    from xavinit.stores.store import (
        ChangedError,
        Found,
        NoBucketError,
        OvertakenError,
        Store,
        Upload,
    )
    from xavinit.stores.urls import Url, parse_url

__all__ = [
    "ChangedError",
    "Found",
    "NoBucketError",
    "OvertakenError",
    "RemoteFile",
    "Store",
    "Upload",
    "Url",
    "is_url",
    "open_store",
    "parse_url",
]

_MODULES = {
    "ChangedError": "store",
    "Found": "store",
    "NoBucketError": "store",
    "OvertakenError": "store",
    "RemoteFile": "remote_file",
    "Store": "store",
    "Upload": "store",
    "Url": "urls",
    "open_store": "opening",
    "parse_url": "urls",
}


def __getattr__(name: str) -> Any:
    """Load the module of a name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"xavinit.stores.{_MODULES[name]}"), name)
