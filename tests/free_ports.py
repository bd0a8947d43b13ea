"""Ports for servers that a test starts and that cannot choose one themselves."""

from __future__ import annotations

import random
import socket

# Below those that systems give to anybody's outgoing connections at any moment.
_PORTS = range(20_000, 30_000)


def find_free_port() -> int:
    """A port of this machine that nothing listens on now."""
    choose = random.SystemRandom()
    while True:
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", choose.choice(_PORTS)))
            except OSError:
                continue
            return int(found.getsockname()[1])
