"""Stream `torch-2.13`: what PyTorch 2.13 draws on a processor from the same seed, bit for bit.

It is one sequence over all tensors of the plan. Its words are cheap; what is made of them is not.
So the generator runs ahead in one thread, as pieces are cut, and any thread fills a piece from the
state at its beginning. Tensors may be cut in any order: their beginnings are kept (`positions.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from xavinit.plan import VIEWED_BYTES, CutNormal, TensorPlan, Uniform, UniformOn, is_drawn
from xavinit.rngs import parse_rng
from xavinit.signals import hold_signals
from xavinit.streams.constants import fill_constant
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.positions import Position, Positions, Walker
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor
from xavinit.streams.torch_values import Kernel, Values, is_drawn_whole

MODULES = {"native": "xavinit.streams.torch_native", "numpy": "xavinit.streams.torch_numpy"}


class Torch213:
    """The stream of a plan under one seed, by the kernel that is chosen."""

    is_ordered = False

    def __init__(self, name: str, seed: int, sequence: Sequence[TensorPlan]) -> None:
        self.name = name
        with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
            self._kernel: Kernel = import_module(MODULES[choose_kernel()])
        self._values = Values(self._kernel, fused=parse_rng(name).get("cpu") == "avx2")
        self._positions = Positions(self._kernel, self._values, seed, sequence)
        # Of pieces that are cut and not yet filled: where they begin, or where in each round.
        self._begun: dict[tuple[str, int], Position] = {}
        self._rounds: dict[tuple[str, int], tuple[bytes, ...]] = {}
        # Of the truncated normal that was cut last: its stream, its rounds, and where it ends.
        self._found: tuple[str, tuple[bytes, ...], bytes] | None = None

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        if not is_drawn(tensor.law):
            yield from split_tensor(tensor)
            return
        source = self._positions.find_source(tensor)
        walker = self._positions.walk_to(source)
        if _has_rounds(source) and (tensor.view is not None or tensor.size == source.size):
            yield from self._split_cut(tensor, source, walker, buffers)
        elif tensor.view is not None:  # each piece is read from the tensor's beginning on
            begin = walker.tell()
            for piece in split_tensor(tensor, _count_viewed(buffers)):
                self._begun[tensor.name, piece.start] = begin
                yield piece
            walker.pass_tensor(source)
        elif _is_whole(tensor, source):
            self._begun[tensor.name, 0] = walker.tell()
            yield Piece(tensor, 0, tensor.size)
            walker.pass_tensor(source)
        else:
            for piece in split_tensor(tensor):
                self._begun[tensor.name, piece.start] = walker.tell()
                yield piece
                walker.pass_part(source, piece.start, piece.stop)
            if tensor.size < source.size:  # the first gates of a bias, say
                walker.pass_part(source, tensor.size, source.size)
        self._positions.give_back(source, walker)

    def _split_cut(
        self, tensor: TensorPlan, source: TensorPlan, walker: Walker, buffers: int
    ) -> Iterator[Piece]:
        """The pieces of a truncated normal that is drawn in parts."""
        from xavinit.streams.torch_cut import find_rounds, move_rounds  # with NumPy

        if self._found is None or self._found[0] != source.stream:  # as for the last of its gates
            state = walker.tell().restore(self._kernel)
            begins = tuple(find_rounds(self._values, state, source))
            self._found = source.stream, begins, bytes(state)
        _, begins, end = self._found
        if tensor.view is not None:
            for piece in split_tensor(tensor, _count_viewed(buffers)):
                self._rounds[tensor.name, piece.start] = begins
                yield piece
        else:
            states = [bytearray(begin) for begin in begins]
            for piece in split_tensor(tensor):
                self._rounds[tensor.name, piece.start] = tuple(map(bytes, states))
                yield piece
                move_rounds(self._values, states, source, piece.start, piece.stop)
        walker.stand_at(bytearray(end))

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
        if tensor.view is not None:
            self._draw_view(out, tensor, source, start, stop)
        elif (tensor.name, start) in self._rounds:
            from xavinit.streams.torch_cut import fill_rounds  # with NumPy

            states = iter(self._rounds.pop((tensor.name, start)))
            fill_rounds(self._values, states, out, source, start, stop)
        else:
            state = self._begun.pop((tensor.name, start)).restore(self._kernel)
            is_part = tensor.size < source.size and _is_whole(tensor, source)
            whole = memoryview(bytearray(source.nbytes)) if is_part else out
            self._values.fill(state, whole, source, start, source.size if is_part else stop)
            if is_part:
                out[:] = whole[: len(out)]

    def _draw_view(
        self, out: memoryview, tensor: TensorPlan, source: TensorPlan, start: int, stop: int
    ) -> None:
        from xavinit.streams.gather import fill_view  # with NumPy
        from xavinit.streams.torch_views import Reader

        states = self._rounds.pop((tensor.name, start), ())
        if not states:
            states = (bytes(self._begun.pop((tensor.name, start)).restore(self._kernel)),)
        view: Any = tensor.view
        out, stop = cut_zeros(out, tensor, start, stop, view.count)
        if len(out):
            reader = Reader(self._kernel, self._values, states, source)
            fill_view(out, reader.read, view, start, stop)


def _count_viewed(buffers: int) -> int:
    """The bytes of a piece of a viewed tensor."""
    return VIEWED_BYTES // max(buffers, 2)


def _has_rounds(source: TensorPlan) -> bool:
    """Is it a truncated normal too large to be drawn at once?"""
    return isinstance(source.law, CutNormal) and not is_drawn_whole(source)


def _is_whole(tensor: TensorPlan, source: TensorPlan) -> bool:
    """Is a tensor without a view drawn as one piece, with all of its source?

    Also the first gates of a bias, unless it is uniform: normals come in blocks.
    """
    is_uniform = isinstance(source.law, Uniform | UniformOn)
    return is_drawn_whole(source) or (tensor.size < source.size and not is_uniform)


def make_stream(name: str, seed: int, sequence: Sequence[TensorPlan]) -> Torch213:
    """The stream of a plan with this sequence of tensors, under this seed."""
    return Torch213(name, seed, sequence)
