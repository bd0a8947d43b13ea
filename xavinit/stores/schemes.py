"""What the URLs of objects begin with. Every run asks, so nothing is imported here."""

from __future__ import annotations

SCHEMES = ("s3", "gs", "az")


def is_url(path: object) -> bool:
    """Does a path name an object in a store? A file may have any other name."""
    return isinstance(path, str) and path.partition("://")[0] in SCHEMES and "://" in path
