"""Is an object ours? The answer to the request that made it may have been lost."""

from __future__ import annotations

import secrets

from xavinit.stores.store import Reader

TOKEN_NAME = "xavinit_upload"  # of the metadata of an object; Azure's names are identifiers


def make_token() -> str:
    """What tells an upload from every other; it is kept with the object, and says nothing else."""
    return secrets.token_hex(8)


def is_same_content(store: Reader, key: str, content: bytes) -> bool:
    """Does a small object hold these bytes?"""
    found = store.find(key)
    if found is None or found.nbytes != len(content):
        return False
    block = bytearray(found.nbytes)
    store.read(key, 0, memoryview(block), found.tag)
    return block == content
