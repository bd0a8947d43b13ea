"""Shards: a checkpoint in several files with an index, as Hugging Face splits it.

The names of the files are those of `shard_names.py`; a single file has no index. The splitter of
huggingface_hub would bring a client of its network along; a test compares ours with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from xavinit.errors import UsageError
from xavinit.formats.shard_names import DEFAULT, ShardNames
from xavinit.plan import TensorPlan
from xavinit.wording import format_choices, format_value

MOST_SHARDS = 2_000
MOST_REPEATED = 250_000_000  # bytes of metadata in all files of a set, each of which carries it

_UNITS = {"B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS |= {f"{_letter}B": 1000**_power, f"{_letter}iB": 1024**_power}
_SIZE = r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)\s*\Z"


def parse_size(text: int | str) -> int:
    """The bytes of a size: an integer, or a number with a unit, such as `5GB` or `512MiB`.

    A fraction of a byte is cut off, as Hugging Face does.

    >>> parse_size("5GB"), parse_size("1.5 MiB"), parse_size("800")
    (5000000000, 1572864, 800)
    """
    known = {unit.lower(): factor for unit, factor in _UNITS.items()}
    match = re.match(_SIZE, text) if isinstance(text, str) and len(text) < 100 else None
    size = 0
    if match and (match[2].lower() or "b") in known:
        number = float(match[1]) if "." in match[1] else int(match[1])
        size = int(number * known[match[2].lower() or "b"])
    elif isinstance(text, int) and not isinstance(text, bool):
        size = text
    if size < 1:
        raise UsageError(
            "the size of a shard must be a positive number of bytes, or one with a unit "
            f"({format_choices(_UNITS)}), such as 5GB; got {format_value(text)}"
        )
    return size


def name_shards(
    tensors: Sequence[TensorPlan], most: int, names: ShardNames = DEFAULT
) -> dict[str, Sequence[TensorPlan]]:
    """The tensors of each file by its name, at most `most` bytes in each."""
    shards = split_tensors(tensors, most)
    count = len(shards)
    if count <= 1:
        return {names.single: tensors}
    return {names.name_shard(n, count): shard for n, shard in enumerate(shards, start=1)}


def count_most_shards(metadata: int) -> int:
    """How many shards a set may have, each of which carries so many bytes of metadata."""
    return min(MOST_SHARDS, max(MOST_REPEATED // max(metadata, 1), 1))


def check_number(count: int, metadata: int, tensors: Sequence[TensorPlan], most: int) -> None:
    """Refuse more shards than make sense: a set of thousands is a typo of the size.

    `metadata` is the bytes that each of them carries beside its tensors.
    """
    limit = count_most_shards(metadata)
    if count <= limit:
        return
    total = sum(tensor.nbytes for tensor in tensors)
    sizes = (n for n in list_round_sizes(10 * total) if n > most and n * limit >= total)
    fitting = next(size for size in sizes if len(split_tensors(tensors, size)) <= limit)
    reason = (
        f"at most {MOST_SHARDS:,}"
        if limit == MOST_SHARDS
        else f"at most {limit:,} where each carries {metadata:,} bytes of metadata, so that they "
        f"repeat no more than {MOST_REPEATED:,}"
    )
    raise UsageError(
        f"shards must be {reason}; got {count:,} of {format_size(most)}",
        hint=f"--max-shard-size {format_size(fitting)} makes fewer",
    )


def find_largest_size(
    tensors: Sequence[TensorPlan],
    below: int,
    limit: int,
    works: Callable[[Sequence[TensorPlan]], bool],
) -> int | None:
    """The largest round size that makes at most `limit` shards, every one of which works.

    It is less than `below`; None where there is none.
    """
    for size in reversed(list_round_sizes(below - 1)):
        shards = split_tensors(tensors, size)
        if len(shards) > limit:
            return None  # smaller sizes make still more
        if len(shards) > 1 and all(works(shard) for shard in shards):
            return size
    return None


def list_round_sizes(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, … up to `most`, ascending."""
    sizes = []
    power = 1
    while power <= most:
        sizes += [digit * power for digit in (1, 2, 5) if digit * power <= most]
        power *= 10
    return sizes


def format_size(nbytes: int) -> str:
    """A size as `parse_size` takes it back, in the largest unit that leaves it whole.

    >>> format_size(5 * 10**9), format_size(1500), format_size(50_000)
    ('5GB', '1500', '50kB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if nbytes and nbytes % 1000**power == 0:
            return f"{nbytes // 1000**power}{unit}"
    return str(nbytes)


def split_tensors(tensors: Sequence[TensorPlan], most: int) -> list[list[TensorPlan]]:
    """The tensors of each shard, by Hugging Face's rule.

    In the spec's order, a shard takes tensors until the next would go over `most`. A tensor that
    is larger by itself gets a shard of its own, before the one that is still being filled.
    """
    shards: list[list[TensorPlan]] = []
    current: list[TensorPlan] = []
    size = 0
    for tensor in tensors:
        if tensor.nbytes > most:
            shards.append([tensor])
            continue
        if size + tensor.nbytes > most:
            shards.append(current)
            current, size = [], 0
        current.append(tensor)
        size += tensor.nbytes
    return [*shards, current] if current else shards


def make_index(shards: Mapping[str, Sequence[TensorPlan]]) -> bytes:
    """The index: which file has each tensor, and what they are in all.

    As transformers counts (`num_parameters`, and the hub's `total_size`), a tensor that is tied
    to another is not counted again, although our files hold a copy of it.
    """
    places = {tensor.name: name for name, tensors in shards.items() for tensor in tensors}
    own = [tensor for tensors in shards.values() for tensor in tensors if not tensor.is_tied]
    metadata = {
        "total_parameters": sum(tensor.size for tensor in own),
        "total_size": sum(tensor.nbytes for tensor in own),
    }
    content = {"metadata": metadata, "weight_map": places}
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
