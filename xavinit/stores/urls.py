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

    def join(self, name: str) -> Url:
        """What has a name in the folder that this names, with or without a slash at its end.

        >>> str(parse_url("s3://bucket/folder").join("w.safetensors"))
        's3://bucket/folder/w.safetensors'
        """
        slash = "/" if self.key and not self.key.endswith("/") else ""
        return Url(self.scheme, self.bucket, f"{self.key}{slash}{name}")

    def split(self) -> tuple[str, str]:
        """The address of the folder, without a slash at its end, and the name; either may be empty.

        >>> parse_url("s3://bucket/folder/w.safetensors").split()
        ('s3://bucket/folder', 'w.safetensors')
        """
        folder, slash, name = self.key.rpartition("/")
        return f"{self.scheme}://{self.bucket}{slash}{folder}", name


def parse_url(path: str) -> Url:
    """The parts of an object's URL; `UsageError` where it is none."""
    match = _URL.fullmatch(path)
    if match is None or match[1] not in SCHEMES:
        raise UsageError(f"{format_value(path)} is not the URL of an object")
    bucket, _, key = match[2].partition("/")
    if not bucket:
        raise UsageError(f"the URL of an object needs a bucket; got {format_value(path)}")
    return Url(match[1], bucket, key)
