"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are.

`summarize` counts and sums their numbers in one pass. It has two kernels that give the same bits:
`reference`, written in NumPy to be read, and `native`, in C, where it was built.
"""

from xavinit.reading.candidates import PYTORCH_DEFAULT
from xavinit.reading.digests import hash_all, hash_each, make_head
from xavinit.reading.guesses import guess_law
from xavinit.reading.histograms import compute_quantiles, make_histogram
from xavinit.reading.scan import summarize
from xavinit.reading.values import QUANTILES, Bins, Guess, Histogram, Summary

__all__ = [
    "PYTORCH_DEFAULT",
    "QUANTILES",
    "Bins",
    "Guess",
    "Histogram",
    "Summary",
    "compute_quantiles",
    "guess_law",
    "hash_all",
    "hash_each",
    "make_head",
    "make_histogram",
    "summarize",
]
