"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are."""

from xavinit.reading.compare import Pair, compare, count_bytes
from xavinit.reading.differences import Number, Place, Tally, Tolerance
from xavinit.reading.orders import begins_alike, find_axes
from xavinit.reading.values import QUANTILES, Bins, Guess, Histogram, Summary

__all__ = [
    "QUANTILES",
    "Bins",
    "Guess",
    "Histogram",
    "Number",
    "Pair",
    "Place",
    "Summary",
    "Tally",
    "Tolerance",
    "begins_alike",
    "compare",
    "count_bytes",
    "find_axes",
]
