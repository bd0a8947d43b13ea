"""The native kernel: words and values of the number contract, bit by bit those of reference.py.

Distributions are 0 uniform, 1 normal, 2 truncated normal; dtypes 0 float64, 1 float32, 2 float16,
3 bfloat16, 4 float8_e4m3fn, 5 float8_e5m2. `scale` is the bound of a uniform, the std of a normal,
the std before the cut of a truncated normal. Other threads run meanwhile.
"""

from typing_extensions import Buffer

def fill(
    out: Buffer,
    key: bytes,
    distribution: int,
    dtype: int,
    scale: float,
    first: int,
    place: int,
    axes: tuple[tuple[int, int, int], ...],
    /,
) -> None:
    """Write elements of the tensor with this key of 16 bytes.

    Each axis is (count, step, stride). Element first + i₀·step₀ + i₁·step₁ + … of the tensor goes
    to place + i₀·stride₀ + i₁·stride₁ + … of `out`, counted in elements. Fastest where the steps
    descend. `ValueError` where that is not within `out`.
    """

def convert(out: Buffer, words: Buffer, distribution: int, dtype: int, scale: float, /) -> None:
    """Write the values of random words, of 8 bytes each for float64, else of 4."""

def list_variants() -> list[str]:
    """The forms for the vector units that this processor has, the plain one first."""

def use_variant(index: int, /) -> None:
    """Use that form; −1 is the best one, as from the start. Not while another thread draws."""
