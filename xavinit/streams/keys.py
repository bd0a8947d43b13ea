"""Seed and stream name → key. The first step of the number contract."""

from __future__ import annotations

try:
    from _blake2 import blake2b  # hashlib's own, without OpenSSL, which takes 2 ms to load
except ImportError:
    from hashlib import blake2b


def make_key(seed: int, stream: str) -> int:
    """The 128-bit Philox key of a stream name under a seed (0 … 2⁶⁴−1).

    BLAKE2b with a 16-byte digest and the personalization `xavinit-1`, over the seed as 8
    little-endian bytes and the name in UTF-8 as it stands; the digest read little-endian.

    >>> f"{make_key(42, 'hidden.weight'):032x}"
    'aa2bc5880e7ec76c844c2b65c2fe3b01'
    """
    content = seed.to_bytes(8, "little") + stream.encode()
    digest = blake2b(content, digest_size=16, person=b"xavinit-1").digest()
    return int.from_bytes(digest, "little")
