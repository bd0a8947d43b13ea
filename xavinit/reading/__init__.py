"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are.

`summarize` counts and sums their numbers in one pass. It has two kernels that give the same bits:
`reference`, written in NumPy to be read, and `native`, in C, where it was built.
"""

from xavinit.reading.scan import summarize
from xavinit.reading.values import QUANTILES, Bins, Guess, Histogram, Summary

__all__ = ["QUANTILES", "Bins", "Guess", "Histogram", "Summary", "summarize"]
