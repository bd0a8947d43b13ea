"""Measured numbers as a person writes them: few digits, that mean the same."""

from __future__ import annotations

import math

from xavinit.dtypes import DType

DIGITS = 3  # of a measured parameter


def round_near(value: float) -> float:
    """The nearest number of three significant digits.

    >>> round_near(0.0199964)
    0.02
    """
    return float(f"{value:.{DIGITS - 1}e}")


def round_down(value: float) -> float:
    """A number of three significant digits that is not above a positive one.

    >>> round_down(69.99)
    69.9
    """
    near = round_near(value)
    return (
        near if near <= value else round_near(value - 10.0 ** (math.floor(math.log10(value)) - 2))
    )


def find_shortest(value: float, dtype: DType) -> float:
    """The number of the fewest digits that rounds to a finite value of a float dtype.

    >>> from xavinit.dtypes import DTYPES
    >>> find_shortest(0.10000000149011612, DTYPES["float32"])
    0.1
    """
    _, exponent = math.frexp(value)
    step = max(math.ldexp(1.0, exponent - 1 - dtype.mantissa), float(dtype.smallest))
    for digits in range(17):
        short = float(f"{value:.{digits}e}")
        # A quarter, since below a power of two the numbers lie twice as close.
        if abs(short - value) < step / 4 and abs(short) <= dtype.largest:
            return short
    return value
