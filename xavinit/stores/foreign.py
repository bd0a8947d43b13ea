"""Addresses that look like those of objects, but are not written as ours are.

Whoever writes one means no file. What other tools call a store is known here, so that the message
gives the address to write.
"""

from __future__ import annotations

import os
import re

from xavinit.errors import AddressError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)(.*)", re.DOTALL)

# What the scheme should be: of Hadoop's, fsspec's, Spark's and the libraries' own names too.
_SCHEMES = {
    "s3": "s3",
    "gs": "gs",
    "az": "az",
    "s3a": "s3",
    "s3n": "s3",
    "gcs": "gs",
    "azure": "az",
    "abfs": "az",
    "abfss": "az",
    "wasb": "az",
    "wasbs": "az",
    "adl": "az",
}

# Objects by the addresses of the services: the bucket, then the key.
_SERVICES = (
    ("s3", r"([^./]+)\.s3[.-][^/]*amazonaws\.com/(.+)"),
    ("s3", r"s3[.-][^/]*amazonaws\.com/([^/]+)/(.+)"),
    ("gs", r"([^./]+)\.storage\.googleapis\.com/(.+)"),
    ("gs", r"storage\.(?:googleapis|cloud\.google)\.com/([^/]+)/(.+)"),
    ("az", r"[^./]+\.(?:blob|dfs)\.core\.windows\.net/([^/]+)/(.+)"),
)


def refuse_foreign(path: str) -> None:
    """Raise `AddressError` for an address of another kind; any other name is that of a file.

    So is one whose beginning is a folder that is there, such as `s3:` of a download gone wrong.
    """
    match = _ADDRESS.fullmatch(path)
    if match is None:
        return
    scheme, slashes, rest = match.groups()
    name = scheme.lower()
    if (slashes == "/" and name not in _SCHEMES) or os.path.lexists(f"{scheme}:"):
        return
    # Of an address no more is shown: what comes after may be a secret.
    raise AddressError(
        f"the address of an object begins with s3://, gs:// or az://; got {scheme}:{slashes}",
        hint=_suggest(name, rest),
    )


def _suggest(scheme: str, rest: str) -> str | None:
    if store := _SCHEMES.get(scheme):
        if store == "az" and "@" in rest:  # container@account.dfs.core.windows.net/key
            rest = re.sub(r"@[^/]*", "", rest, count=1)
        return f"write {store}://{rest.lstrip('/')}"
    if scheme == "file":
        return f"write the path alone: /{rest.lstrip('/')}"
    if scheme in ("http", "https"):
        address = re.split("[?#]", rest)[0]
        for store, form in _SERVICES:
            if match := re.fullmatch(form, address):
                return f"write {store}://{match[1]}/{match[2]}"
        return "download it, or name the object in its store"
    return None
