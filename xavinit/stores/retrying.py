"""Trying again: what may pass, how long it is worth while, and the pauses between.

The libraries' own retries are switched off, so that one rule holds for all stores and requests.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from xavinit.errors import UsageError
from xavinit.stores.waiting import Requests, pause
from xavinit.wording import format_value

T = TypeVar("T")

_PATIENCE = 120.0  # seconds from the first try of a request to its last
_FIRST_PAUSE = 0.1  # seconds; each later one is twice as long
_MOST_PAUSE = 10.0
_TIMEOUT = 60.0  # seconds without a byte, after which a request has failed
_CONNECT_TIMEOUT = 10.0  # to connect, and to send a piece of a body


class BusyError(OSError):
    """The store fails now, but may not the next time."""


def get_patience() -> float:
    """How long a request is tried, in seconds: `XAVINIT_STORE_PATIENCE`, else two minutes."""
    text = os.environ.get("XAVINIT_STORE_PATIENCE")
    if not text:
        return _PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < 1e6:
        got = format_value(text)
        raise UsageError(f"XAVINIT_STORE_PATIENCE must be a number of seconds; got {got}")
    return seconds


def get_timeout() -> float:
    """How long an answer may take, in seconds."""
    return min(_TIMEOUT, get_patience())


def get_connect_timeout() -> float:
    """How long it may take to connect, in seconds."""
    return min(_CONNECT_TIMEOUT, get_patience())


def persist(request: Callable[[int], T], patience: float | None = None) -> T:
    """The answer to a request, which is made again after each `BusyError` while there is patience.

    The request is told how often it has failed: an answer may have been lost, not the request.
    """
    start = time.monotonic()
    patience = get_patience() if patience is None else patience
    failures = 0
    while True:
        try:
            return request(failures)
        except BusyError as error:
            failures += 1
            fact = str(error)
        # Not all clients at the same moments: a part of the pause is by chance.
        seconds = min(_FIRST_PAUSE * 2 ** (failures - 1), _MOST_PAUSE) * random.uniform(0.5, 1)
        spent = time.monotonic() - start
        if spent + seconds > patience:
            tries = "a try" if failures == 1 else f"{failures} tries"
            raise TimeoutError(f"{fact} (after {tries} in {spent:.0f} s)")
        pause(seconds)


def persist_until(call: Callable[[], T], end: float) -> T:
    """The same of a request that need not be told of failures, until a moment of the clock."""
    requests = Requests()
    return persist(
        lambda failures: requests.run(call, max(0.0, end - time.monotonic())),
        max(0.0, end - time.monotonic()),
    )
