"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are.

`summarize` counts and sums their numbers in one pass. It has two kernels that give the same bits:
`reference`, written in NumPy to be read, and `native`, in C, where it was built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xavinit.reading.comparison import Mismatch, compare_tensors
    from xavinit.reading.differences import Number, Place, Tally, Tolerance
    from xavinit.reading.digests import hash_all, hash_each, make_head
    from xavinit.reading.exact import format_element
    from xavinit.reading.faults import Fault, FaultKind, TestName, find_place
    from xavinit.reading.fresh import find_fresh
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
    "find_fresh",
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

# Where each name is at home; loaded at its first use: a verb needs some of them.
_HOMES = {
    "Bins": "xavinit.reading.values",
    "FALSE_ALARMS": "xavinit.reading.judging",
    "Fault": "xavinit.reading.faults",
    "FaultKind": "xavinit.reading.faults",
    "Found": "xavinit.reading.heads",
    "Guess": "xavinit.reading.values",
    "Histogram": "xavinit.reading.values",
    "MemoryRange": "xavinit.reading.memory",
    "Mismatch": "xavinit.reading.comparison",
    "Number": "xavinit.reading.differences",
    "PYTORCH_DEFAULT": "xavinit.reading.values",
    "Pair": "xavinit.reading.pairs",
    "Place": "xavinit.reading.differences",
    "QUANTILES": "xavinit.reading.values",
    "Summary": "xavinit.reading.values",
    "Tally": "xavinit.reading.differences",
    "TestName": "xavinit.reading.faults",
    "Tolerance": "xavinit.reading.differences",
    "begins_alike": "xavinit.reading.orders",
    "compare": "xavinit.reading.pairs",
    "compare_files": "xavinit.reading.heads",
    "compare_index": "xavinit.reading.heads",
    "compare_tensors": "xavinit.reading.comparison",
    "compute_quantiles": "xavinit.reading.histograms",
    "count_bytes": "xavinit.reading.pairs",
    "find_axes": "xavinit.reading.orders",
    "find_fresh": "xavinit.reading.fresh",
    "find_place": "xavinit.reading.faults",
    "format_element": "xavinit.reading.exact",
    "guess_law": "xavinit.reading.guesses",
    "hash_all": "xavinit.reading.digests",
    "hash_each": "xavinit.reading.digests",
    "is_drawn": "xavinit.reading.judging",
    "judge_laws": "xavinit.reading.judging",
    "make_head": "xavinit.reading.digests",
    "make_histogram": "xavinit.reading.histograms",
    "summarize": "xavinit.reading.scan",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
