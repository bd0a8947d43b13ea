"""What the cluster tests have in common: a set of eight shards, and waiting for what others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parents[1] / "docs" / "cluster"
SPEC = "seed: 3\ntensors:\n  wte: [900, 700]\n  'h.{9}.w': [300, 700]\n  head: [900, 700]\n"
SIZE = "2MB"


def read_set(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def wait_for(what: str, is_there: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is there, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := is_there():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"no {what} in {seconds:g} s")
