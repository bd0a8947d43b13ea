"""Does a law fit a dtype: nothing that overflows, or is lost by rounding?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from xavinit.dtypes import DType
from xavinit.errors import SpecError
from xavinit.plan.laws import Arange, Constant, Law, Values
from xavinit.wording import format_value


def check_range(law: Law, dtype: DType) -> None:
    """Raise `SpecError` where it does not; its path is the initializer's key at fault, if one."""
    if not dtype.is_float and not isinstance(law, Constant | Arange | Values):
        raise SpecError(
            f"{dtype.name} takes constants only (zeros, ones, constant, arange, values); got {law}"
        )
    if isinstance(law, Values):
        is_exact_float = dtype.is_float and law.digits <= dtype.mantissa + 1
        if not (is_exact_float and law.magnitudes[-1] <= dtype.largest):
            for index, value in enumerate(law.values):
                _check_number(value, dtype, ("values", index))
    elif isinstance(law, Arange):
        for key, given in (("start", law.start), ("step", law.step)):
            if not dtype.is_float and not isinstance(given, int):
                _check_integer(given, dtype, (key,))
        for value in _list_extremes(law, dtype):
            _check_number(value, dtype, ())
    elif not dtype.is_float and isinstance(law, Constant):
        _check_integer(law.value, dtype, ())
    elif law.largest(dtype) > dtype.largest:
        if isinstance(law, Constant):
            raise _refuse_large(law.value, dtype, ())
        raise SpecError(
            f"must fit {dtype.name}, whose largest number is {dtype.largest:g}; "
            f"got values up to {law.largest(dtype):g} ({law})"
        )
    if dtype.is_float:
        _check_zeros(law, dtype)


def _check_zeros(law: Law, dtype: DType) -> None:
    """Refuse a law none of whose values is left by rounding, as one whose values overflow."""
    if 0 < law.largest(dtype) <= dtype.smallest / 2:
        got = format_value(law.value) if isinstance(law, Constant) else str(law)
        raise SpecError(
            f"must not round to zero everywhere; got {got} in {dtype.name}, whose smallest number "
            f"is {dtype.smallest:g}",
            hint="take a larger number, or a dtype with smaller ones",
        )


def _check_number(value: bool | int | float, dtype: DType, path: tuple[str | int, ...]) -> None:
    """Refuse what the dtype cannot hold: an integer must be exact, since it counts something and
    its neighbor is another; any other number is rounded as all constants are.
    """
    if not dtype.is_float:
        _check_integer(value, dtype, path)
    elif abs(value) > dtype.largest:
        raise _refuse_large(value, dtype, path)
    elif isinstance(value, int) and not is_exact(value, dtype):
        raise SpecError(f"must be exact in {dtype.name}; got {format_value(value)}", path)


def is_exact(value: int, dtype: DType) -> bool:
    """Does a float dtype hold this integer, which is not too large?

    >>> from xavinit.dtypes import DTYPES
    >>> is_exact(256, DTYPES["bfloat16"]), is_exact(257, DTYPES["bfloat16"])
    (True, False)
    """
    magnitude = abs(value)
    zeros = (magnitude & -magnitude).bit_length() - 1  # at the end of its binary digits
    return magnitude.bit_length() - zeros <= dtype.mantissa + 1 if magnitude else True


def _check_integer(value: bool | int | float, dtype: DType, path: tuple[str | int, ...]) -> None:
    if not (value == int(value) and dtype.lowest <= value <= dtype.largest):
        raise SpecError(
            f"must be an integer from {dtype.lowest} to {dtype.largest} for {dtype.name}; "
            f"got {format_value(value)}",
            path,
        )


def _refuse_large(
    value: bool | int | float, dtype: DType, path: tuple[str | int, ...]
) -> SpecError:
    return SpecError(
        f"must fit {dtype.name}, whose largest number is {dtype.largest:g}; "
        f"got {format_value(value)}",
        path,
    )


def _list_extremes(law: Arange, dtype: DType) -> Iterator[int | float]:
    """Numbers of a progression that all fit a dtype only if all of the progression does.

    They are its ends. Integers in a float dtype of p digits: without the power of two that they
    have in common, some are odd, and an odd one is exact up to 2ᵖ alone. Beyond, of two neighbors
    one is odd, or both are. So where the first two beyond 2ᵖ on either side are exact, there is
    only one.
    """
    indices = {0, 1, law.count - 1}
    if dtype.is_float and law.is_integer and law.step:
        start, step = int(law.start), int(law.step)
        common = math.gcd(start, step)
        bound = (common & -common) << (dtype.mantissa + 1)
        for end in (bound, -bound):  # where the numbers leave what lies between, up or down
            middle = (end - start) // step
            indices |= set(range(middle - 2, middle + 4))
    for index in sorted(indices):
        if 0 <= index < law.count:
            yield law.compute(index)
