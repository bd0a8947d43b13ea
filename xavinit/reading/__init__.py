"""Reading: the crew goes over the blocks of stored tensors, and finds out what they are."""

from xavinit.reading.digests import hash_all, hash_each, make_head
from xavinit.reading.values import QUANTILES, Bins, Guess, Histogram, Summary

__all__ = [
    "QUANTILES",
    "Bins",
    "Guess",
    "Histogram",
    "Summary",
    "hash_all",
    "hash_each",
    "make_head",
]
