"""The native kernel: words and values of the number contract, bit by bit those of reference.py.

A law is given as the number of its distribution, that of its dtype (the tables below), and its
`scale`: the bound of a uniform, the std of a normal, the std before the cut of a truncated normal.
Both functions that draw let other threads run meanwhile.
"""

from typing_extensions import Buffer

DISTRIBUTIONS: dict[str, int]
"""Name → number."""

DTYPES: dict[str, tuple[int, int, int, int, bool]]
"""Name → (number, itemsize, mantissa, smallest exponent, has a negative zero), as in `DType`."""

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
    descend. `ValueError` where an element would lie outside `out`.
    """

def convert(out: Buffer, words: Buffer, distribution: int, dtype: int, scale: float, /) -> None:
    """Write the values of random words, which have 8 bytes each for float64, else 4."""

def list_variants() -> list[str]:
    """The names of the variants that this processor can run, the plain one first.

    A variant is the kernel compiled for one kind of vector unit. All give the same bits.
    """

def use_variant(index: int, /) -> None:
    """Use the variant of this place in the list; −1 is the best one, in use from the start.

    Not to be called while another thread draws.
    """

# PyTorch's generator, MT19937: a state has the bytes of mersenne.py's.

def mt_seed(seed: int, /) -> bytearray:
    """The state of a seed of 32 bits."""

def mt_skip(state: bytearray, count: int, /) -> None:
    """Move on by so many words."""

def mt_fill(
    state: bytearray,
    out: Buffer,
    kind: int,
    dtype: int,
    fused: bool,
    first: float,
    second: float,
    /,
) -> None:
    """Fill `out` with the next values: kind 0 is uniform on [first, second), 1 normal with this
    mean and std in whole blocks of 16, 2 the same of a tensor of fewer elements.
    """

def mt_evaluate(out: Buffer, values: Buffer, function: int, /) -> None:
    """Values of a function, for the tests; _kernel_mt.h numbers them."""

# JAX's numbers, whose kinds and steps are those of jax_laws.py.

def jax_fill(
    out: Buffer,
    key: tuple[int, int],
    kind: int,
    dtype: int,
    numbers: tuple[float, float, float],
    first: int,
    place: int,
    axes: tuple[tuple[int, int, int], ...],
    /,
) -> None:
    """Write elements of the tensor with this key of two words to their places, as `fill` does.

    Kind 0 is uniform, 1 normal, 2 a truncated normal, both in float32 alone.
    """

# TensorFlow's stateless numbers; the key is Philox4x32's two words and the counter's upper two.

def tf_fill(
    out: Buffer,
    key: bytes,
    kind: int,
    dtype: int,
    first: float,
    second: float,
    start: int,
    /,
) -> None:
    """Fill `out` with the elements from `start` on of the tensor with this key of 16 bytes: kind 0
    is uniform on [first, second), 1 normal with this mean and std, 2 the same cut at two stds.
    """
