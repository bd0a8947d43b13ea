"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are.

`summarize` counts and sums their numbers in one pass. It has two kernels that give the same bits:
`reference`, written in NumPy to be read, and `native`, in C, where it was built.
"""

from xavinit.reading.comparison import Mismatch, compare_tensors
from xavinit.reading.differences import Number, Place, Tally, Tolerance
from xavinit.reading.digests import hash_all, hash_each, make_head
from xavinit.reading.exact import format_element
from xavinit.reading.faults import Fault, FaultKind, TestName, find_place
from xavinit.reading.guesses import guess_law
from xavinit.reading.heads import Found, compare_files, compare_index
from xavinit.reading.histograms import compute_quantiles, make_histogram
from xavinit.reading.judging import FALSE_ALARMS, is_drawn, judge_laws
from xavinit.reading.memory import MemoryRange
from xavinit.reading.orders import begins_alike, find_axes
from xavinit.reading.pairs import Pair, compare, count_bytes
from xavinit.reading.scan import summarize
from xavinit.reading.values import PYTORCH_DEFAULT, QUANTILES, Bins, Guess, Histogram, Summary

__all__ = [
    "FALSE_ALARMS",
    "PYTORCH_DEFAULT",
    "QUANTILES",
    "Bins",
    "Fault",
    "FaultKind",
    "Found",
    "Guess",
    "Histogram",
    "MemoryRange",
    "Mismatch",
    "Number",
    "Pair",
    "Place",
    "Summary",
    "Tally",
    "TestName",
    "Tolerance",
    "begins_alike",
    "compare",
    "compare_files",
    "compare_index",
    "compare_tensors",
    "compute_quantiles",
    "count_bytes",
    "find_axes",
    "find_place",
    "format_element",
    "guess_law",
    "hash_all",
    "hash_each",
    "is_drawn",
    "judge_laws",
    "make_head",
    "make_histogram",
    "summarize",
]
