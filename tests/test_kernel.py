"""The native kernel as a whole: what it knows, when it is used, and the files it writes."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import xavinit
from xavinit.dtypes import DTYPES, DType
from xavinit.plan import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import CHOICE, choose_kernel


def test_it_was_built_where_a_compiler_is() -> None:
    if shutil.which(os.environ.get("CC", "cc")):
        importlib.import_module("xavinit.streams._kernel")


from kernel_cases import draw_expected, fill, kernel, native  # noqa: E402

# --- What it knows ----------------------------------------------------------------------------


def test_its_dtypes_are_as_the_package_has_them() -> None:
    for dtype in DTYPES.values():
        if dtype.is_float:
            assert kernel.DTYPES[dtype.name][1:] == (
                dtype.itemsize,
                dtype.mantissa,
                dtype.smallest_exponent,
                dtype.has_negative_zero,
            )


def test_its_tables_number_their_rows() -> None:
    assert list(kernel.DISTRIBUTIONS.values()) == list(range(len(kernel.DISTRIBUTIONS)))
    assert [facts[0] for facts in kernel.DTYPES.values()] == list(range(len(kernel.DTYPES)))


# Not one of the kernel's. Its numbers are those of an IEEE-like float of 8 bits.
UNKNOWN = DType("float8_e3m4", "float", 8, -15.5, 15.5, 4, -2)


@pytest.mark.parametrize("law", [Uniform(1.0), Normal(1.0), TruncatedNormal(1.0)], ids=str)
def test_the_reference_draws_a_dtype_that_the_kernel_lacks(law: Law) -> None:
    assert UNKNOWN.name not in kernel.DTYPES
    arguments = (3, law, UNKNOWN, 5, 3005)
    expected, nbytes = draw_expected(*arguments)
    filler = native.Filler()
    for _ in range(2):
        assert fill(filler, memoryview(bytearray(nbytes)), *arguments) == expected
    if hasattr(ml_dtypes, "float8_e3m4"):  # of 0.5
        values = np.frombuffer(expected, ml_dtypes.float8_e3m4).astype(np.float32)
        assert 0.3 < values.std() < 1.1


# --- When it is used --------------------------------------------------------------------------


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    assert choose_kernel() == "native"
    for name in ("native", "numpy"):
        monkeypatch.setenv(CHOICE, name)
        assert choose_kernel() == name
    monkeypatch.setenv(CHOICE, "fast")
    with pytest.raises(xavinit.UsageError) as caught:
        xavinit.draw({"tensors": {"w": [2, 2]}})
    assert str(caught.value) == 'XAVINIT_KERNEL must be native or numpy; got "fast"'


def test_without_the_kernel_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xavinit.streams._kernel", None)
    monkeypatch.delenv(CHOICE, raising=False)
    assert choose_kernel() == "numpy"
    monkeypatch.setenv(CHOICE, "native")
    with pytest.raises(xavinit.MissingLibraryError) as caught:
        choose_kernel()
    assert str(caught.value).startswith(
        "XAVINIT_KERNEL=native, but the native kernel was not built"
    )


SPEC = """
rules: [{match: "*.bias", init: {type: normal, std: 0.1}}]
layers:
  - {name: a, type: dense, in: [8, 9, 10], out: 300, init: glorot_normal}
  - {name: b, type: conv2d, in: 32, out: 64, kernel: 3, dtype: bfloat16}
  - {name: c, type: gru, in: 33, hidden: 44, init: glorot_truncated_normal, dtype: float64}
  - {name: d, type: dense, in: 40, out: 50, dtype: float16}
"""


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("suffix", [".safetensors", ".h5"])
def test_both_kernels_write_the_same_file(suffix: str, framework: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    files = []
    for name in ("numpy", "native"):
        files.append(tmp_path / f"{name}{suffix}")
        subprocess.run(
            [
                *(sys.executable, "-m", "xavinit", "generate", "s.yaml", "-q"),
                *("-o", files[-1], "--framework", framework),
            ],
            cwd=tmp_path,
            env={**os.environ, CHOICE: name},
            check=True,
        )
    assert files[0].read_bytes() == files[1].read_bytes()


def test_constants_need_no_kernel() -> None:
    out = memoryview(bytearray(6))
    assert fill(native.Filler(), out, 1, Constant(1), DTYPES["bfloat16"], 0, 3) == b"\x80\x3f" * 3
