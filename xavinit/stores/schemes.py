"""What the URLs of objects begin with. Every run asks, so nothing is imported at the start."""

from __future__ import annotations

SCHEMES = ("s3", "gs", "az")


def is_url(path: object) -> bool:
    """Does a path name an object in a store? Raises `AddressError` for that of another kind."""
    if not isinstance(path, str) or ":/" not in path:
        return False
    scheme, _, rest = path.partition(":")
    if scheme in SCHEMES and rest.startswith("//"):
        return True
    from xavinit.stores.foreign import refuse_foreign

    refuse_foreign(path)
    return False
