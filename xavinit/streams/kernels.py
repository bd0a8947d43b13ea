"""The two kernels, which give the same bits, and the choice between them."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Protocol

from xavinit.dtypes import DType
from xavinit.errors import MissingLibraryError, UsageError
from xavinit.layers import View
from xavinit.plan import Law
from xavinit.signals import hold_signals
from xavinit.wording import format_choices, format_value

# The module of each kernel.
KERNELS = {"native": "xavinit.streams.native", "numpy": "xavinit.streams.reference"}
CHOICE = "XAVINIT_KERNEL"  # the environment variable


class Filler(Protocol):
    """Each kernel has a class of this name; each thread needs its own instance."""

    def fill(
        self,
        out: memoryview,
        key: int,
        law: Law,
        dtype: DType,
        start: int,
        stop: int,
        view: View | None = None,
    ) -> None: ...


def choose_kernel() -> str:
    """The kernel that the environment asks for, else the native one where it was built.

    Raises `UsageError` where it asks for one that does not exist, `MissingLibraryError` for one
    that was not built.
    """
    asked = os.environ.get(CHOICE, "")
    if asked and asked not in KERNELS:
        raise UsageError(f"{CHOICE} must be {format_choices(KERNELS)}; got {format_value(asked)}")
    if asked != "numpy":
        try:
            import_module("xavinit.streams._kernel")
        except ImportError as error:
            if asked:
                raise MissingLibraryError(
                    f"{CHOICE}={asked}, but the native kernel was not built ({error}): install "
                    "xavinit again where a C compiler is"
                ) from error
            return "numpy"
    return asked or "native"


def make_filler(kernel: str) -> Filler:
    """A filler of the kernel of this name."""
    with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
        module = import_module(KERNELS[kernel])
    filler: Filler = module.Filler()
    return filler
