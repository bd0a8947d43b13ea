"""What reading finds out about a tensor: immutable values that can be printed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from xavinit.plan import Constant, Fans, Law, Normal, TruncatedNormal, Uniform

# The shares of the finite values that lie below the quantiles of a summary.
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

# What torch.nn.Linear and the convolutions do by default: kaiming_uniform_(weight, a=√5), which
# is uniform within ±1/√fan_in. It has no name in a spec.
PYTORCH_DEFAULT = "pytorch_default"
_NAMES = {PYTORCH_DEFAULT: "PyTorch's default, uniform ±1/√fan_in"}


class Bins(Struct, frozen=True):
    """The finite values of a tensor, counted in narrow bins, ascending; empty ones are left out.

    A real number between `lower[i]` and `upper[i]` is stored as a value of bin i. In a dtype of at
    most 16 bits each value has a bin of its own (`is_exact`), `values[i]`, and the two ends are
    where a real number would round to the next value. In a wider one, a bin holds the values
    lower ≤ x < upper, 1/128 of their magnitude wide, and `values[i]` is its middle.
    """

    lower: Sequence[float]
    upper: Sequence[float]
    values: Sequence[float]
    counts: Sequence[int]
    is_exact: bool


class Histogram(Struct, frozen=True):
    """Equal bins: `counts[i]` values x are in edges[i] ≤ x < edges[i + 1]; there are no others.

    The edges are multiples of a power of two, so that the counts are exact.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Guess(Struct, frozen=True):
    """The law that a tensor's values look like, and the named initializers that give it.

    `initializers` are those with the same law for these fans, such as `("glorot_uniform",)`, or
    several where they agree; empty where none gives it. `fans` are those they were given.
    """

    law: Law
    initializers: tuple[str, ...] = ()
    fans: Fans | None = None

    def __str__(self) -> str:
        """The initializers, with the fans that they depend on; or the law itself."""
        if not self.initializers:
            return _format_law(self.law)
        text = " or ".join(_NAMES.get(name, name) for name in self.initializers)
        if self.fans is None:
            return text
        fan_in, fan_out = self.fans
        if any(name.startswith("glorot") for name in self.initializers):
            return f"{text}, fans {fan_in:.15g} and {fan_out}"
        return f"{text}, fan_in {fan_in:.15g}"  # the fan_out of other layouts would do as well


class Summary(Struct, frozen=True):
    """A tensor's values in figures. A complex number counts as two: its real and imaginary part.

    `mean`, `std` (of the values themselves, dividing by their number), `min`, `max`, `quantiles`
    and `histogram` are those of the finite values, and None where there are none.
    """

    size: int
    zeros: int = 0
    nans: int = 0
    positive_infinities: int = 0
    negative_infinities: int = 0
    mean: float | None = None
    std: float | None = None
    min: float | int | None = None
    max: float | int | None = None
    quantiles: tuple[float, ...] | None = None
    histogram: Histogram | None = None
    guess: Guess | None = None


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
