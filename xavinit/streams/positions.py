"""Where the generator of one sequence stands before each tensor, and before each part of one.

A state of MT19937 has 2.5 kB. So a position is a state, which many share, and the words to skip
from it: a thousand small tensors that are filled at once need no megabytes of states.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from xavinit.plan import MOST_KEPT, TensorPlan
from xavinit.streams.torch_values import Kernel, Values

_APART = 1 << 12  # words from one kept state to the next
_KEPT = 12  # bytes at the end of a state: the normal that is kept for the next small tensor


class Position(Struct, frozen=True):
    """A state, the words to skip from it, and the normal that is kept there."""

    state: bytes
    skipped: int
    kept: bytes

    def restore(self, kernel: Kernel) -> bytearray:
        """The state here, to be moved on."""
        state = bytearray(self.state)
        kernel.skip_words(state, self.skipped)
        state[-_KEPT:] = self.kept
        return state


class Walker:
    """A generator that moves over tensors and tells where it stands."""

    def __init__(self, kernel: Kernel, values: Values, start: Position) -> None:
        self._values = values
        self._state = start.restore(kernel)
        # A state not far behind, which positions share, and the words since.
        self._held: bytes | None = start.state
        self._since = start.skipped

    def tell(self) -> Position:
        if self._held is None or self._since > _APART:
            self._held, self._since = bytes(self._state), 0
        return Position(self._held, self._since, bytes(self._state[-_KEPT:]))

    def stand_at(self, state: bytearray) -> None:
        """Stand at another state from here on."""
        self._state, self._held = state, None

    def pass_tensor(self, source: TensorPlan) -> None:
        """Move over a whole tensor."""
        self._note(self._values.skip(self._state, source))

    def pass_part(self, source: TensorPlan, start: int, stop: int) -> None:
        """Move over the elements [start, stop) of a tensor; at its end, to the next tensor."""
        self._note(self._values.skip_part(self._state, source, start, stop))

    def _note(self, words: int | None) -> None:
        if words is None:  # as many as the values needed
            self._held = None
        else:
            self._since += words


class Positions:
    """The beginnings of the tensors of a sequence, found by moving over those before."""

    def __init__(
        self, kernel: Kernel, values: Values, seed: int, sequence: Sequence[TensorPlan]
    ) -> None:
        self._kernel = kernel
        self._values = values
        self._sequence = sequence
        self._numbers = {source.stream: number for number, source in enumerate(sequence)}
        state = bytes(kernel.make_state(seed))
        self._kept = {0: Position(state, 0, state[-_KEPT:])}  # by number, each `_step` apart
        self._step = 1
        self._last_kept = 0
        self._front: tuple[int, Walker] | None = None  # the tensor that was reached last

    def find_source(self, tensor: TensorPlan) -> TensorPlan:
        """The tensor of the sequence whose numbers a file's tensor takes."""
        return self._sequence[self._numbers[tensor.stream]]

    def walk_to(self, source: TensorPlan) -> Walker:
        """A walker at the beginning of a tensor; the caller's, to move over it."""
        number = self._numbers[source.stream]
        reached = self._find_kept(number)
        if self._front is not None and reached <= self._front[0] <= number:
            reached, walker = self._front
            self._front = None
        else:
            walker = Walker(self._kernel, self._values, self._kept[reached])
        while True:
            self._keep(reached, walker)
            if reached == number:
                return walker
            walker.pass_tensor(self._sequence[reached])
            reached += 1

    def give_back(self, source: TensorPlan, walker: Walker) -> None:
        """Take back a walker that has moved over a tensor: it stands before the next."""
        self._front = self._numbers[source.stream] + 1, walker

    def _find_kept(self, number: int) -> int:
        """The last tensor, up to one of this number, whose beginning is kept."""
        near = min(number - number % self._step, self._last_kept)
        while near not in self._kept:
            near -= self._step
        return near

    def _keep(self, number: int, walker: Walker) -> None:
        if number % self._step or number in self._kept:
            return
        self._kept[number] = walker.tell()
        self._last_kept = max(self._last_kept, number)
        if len(self._kept) > MOST_KEPT:
            self._step *= 2
            self._kept = {n: kept for n, kept in self._kept.items() if n % self._step == 0}
            self._last_kept = max(self._kept)
