"""Elements as text, exact to the last bit; where blocks differ, joined in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xavinit.dtypes import DTYPES
from xavinit.reading import Mismatch, format_element


@given(st.sampled_from(["float16", "float32", "float64"]), st.binary(min_size=8, max_size=8))
def test_an_element_as_text_is_that_element(name: str, content: bytes) -> None:
    """By NumPy's own reading of the digits; a NaN by its bits."""
    dtype = DTYPES[name]
    code = content[: dtype.itemsize]
    text = format_element(code, dtype)
    if text.startswith("nan"):
        assert text == f"nan (0x{code[::-1].hex()})"
        assert np.isnan(np.frombuffer(code, name)[0])
    else:
        assert np.array(text, name).astype(f"<{np.dtype(name).str[1:]}").tobytes() == code


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_every_element_of_a_small_dtype_has_a_text_of_its_own(name: str) -> None:
    import ml_dtypes

    kind, dtype = np.dtype(getattr(ml_dtypes, name)), DTYPES[name]
    codes = [n.to_bytes(dtype.itemsize, "little") for n in range(2**dtype.bits)]
    texts = [format_element(code, dtype) for code in codes]
    assert len(set(texts)) == len(texts)
    finite = [
        (code, float(text)) for code, text in zip(codes, texts, strict=True) if text[:3] != "nan"
    ]
    read = np.array([number for _, number in finite]).astype(kind)
    assert read.tobytes() == b"".join(code for code, _ in finite)


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("bool", b"\1", "True"),
        ("bool", b"\2", "0x02"),
        ("int32", b"\xff" * 4, "-1"),
        ("uint8", b"\xff", "255"),
    ],
)
def test_integers_and_bools(name: str, code: bytes, text: str) -> None:
    assert format_element(code, DTYPES[name]) == text


@given(st.permutations(range(5)))
def test_mismatches_join_in_any_order(order: list[int]) -> None:
    parts = [Mismatch(n + 1, 10 * n + 3, bytes([n]), bytes([n + 9])) for n in range(5)]
    first, *rest = (parts[n] for n in order)
    joined = first
    for part in rest:
        joined = joined.join(part)
    assert joined == Mismatch(15, 3, b"\0", b"\x09")
