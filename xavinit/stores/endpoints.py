"""Servers that the environment names: addresses that libraries would quote, passwords and all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from xavinit.errors import UsageError

_ADDRESS = re.compile(
    r"(https?://)([^\s/?#@]+@)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(/[^\s?#@\\]*)?",
    re.IGNORECASE,
)


def check_endpoint(name: str, text: str) -> None:
    """`UsageError` where what a variable says is not a server's address. It is not quoted.

    >>> check_endpoint("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    """
    if _ADDRESS.fullmatch(text) is None:
        raise UsageError(f"{name} must be a server's address, such as https://host:9000")


def check_endpoints(*names: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check the variables of these names that are set."""
    for name in names:
        if environment.get(name):
            check_endpoint(name, environment[name])
