"""The law that a tensor's values look like, as text and as JSON."""

from __future__ import annotations

from typing import Any

from xavinit.plan import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.reading import PYTORCH_DEFAULT, Guess
from xavinit.report.laws import describe_law

# What has no name in a spec.
_NAMES = {PYTORCH_DEFAULT: "PyTorch's default, uniform ±1/√fan_in"}


def format_guess(guess: Guess) -> str:
    """The initializers that give the law, with the fans they were given; or the law itself."""
    if not guess.initializers:
        return _format_law(guess.law)
    text = " or ".join(_NAMES.get(name, name) for name in guess.initializers)
    if guess.fans is None:
        return text
    fan_in, fan_out = guess.fans
    if any(name.startswith("glorot") for name in guess.initializers):
        return f"{text}, fans {fan_in:.15g} and {fan_out}"
    return f"{text}, fan_in {fan_in:.15g}"  # the fan_out of other layouts would do as well


def _format_law(law: Law) -> str:
    """A law whose numbers were measured: three digits of them are known."""
    match law:
        case Uniform(bound):
            return f"uniform ±{bound:.3g}"
        case Normal(std):
            return f"normal, std {std:.3g}"
        case TruncatedNormal(std):
            return f"normal cut at two, std {std:.3g}"
        case Constant(float(value)):
            return f"constant {value:.6g}"
        case _:
            return str(law)


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
