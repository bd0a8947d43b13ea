"""The digest that the programs in tests/golden make of what a framework draws."""

from __future__ import annotations

import hashlib
from typing import Any

import xavinit


def compute_digest(spec: dict[str, Any]) -> str:
    """SHA-256 of the bytes of all arrays, in the spec's order."""
    total = hashlib.sha256()
    for array in xavinit.draw(spec).values():
        total.update(array.tobytes())
    return total.hexdigest()
