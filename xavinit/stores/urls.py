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
    _check_key(path, match[1], key)
    return Url(match[1], bucket, key)


def _check_key(path: str, scheme: str, key: str) -> None:
    """Refuse keys that libraries take for others, or not at all."""
    if any("\ud800" <= letter <= "\udfff" for letter in path):
        raise UsageError(f"the URL of an object must be UTF-8; got {format_value(path)}")
    if key in (".", ".."):
        raise UsageError(f"an object must not be called . or ..; got {format_value(path)}")
    parts = key.rstrip("/").split("/") if key else []
    is_odd = "\\" in key or any(letter < " " or letter == "\x7f" for letter in key)
    if scheme == "az" and (is_odd or not {"", ".", ".."}.isdisjoint(parts)):
        raise UsageError(
            "a name of az:// has no backslash, no control character, and between its slashes "
            f"neither nothing nor . or ..; got {format_value(path)}"
        )
