"""What the tests share: both kernels."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Iterator

import pytest

from xavinit.streams import CHOICE, KERNELS, Filler

# A program that needs PyTorch, not a test; and files of one name, of which doctest takes only one.
collect_ignore = ["torch_files/make_torch_files.py", "conftest.py", "cluster/conftest.py"]


# As in the foreground: what a background shell starts ignores Ctrl-C, and Python raises nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", params=sorted(KERNELS))
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kernel by turns, chosen by the environment as users choose it."""
    if request.param == "native":
        pytest.importorskip("xavinit.streams._kernel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CHOICE, request.param)
        yield request.param


@pytest.fixture(scope="module")
def filler(kernel: str) -> Filler:
    made: Filler = importlib.import_module(KERNELS[kernel]).Filler()
    return made
