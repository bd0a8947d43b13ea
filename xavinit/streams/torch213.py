"""Stream `torch-2.13`: what PyTorch 2.13 draws on a processor from the same seed, bit for bit.

It is one sequence over all tensors of the plan. Its words are cheap; what is made of them is not.
So the generator runs ahead in one thread, as pieces are cut, and any thread fills a piece from the
state at its beginning. Tensors may be cut in any order: their beginnings are kept (`positions.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from xavinit.layers import View
from xavinit.plan import CutNormal, TensorPlan, has_pairs, is_drawn
from xavinit.rngs import parse_rng
from xavinit.signals import hold_signals
from xavinit.streams.constants import fill_constant
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.positions import Position, Positions
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor
from xavinit.streams.torch_values import Kernel, Values

_MODULES = {"native": "xavinit.streams.torch_native", "numpy": "xavinit.streams.torch_numpy"}


class Torch213:
    """The stream of a plan under one seed, by the kernel that is chosen."""

    is_ordered = False

    def __init__(self, name: str, seed: int, sequence: Sequence[TensorPlan]) -> None:
        self.name = name
        with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
            self._kernel: Kernel = import_module(_MODULES[choose_kernel()])
        self._values = Values(self._kernel, fused=parse_rng(name).get("cpu") == "avx2")
        self._positions = Positions(self._kernel, self._values, seed, sequence)
        self._begun: dict[tuple[str, int], Position] = {}  # pieces that are cut and not yet filled

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        if not is_drawn(tensor.law):
            yield from split_tensor(tensor)
            return
        source = self._positions.find_source(tensor)
        walker = self._positions.walk_to(source)
        is_whole = (
            tensor.view is not None
            or isinstance(source.law, CutNormal)
            or has_pairs(source.law, source.size)
        )
        pieces = [Piece(tensor, 0, tensor.size)] if is_whole else split_tensor(tensor)
        for piece in pieces:
            self._begun[tensor.name, piece.start] = walker.tell()
            yield piece
            if is_whole:
                walker.pass_tensor(source)
            else:
                walker.pass_part(source, piece.start, piece.stop)
        self._positions.give_back(source, walker)

    def make_fill(self) -> Fill:
        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            if tensor.law is None:  # an empty tensor
                return
            if not is_drawn(tensor.law):
                fill_constant(out, tensor.law, tensor.dtype, start, stop, tensor.view)  # type: ignore[arg-type]  # fixed
            else:
                self._draw(out, tensor, start, stop)
            if tensor.zero_rows:
                clear_rows(out, tensor, start, stop)

        return fill

    def _draw(self, out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
        source = self._positions.find_source(tensor)
        state = self._begun.pop((tensor.name, start)).restore(self._kernel)
        if tensor.view is None:
            self._values.fill(state, out, source, start, stop)
            return
        whole = memoryview(bytearray(source.nbytes))
        self._values.fill(state, whole, source, 0, source.size)
        out, _ = cut_zeros(out, tensor, 0, stop, tensor.view.count)
        _copy_view(whole, out, tensor.view, tensor.dtype.itemsize)


def _copy_view(whole: memoryview, out: memoryview, view: View, itemsize: int) -> None:
    """Copy a view's elements of PyTorch's tensor to their places in the file's."""
    import numpy as np

    values = np.frombuffer(whole, f"<u{itemsize}")
    places = np.zeros(1, np.int64)
    for axis in view.axes:
        places = np.add.outer(places, np.asarray(axis, np.int64)).ravel()
    np.frombuffer(out, f"<u{itemsize}")[:] = values[places]


def make_stream(name: str, seed: int, sequence: Sequence[TensorPlan]) -> Torch213:
    """The stream of a plan with this sequence of tensors, under this seed."""
    return Torch213(name, seed, sequence)
