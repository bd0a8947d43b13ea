"""A state of PyTorch's generator → the values of a tensor, or of a part of it."""

from __future__ import annotations

from typing import Protocol

from xavinit.plan import (
    FEW,
    CutNormal,
    TensorPlan,
    Uniform,
    UniformOn,
    count_words,
    find_ends,
    find_normal,
    has_pairs,
)

_SMALL = 1 << 20  # bytes of a truncated normal that is drawn at once


class Kernel(Protocol):
    """Both kernels have these functions; a state is bytes that they read and move on."""

    def make_state(self, seed: int) -> bytearray: ...

    def skip_words(self, state: bytearray, count: int) -> None: ...

    def fill_uniform(
        self, state: bytearray, out: memoryview, dtype: str, fused: bool, low: float, high: float
    ) -> None: ...

    def fill_normal(
        self, state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
    ) -> None: ...

    def fill_pairs(
        self, state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
    ) -> None: ...


class Values:
    """What PyTorch makes of its generator's words, by one kernel."""

    def __init__(self, kernel: Kernel, *, fused: bool) -> None:
        self._kernel = kernel
        self._fused = fused

    def fill(
        self, state: bytearray, out: memoryview, source: TensorPlan, start: int, stop: int
    ) -> None:
        """Fill `out` with the elements [start, stop) of a tensor.

        The state is that before element `start`, which is the first of a block of 16; of what must
        be drawn whole it is 0.
        """
        law, dtype = source.law, source.dtype.name
        if isinstance(law, Uniform | UniformOn):
            low, high = find_ends(law)
            self._kernel.fill_uniform(state, out, dtype, self._fused, low, high)
        elif isinstance(law, CutNormal):
            self._fill_cut(state, out, source)
        else:
            self.fill_normal(state, out, source, start, stop)

    def skip(self, state: bytearray, source: TensorPlan) -> int | None:
        """Move the state over a whole tensor; how many words, or None where no one counts them."""
        law, size = source.law, source.size
        if isinstance(law, CutNormal) and not is_drawn_whole(source):
            from xavinit.streams.torch_cut import find_rounds  # with NumPy

            find_rounds(self, state, source)
            return None
        if is_drawn_whole(source):
            pairs = (size - has_kept(state) + 1) // 2
            self.fill(state, memoryview(bytearray(source.nbytes)), source, 0, size)
            return None if isinstance(law, CutNormal) else 4 * pairs
        return self._skip(state, count_words(law, size, source.dtype.name))

    def skip_part(self, state: bytearray, source: TensorPlan, start: int, stop: int) -> int:
        """Move the state over the elements [start, stop), and what is drawn after the last."""
        words = 2 if source.dtype.name == "float64" else 1
        count = (stop - start) * words
        if stop == source.size:
            count = count_words(source.law, stop, source.dtype.name) - start * words
        return self._skip(state, count)

    def _skip(self, state: bytearray, words: int) -> int:
        self._kernel.skip_words(state, words)
        return words

    def fill_normal(
        self, state: bytearray, out: memoryview, source: TensorPlan, start: int, stop: int
    ) -> None:
        """Fill `out` with the elements [start, stop) of normals, cut or not."""
        mean, std = find_normal(source.law)
        size, dtype, itemsize = source.size, source.dtype.name, source.dtype.itemsize
        if size < FEW:
            self._kernel.fill_pairs(state, out, dtype, self._fused, mean, std)
            return
        whole = size // FEW * FEW
        end = min(stop, whole)
        part = out[: (end - start) * itemsize]
        self._kernel.fill_normal(state, part, dtype, self._fused, mean, std)
        last = size - FEW  # from here on elements are drawn once more
        if whole == size or stop <= last:
            return
        words = 2 if dtype == "float64" else 1
        first_draws = size if dtype in ("float64", "float32") else whole
        self._kernel.skip_words(state, (first_draws - end) * words)
        again = memoryview(bytearray(FEW * itemsize))
        self._kernel.fill_normal(state, again, dtype, self._fused, mean, std)
        begin = max(start, last)
        out[(begin - start) * itemsize :] = again[
            (begin - last) * itemsize : (stop - last) * itemsize
        ]

    def _fill_cut(self, state: bytearray, out: memoryview, source: TensorPlan) -> None:
        from xavinit.streams.torch_cut import fill_at_once, fill_rounds, find_rounds  # with NumPy

        if is_drawn_whole(source):
            fill_at_once(self, state, out, source)
            return
        begins = find_rounds(self, state, source)
        fill_rounds(self, iter(begins), out, source, 0, source.size)


def is_drawn_whole(source: TensorPlan) -> bool:
    """Is it drawn from its first element to its last at once?"""
    is_small = source.nbytes <= _SMALL
    return has_pairs(source.law, source.size) or (isinstance(source.law, CutNormal) and is_small)


def has_kept(state: bytearray) -> int:
    """Is a normal kept for the next small tensor? 1 or 0."""
    return int.from_bytes(state[-12:-8], "little")
