"""How an object is sent to a store: the size of its parts, how many requests, how much memory."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from xavinit.errors import OutputError
from xavinit.stores import Url
from xavinit.wording import format_bytes

PART = 8 << 20  # bytes; stores take no less than 5 MiB
SMALL = 1 << 20  # bytes; an object of no more is sent by one request, whose library copies it
MOST_PARTS = 10_000  # of an object, to S3 and Google
_MOST_SENDERS = 8  # a sender waits for the network, not for a core
_MEMORY = 96 << 20  # bytes of parts that are being sent, while parts are small

_GIB, _TIB = 1 << 30, 1 << 40
_LARGEST_PART = {"s3": 5 * _GIB, "gs": 5 * _GIB, "az": 4000 << 20}
# What every server of a kind takes; some take more.
_LARGEST_OBJECT = {"s3": 5 * _TIB, "gs": 5 * _TIB, "az": 50_000 * (4000 << 20)}

# Requests of an object beside its parts: a beginning (to az:// that is the first block) and an end.
_AROUND_PARTS = {"s3": 2, "gs": 2, "az": 1}


class Sending(Struct, frozen=True):
    """How some objects are sent, one after another: what a dry run tells."""

    objects: int
    nbytes: int
    part_size: int  # of the largest object
    parts: int  # of all objects
    requests: int  # that write: beginnings, parts, ends; of a small object one
    senders: int  # parts that are on their way at once, at most
    memory: int  # bytes of parts, at most; the process takes some 60 MB beside them


def find_part_size(nbytes: int) -> int:
    """The bytes of each part but the last: 8 MiB, or what makes 10,000 parts."""
    return max(PART, -(-nbytes // MOST_PARTS))


def is_small(nbytes: int) -> bool:
    """Is an object sent by one request?"""
    return nbytes <= min(SMALL, PART)


def count_senders(part_size: int) -> int:
    """How many parts are sent at once: eight, and at least two where parts are large."""
    return max(2, min(_MOST_SENDERS, _MEMORY // part_size))


def plan_sending(scheme: str, sizes: Sequence[int]) -> Sending:
    """How objects of these sizes are sent to a kind of store."""
    part_size = find_part_size(max(sizes, default=0))
    counts = [max(-(-nbytes // find_part_size(nbytes)), 1) for nbytes in sizes]
    senders = min(count_senders(part_size), sum(counts))
    buffers = min(senders + 1, sum(counts))
    small = max((size for size in sizes if is_small(size)), default=0)
    return Sending(
        objects=len(sizes),
        nbytes=sum(sizes),
        part_size=part_size,
        parts=sum(counts),
        requests=sum(
            1 if is_small(size) else count + _AROUND_PARTS[scheme]
            for size, count in zip(sizes, counts, strict=True)
        ),
        senders=1 if scheme == "gs" else senders,
        memory=buffers * min(part_size, max(sizes, default=0)) + senders * small,
    )


def check_sizes(url: Url, sizes: Sequence[int]) -> None:
    """Refuse objects that the store does not take, before the first byte."""
    largest = max(sizes, default=0)
    most = min(_LARGEST_OBJECT[url.scheme], MOST_PARTS * _LARGEST_PART[url.scheme])
    if largest > most:
        raise OutputError(
            f"cannot write {url}: an object of {url.scheme}:// is at most {format_bytes(most)}; "
            f"this needs {format_bytes(largest)}",
            hint="--max-shard-size makes smaller ones",
        )
