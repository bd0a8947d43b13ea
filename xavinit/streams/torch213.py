"""Stream `torch-2.13`: what PyTorch 2.13 draws on a processor from the same seed, bit for bit.

It is one sequence over all tensors of the plan. Its words are cheap; what is made of them is not.
So the generator runs ahead in one thread, as pieces are cut, and any thread fills a piece from the
state at its beginning. Tensors may be cut in any order: their beginnings are kept (`positions.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from xavinit.plan import CutNormal, TensorPlan, Uniform, UniformOn, is_drawn
from xavinit.rngs import parse_rng
from xavinit.signals import hold_signals
from xavinit.streams.constants import fill_constant
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.positions import Position, Positions, Walker
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor
from xavinit.streams.torch_values import Kernel, Values, is_drawn_whole

# Bytes of viewed tensors that all threads together draw at once: for each such piece the generator
# runs over the whole tensor.
_VIEWED = 12 << 20

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

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        if not is_drawn(tensor.law):
            yield from split_tensor(tensor)
            return
        source = self._positions.find_source(tensor)
        walker = self._positions.walk_to(source)
        if tensor.view is not None:  # each piece is read from the tensor's beginning on
            begin = walker.tell()
            for piece in split_tensor(tensor, _VIEWED // max(buffers, 2)):
                self._begun[tensor.name, piece.start] = begin
                yield piece
            walker.pass_tensor(source)
        elif _is_whole(tensor, source):
            self._begun[tensor.name, 0] = walker.tell()
            yield Piece(tensor, 0, tensor.size)
            walker.pass_tensor(source)
        elif isinstance(source.law, CutNormal):
            yield from self._split_cut(tensor, source, walker)
        else:
            for piece in split_tensor(tensor):
                self._begun[tensor.name, piece.start] = walker.tell()
                yield piece
                walker.pass_part(source, piece.start, piece.stop)
            if tensor.size < source.size:  # the first gates of a bias, say
                walker.pass_part(source, tensor.size, source.size)
        self._positions.give_back(source, walker)

    def _split_cut(self, tensor: TensorPlan, source: TensorPlan, walker: Walker) -> Iterator[Piece]:
        """The pieces of a truncated normal that is drawn in parts."""
        from xavinit.streams.torch_cut import find_rounds, move_rounds  # with NumPy

        state = walker.tell().restore(self._kernel)
        states = [bytearray(begin) for begin in find_rounds(self._values, state, source)]
        for piece in split_tensor(tensor):
            self._rounds[tensor.name, piece.start] = tuple(map(bytes, states))
            yield piece
            move_rounds(self._values, states, source, piece.start, piece.stop)
        walker.stand_at(state)

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
        if (tensor.name, start) in self._rounds:
            from xavinit.streams.torch_cut import fill_rounds  # with NumPy

            states = iter(self._rounds.pop((tensor.name, start)))
            fill_rounds(self._values, states, out, source, start, stop)
            return
        state = self._begun.pop((tensor.name, start)).restore(self._kernel)
        if tensor.view is None:
            is_part = tensor.size < source.size and _is_whole(tensor, source)
            whole = memoryview(bytearray(source.nbytes)) if is_part else out
            self._values.fill(state, whole, source, start, source.size if is_part else stop)
            if is_part:
                out[:] = whole[: len(out)]
            return
        from xavinit.streams.gather import fill_view  # with NumPy
        from xavinit.streams.torch_views import Reader

        out, stop = cut_zeros(out, tensor, start, stop, tensor.view.count)
        if len(out):
            reader = Reader(self._kernel, self._values, state, source)
            fill_view(out, reader.read, tensor.view, start, stop)


def _is_whole(tensor: TensorPlan, source: TensorPlan) -> bool:
    """Is a tensor without a view drawn as one piece, with all of its source?

    Also the first gates of a bias, unless it is uniform: normals come in blocks.
    """
    is_uniform = isinstance(source.law, Uniform | UniformOn)
    return is_drawn_whole(source) or (tensor.size < source.size and not is_uniform)


def make_stream(name: str, seed: int, sequence: Sequence[TensorPlan]) -> Torch213:
    """The stream of a plan with this sequence of tensors, under this seed."""
    return Torch213(name, seed, sequence)
