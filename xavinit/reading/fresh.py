"""Is a tensor what a framework drew, untouched, and from which seed?

The first element that each seed gives under each law is compared; where it is the same, all
elements are. Only float32 is tried: with PyTorch at the beginning of its stream, and after the
making of all modules; with Keras on TensorFlow, by an initializer's own seed and the first numbers
after `set_random_seed`; with JAX, by a plain key, by Linen's path and by the first counts of NNX.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from xavinit.plan import TensorPlan, hash_path
from xavinit.streams import Tries, make_tries

Array = np.ndarray[Any, np.dtype[Any]]
# The laws of an rng that people use, for a shape: a tensor of each, and what a spec calls it.
ListLaws = Callable[[str, tuple[int, ...]], Sequence[tuple[str, TensorPlan]]]

MOST_NUMBERS = 8  # after set_random_seed
MOST_COUNTS = 16  # of nnx.Rngs
_AT_ONCE = 1 << 14  # seeds
_MOST_SKIPPED = 10**9  # words of PyTorch's stream, over all seeds that are tried at once


class Fresh(NamedTuple):
    """A tensor that an rng draws from a seed, bit for bit. `how` tells what the seed is of."""

    tensor: str
    rng: str
    init: str
    seed: int
    how: str


class _Place(NamedTuple):
    """Where an rng is tried, with many seeds at once."""

    rng: str
    how: str
    tries: Tries


def find_fresh(
    arrays: Mapping[str, Array], made: int, seeds: Sequence[int], list_laws: ListLaws
) -> Fresh | None:
    """The first of these tensors that is what an rng draws from one of these seeds.

    They are of float32, have 16 elements or more, and the first two of them differ. A PyTorch
    program draws `made` numbers as it makes all modules of their model.
    """
    tried = list(arrays)
    for start in range(0, len(seeds), _AT_ONCE):
        some = seeds[start : start + _AT_ONCE]
        for place in _list_torch(some, made):
            for name in tried:
                if found := _compare(name, arrays[name], place, some, list_laws):
                    return found
        for name in tried[:1]:
            for place in (*_list_keras(some), *_list_jax(some, name)):
                if found := _compare(name, arrays[name], place, some, list_laws):
                    return found
    return None


def _compare(
    name: str, array: Array, place: _Place, seeds: Sequence[int], list_laws: ListLaws
) -> Fresh | None:
    first = array.flat[0]
    for told, tensor in list_laws(place.rng.partition(",")[0], array.shape):
        with np.errstate(all="ignore"):
            alike = np.flatnonzero(place.tries.make_firsts(tensor) == first)
        for number in alike.tolist():
            if place.tries.draw(tensor, number).tobytes() == array.tobytes():
                return Fresh(name, place.rng, told, seeds[number], place.how)
    return None


def _list_torch(seeds: Sequence[int], made: int) -> Iterator[_Place]:
    rng = "torch-2.13"
    yield _Place(rng, "torch.manual_seed, its first numbers", make_tries(rng, seeds, 0))
    if made * len(seeds) <= _MOST_SKIPPED:
        how = "torch.manual_seed, after the making of all modules"
        yield _Place(rng, how, make_tries(rng, seeds, made))


def _list_keras(seeds: Sequence[int]) -> Iterator[_Place]:
    rng = "keras-3.15"
    yield _Place(rng, "the initializer's own", make_tries(rng, seeds))
    generators = [random.Random(seed) for seed in seeds]  # only to find it: all is compared
    for number in range(1, MOST_NUMBERS + 1):
        drawn = [generator.randint(1, 10**9) for generator in generators]
        how = f"keras.utils.set_random_seed, its number {number}"
        yield _Place(rng, how, make_tries(rng, drawn))


def _list_jax(seeds: Sequence[int], name: str) -> Iterator[_Place]:
    rng = "jax-0.10"
    yield _Place(rng, "jax.random.key", make_tries(rng, seeds))
    *path, _ = re.split(r"[./]", name)
    path = path[1:] if path[:1] == ["params"] else path
    for count in (1, 2):
        tries = make_tries(rng, seeds, hash_path(path, count))
        yield _Place(f"{rng},keys=linen", "Linen's model.init", tries)
    for count in range(MOST_COUNTS):
        how = f"nnx.Rngs, its count {count}"
        yield _Place(f"{rng},keys=nnx", how, make_tries(rng, seeds, count))
