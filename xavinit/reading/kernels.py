"""The two kernels of reading, which give the same bits, and the choice between them."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import Protocol

from msgspec import Struct

from xavinit.errors import MissingLibraryError
from xavinit.reading.moments import Run
from xavinit.reading.numbers import Numbers, Zoom
from xavinit.reading.values import Bins
from xavinit.signals import hold_signals
from xavinit.streams import CHOICE, choose_kernel

# The module of each kernel, by its name in xavinit.streams.
KERNELS = {"native": "xavinit.reading.native", "numpy": "xavinit.reading.reference"}

RUN = 65536  # numbers of a tensor whose sums are one record, whatever blocks they come in


class Found(Struct, frozen=True):
    """What was counted of a tensor.

    `extremes` are the lowest and highest finite number of a wide dtype, as integers in the order
    of their values (`_kernel.pyi`); `codes` are the numbers of a narrow one, as a run of all.
    """

    bins: Bins
    zeros: int
    nans: int
    positive_infinities: int
    negative_infinities: int
    extremes: tuple[int, int] | None = None
    codes: Run | None = None


class Totals(Protocol):
    """The counts of one tensor."""

    def find(self, numbers: Numbers) -> Found:
        """What was counted, of numbers of one kind."""

    def list_keys(self) -> list[tuple[int, int]]:
        """The closer keys of a look that hold something, ascending, and how many numbers."""

    def clear(self) -> None:
        """Make them those of no numbers."""


class Counter(Protocol):
    """What a thread counts with: blocks of one tensor, one after another."""

    def scan(self, numbers: Numbers, block: memoryview, *, is_last: bool) -> list[Run]:
        """Count the numbers of a block, which follows the one before it.

        Returns the runs of wide numbers that ended; `is_last` ends the open one.
        """

    def look(self, numbers: Numbers, block: memoryview, zoom: Zoom) -> None:
        """Count the wide numbers of a block by closer keys alone."""

    def flush(self, totals: Totals) -> None:
        """Move what was counted to the totals of a tensor."""


class Kernel(Struct, frozen=True):
    """What makes the counters of threads and the totals of tensors."""

    module: ModuleType

    def make_counter(self) -> Counter:
        counter: Counter = self.module.Counter()
        return counter

    def make_totals(self) -> Totals:
        totals: Totals = self.module.Totals()
        return totals


def find_kernel() -> Kernel:
    """The kernel that the environment asks for, as for drawing."""
    name = choose_kernel()
    with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
        try:
            return Kernel(import_module(KERNELS[name]))
        except ImportError as error:
            if name == "numpy":
                raise
            if os.environ.get(CHOICE):
                raise MissingLibraryError(
                    f"{CHOICE}={name}, but the native kernel of reading was not built ({error}): "
                    "install xavinit again where a C compiler is"
                ) from error
            return Kernel(import_module(KERNELS["numpy"]))
