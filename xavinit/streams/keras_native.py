"""TensorFlow's words → what it makes of them, by the native kernel: the bits of keras_numpy.py."""

from __future__ import annotations

from xavinit.streams import _kernel

__all__ = ["fill_normal", "fill_truncated", "fill_uniform"]

_NUMBERS = {name: facts[0] for name, facts in _kernel.DTYPES.items()}
_UNIFORM, _NORMAL, _TRUNCATED = range(3)


def fill_uniform(
    out: memoryview, key: bytes, dtype: str, low: float, high: float, start: int
) -> None:
    _kernel.tf_fill(out, key, _UNIFORM, _NUMBERS[dtype], low, high, start)


def fill_normal(
    out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
) -> None:
    _kernel.tf_fill(out, key, _NORMAL, _NUMBERS[dtype], mean, std, start)


def fill_truncated(
    out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
) -> None:
    _kernel.tf_fill(out, key, _TRUNCATED, _NUMBERS[dtype], mean, std, start)
