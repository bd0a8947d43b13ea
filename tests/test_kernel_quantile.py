"""The native kernel's values of single words: at the edges, and of every word of float32."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import VARIANTS, convert, reference, use_variant

from xavinit.plan import Law, Normal, TruncatedNormal, Uniform


def test_edge_words() -> None:
    """All bits zero, all one, and each bit alone: the largest, the smallest and the middle."""
    for dtype, bits in (("float64", 64), ("float32", 32)):
        edges = [0, 2**bits - 1, *(1 << i for i in range(bits)), *(2**i - 1 for i in range(bits))]
        words = np.array(edges, f"u{bits // 8}")
        precision = reference.DOUBLE if bits == 64 else reference.SINGLE
        sampler = reference.Filler()._find_sampler(precision)
        for law in (Uniform(0.7), Normal(1.3), TruncatedNormal(1.0)):
            expected = np.empty(len(words), dtype)
            sampler.sample(law, words.copy(), expected)
            for variant in VARIANTS:
                out = np.empty(len(words), dtype)
                with use_variant(variant):
                    convert(words, law, dtype, out)
                assert out.tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("law", [Uniform(1.0), Normal(1.0), TruncatedNormal(1.0)], ids=str)
def test_every_word_of_float32(law: Law) -> None:
    """All 2³² of them in every variant (make test-kernel): a minute for a law."""
    sampler = reference.Filler()._find_sampler(reference.SINGLE)
    step = reference.BLOCK
    expected, out = np.empty(step, np.float32), np.empty(step, np.float32)
    first = np.arange(step, dtype=np.uint32)
    for start in range(0, 2**32, step):
        words = first + np.uint32(start)
        sampler.sample(law, words.copy(), expected)
        for variant in VARIANTS:
            with use_variant(variant):
                convert(words, law, "float32", out)
            assert np.array_equal(out.view(np.uint32), expected.view(np.uint32)), hex(start)
