"""The names of objects: URLs such as s3://bucket/folder/weights.safetensors."""

from __future__ import annotations

import re

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.stores.schemes import SCHEMES
from xavinit.wording import format_value

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class Url(Struct, frozen=True):
    """An object in a bucket (of az: a container), or what the names of several begin with.

    >>> str(parse_url("s3://bucket/folder/w.safetensors"))
    's3://bucket/folder/w.safetensors'
    """

    scheme: str
    bucket: str
    key: str  # without a slash at its beginning

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def parse_url(path: str) -> Url:
    """The parts of an object's URL; `UsageError` where it is none."""
    match = _URL.fullmatch(path)
    if match is None or match[1] not in SCHEMES:
        raise UsageError(f"{format_value(path)} is not the URL of an object")
    bucket, _, key = match[2].partition("/")
    if not bucket:
        raise UsageError(f"the URL of an object needs a bucket; got {format_value(path)}")
    _check_key(match[1], key, path)
    return Url(match[1], bucket, key)


def _check_key(scheme: str, key: str, path: str) -> None:
    """Refuse what would become another object's name on its way to the store."""
    try:
        key.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the URL of an object must be UTF-8; got {format_value(path)}") from None
    if scheme == "gs" and key in (".", ".."):
        raise UsageError(f"an object of gs:// cannot be named {key}; got {format_value(path)}")
    if scheme == "az" and "\\" in key:
        raise UsageError(
            "the name of an object of az:// must not contain a backslash, which becomes a slash;"
            f" got {format_value(path)}"
        )
