"""Words → what PyTorch makes of them, by the native kernel: the bits of torch_numpy.py."""

from __future__ import annotations

from xavinit.stopping import check_stop
from xavinit.streams import _kernel

__all__ = ["fill_normal", "fill_pairs", "fill_uniform", "make_state", "skip_words"]

_NUMBERS = {name: facts[0] for name, facts in _kernel.DTYPES.items()}
_STEP = 1 << 26  # words that are skipped at once, in 6 to 20 ms
_UNIFORM, _NORMAL, _PAIRS = range(3)


def make_state(seed: int) -> bytearray:
    return _kernel.mt_seed(seed & 0xFFFFFFFF)


def skip_words(state: bytearray, count: int) -> None:
    """Move on by so many words, in steps between which a signal is heard."""
    while count > _STEP:
        _kernel.mt_skip(state, _STEP)
        count -= _STEP
        check_stop()
    _kernel.mt_skip(state, count)


def fill_uniform(
    state: bytearray, out: memoryview, dtype: str, fused: bool, low: float, high: float
) -> None:
    _kernel.mt_fill(state, out, _UNIFORM, _NUMBERS[dtype], fused, low, high)


def fill_normal(
    state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
) -> None:
    _kernel.mt_fill(state, out, _NORMAL, _NUMBERS[dtype], fused, mean, std)


def fill_pairs(
    state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
) -> None:
    _kernel.mt_fill(state, out, _PAIRS, _NUMBERS[dtype], fused, mean, std)
