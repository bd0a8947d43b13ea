"""`xavinit.testing`: weights in a file or in memory are what a spec makes, or a test fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import xavinit
from xavinit.testing import assert_matches


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(
        "tensors:\n  a: [4, 6]\n  b: {shape: [3], init: ones}\n  c: [8, 2]\n"
    )
    for name in ("s.safetensors", "s.h5"):
        xavinit.generate(tmp_path / "s.yaml", tmp_path / name)
    return tmp_path


def test_arrays_that_match(folder: Path) -> None:
    spec = folder / "s.yaml"
    assert_matches(folder / "s.safetensors", spec)
    assert_matches(os.fspath(folder / "s.h5"), spec)
    arrays = xavinit.draw(spec, seed=7)
    arrays["a"] = np.asfortranarray(arrays["a"])
    arrays["c"] = arrays["c"].astype(">f4")
    assert_matches(arrays, spec, seed=7)
    assert_matches(xavinit.draw(spec, dtype="bfloat16"), spec, dtype="bfloat16")


class OtherDType(NamedTuple):
    """The type of another library: only its text says which it is."""

    kind: str

    def __str__(self) -> str:
        return f"other.{self.kind}"


class Exported:
    """An array as other libraries have them: nothing of NumPy's but DLPack."""

    def __init__(self, array: np.ndarray) -> None:  # type: ignore[type-arg]
        self._array = array
        self.dtype, self.shape = OtherDType(array.dtype.name), array.shape

    def __dlpack__(self, **options: object) -> object:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> object:
        return self._array.__dlpack_device__()


def test_arrays_of_other_libraries(folder: Path) -> None:
    drawn = xavinit.draw(folder / "s.yaml")
    assert_matches({name: Exported(array) for name, array in drawn.items()}, folder / "s.yaml")


def test_the_message_of_arrays_that_do_not_match(folder: Path) -> None:
    arrays = xavinit.draw(folder / "s.yaml")
    arrays["b"][1:] = np.nan
    arrays["d"] = arrays.pop("a")
    arrays["c"] = arrays["c"].T
    with pytest.raises(AssertionError) as caught:
        assert_matches(arrays, folder / "s.yaml")
    assert str(caught.value).splitlines() == [
        "arrays: a is missing",
        "arrays: c: expected shape [8, 2], got [2, 8]",
        "arrays: d is unexpected",
        "arrays: b[1]: expected 1.0, got nan (0x7fc00000) (and 1 more of 3)",
    ]


def test_what_is_no_array(folder: Path) -> None:
    with pytest.raises(xavinit.UsageError, match=r'an array must be of a known dtype .*got "list"'):
        assert_matches({"a": [1, 2]}, folder / "s.yaml")
