"""Numbers → runs: what one brace of a name stands for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from xavinit.deriving.values import Run

LONGEST_PERIOD = 16  # as of blocks that alternate
FEW_RUNS = 3  # more of them are rather one list, where that is short
SHORTEST_LIST, LONGEST_LIST = 6, 16  # numbers that are rather listed in one brace than in runs


def split_runs(numbers: Sequence[int]) -> list[Run]:
    """Rising numbers in few runs, each a range with a step, or a list.

    >>> split_runs([0, 1, 2, 3]), split_runs([0, 2, 4]), split_runs([0, 1, 4, 5, 8, 9, 12, 13])
    ([(0, 1, 2, 3)], [(0, 2, 4)], [(0, 4, 8, 12), (1, 5, 9, 13)])
    >>> split_runs([1, 3]), split_runs([0, 1, 5])
    ([(1, 3)], [(0, 1, 5)])
    """
    runs = _split_neighbors(numbers)
    if len(runs) == 1:
        return runs
    for period in range(2, LONGEST_PERIOD + 1):
        if period >= len(runs) * 2 or len(numbers) < 3:
            break
        classes = _split_classes(numbers, period)
        if classes is not None and len(classes) < len(runs):
            runs = classes
    if len(runs) == 1:
        return runs
    is_short = len(numbers) <= SHORTEST_LIST
    if is_short or (len(runs) > FEW_RUNS and len(numbers) <= LONGEST_LIST):
        return [tuple(numbers)]
    return runs


def find_step(run: Run) -> int | None:
    """The step between all numbers of a run, or None where it is not one; 1 of a single number."""
    if len(run) < 2:
        return 1
    step = run[1] - run[0]
    return step if run[-1] - run[0] == step * (len(run) - 1) and _is_even(run, step) else None


def _is_even(run: Run, step: int) -> bool:
    return all(b - a == step for a, b in itertools.pairwise(run))


def _split_neighbors(numbers: Sequence[int]) -> list[Run]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [tuple(run) for run in runs]


def _split_classes(numbers: Sequence[int], period: int) -> list[Run] | None:
    """The numbers by their remainders, or None where one lacks a number within."""
    classes: dict[int, list[int]] = {}
    for number in numbers:
        classes.setdefault(number % period, []).append(number)
    for found in classes.values():
        if len(found) < 2 or found[-1] - found[0] != period * (len(found) - 1):
            return None
    return sorted(tuple(found) for found in classes.values())
