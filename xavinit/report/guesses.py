"""The law that a tensor's values look like, as text and as JSON."""

from __future__ import annotations

from typing import Any

from xavinit.reading import Guess
from xavinit.report.laws import describe_law


def format_guess(guess: Guess) -> str:
    """The initializers that give the law, with the fans they were given; or the law itself."""
    return str(guess)


def guess_to_data(guess: Guess | None) -> dict[str, Any] | None:
    """The law as a plan's JSON has it, the initializers, and the fans they were given."""
    content = describe_law(guess.law) if guess is not None else None
    if guess is None or content is None:
        return None
    return content | {
        "initializers": list(guess.initializers),
        "fan_in": guess.fans.fan_in if guess.fans else None,
        "fan_out": guess.fans.fan_out if guess.fans else None,
    }
