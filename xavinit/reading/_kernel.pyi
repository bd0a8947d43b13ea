"""The native kernel of reading: counts and sums of a tensor's numbers, bit by bit reference.py's.

Memory is given as buffers that begin as zero bytes: a thread's `scratch` of `SCRATCH` bytes, and a
tensor's `totals` of `TOTALS`.
"""

from typing_extensions import Buffer

KINDS: dict[str, int]
"""How numbers are read: name → number."""

ORDERS: dict[str, int]
"""What the counts are of: name → number."""

SCRATCH: int
TOTALS: int

RUN: int
"""Numbers whose sums are one run."""

def scan(scratch: Buffer, kind: int, block: Buffer, is_last: bool, runs: Buffer, /) -> int:
    """Count the numbers of a block, which follows the one before it; returns the runs that ended.

    Each is 7 float64s in `runs`, which must have room for them: the finite numbers of the run, its
    pivot, and sums of differences and of their squares (`moments.py`). The last block ends the
    open run. Other threads run meanwhile.
    """

def look(scratch: Buffer, kind: int, block: Buffer, first: int, last: int, shift: int, /) -> None:
    """Count wide numbers of a block by closer keys: those from first to last, as integers in the
    order of their values, by (integer >> shift) − (first >> shift); all others by 65535.

    Nothing else is found out about them. Other threads run meanwhile.
    """

def flush(scratch: Buffer, totals: Buffer, /) -> None:
    """Move what was counted to a tensor's totals; before 2³² numbers. The open run stays."""

def clear(totals: Buffer, /) -> None:
    """Make the totals those of no numbers."""

def read_facts(totals: Buffer, /) -> tuple[int, tuple[int, int, int, int], int, int]:
    """Of wide numbers: how many are finite; zero, NaN, ∞, −∞; the lowest and highest finite one.

    The last two are integers in the order of the values: for floats the bits without the sign,
    negative where the sign is set; for uint64 2⁶³ less than the number.
    """

def count_bins(totals: Buffer, /) -> int:
    """How many bins there are at most."""

def list_bins(
    totals: Buffer,
    layout: tuple[int, int, int, int, int, bool, bool],
    lower: Buffer,
    upper: Buffer,
    values: Buffer,
    counts: Buffer,
    /,
) -> tuple[int, tuple[int, int, int, int], tuple[float, float, float, float]]:
    """Write the bins of finite values, ascending: three float64s and a count of 8 bytes each.

    Returns how many; and for codes, whose numbers have no facts of their own, how many numbers
    are zero, NaN, ∞ and −∞, and the first four values of a run of all.

    The layout: the number of the order, bits, mantissa, smallest exponent, how many magnitudes are
    finite, whether the next one is ∞, whether there is a negative zero.
    """

def list_variants() -> list[str]:
    """The names of the variants that this processor can run, the plain one first.

    A variant is the kernel compiled for one kind of vector unit. All give the same bits.
    """

def use_variant(index: int, /) -> None:
    """Use the variant of this place in the list; −1 is the best one, in use from the start.

    Not to be called while another thread scans.
    """
