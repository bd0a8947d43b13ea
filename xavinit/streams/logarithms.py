"""Logarithms of integers, correctly rounded to float64 by integers alone."""

from __future__ import annotations

from functools import lru_cache

DIGITS = 128  # binary ones behind the point, to begin with


@lru_cache(maxsize=10_000)
def compute_log(number: int) -> float:
    """The float64 nearest to ln of a positive integer below 2⁵³.

    ln k = e·ln 2 + ln(k/2ᵉ), and ln y = 2·artanh((y − 1)/(y + 1)), both in fixed point, with a
    bound on the error: where both ends of the interval that it leaves round to one float64, so
    does the logarithm. Else more digits are taken. There is an end to that: ln k is
    transcendental for k > 1 (Lindemann, 1882), so never a float64 nor halfway between two.

    >>> compute_log(1), compute_log(10)
    (0.0, 2.302585092994046)
    """
    if number == 1:
        return 0.0
    digits = DIGITS
    while True:
        low, high = bound_log(number, digits)
        # The quotient of two integers is rounded once.
        if low / (1 << digits) == high / (1 << digits):
            return low / (1 << digits)
        digits *= 2


def bound_log(number: int, digits: int) -> tuple[int, int]:
    """Integers below and above ln(number)·2^digits."""
    exponent = number.bit_length() - 1
    if 2 * number * number > 4 << 2 * exponent:  # then √½ < number/2ᵉ ≤ √2
        exponent += 1
    power = 1 << exponent
    rest, error = _scale_artanh(number - power, number + power, digits)
    value = 2 * rest
    if exponent:
        two, more = _scale_artanh(1, 3, digits)  # ln 2 = 2·artanh(1/3)
        value += 2 * exponent * two
        error += exponent * more
    return value - 2 * error, value + 2 * error


def _scale_artanh(top: int, bottom: int, digits: int) -> tuple[int, int]:
    """artanh(top/bottom)·2^digits, and by how much it may be off; |top/bottom| ≤ 1/3.

    The sum of x^(2i + 1)/(2i + 1), each number rounded down. A power is off by less than 2: by
    2·x² ≤ 2/9 from the power before, by x·5/3 ≤ 5/9 from the square, and by 1. So a term is off by
    less than 3. Those that are left out are less than 2 together, since the first of their powers
    is, and they fall by x².
    """
    negative = top < 0
    power = (abs(top) << digits) // bottom
    square = (power * power) >> digits
    total, index = 0, 1
    while power:
        total += power // index
        power = (power * square) >> digits
        index += 2
    return -total if negative else total, 3 * (index // 2) + 2
