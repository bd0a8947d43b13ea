"""What a comparison with a spec found, and how all who compare come to it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping

from msgspec import Struct

from xavinit.errors import SpecError, escape
from xavinit.formats import StoredTensor
from xavinit.plan import Plan, TensorPlan
from xavinit.reading import (
    Fault,
    Found,
    Mismatch,
    compare_tensors,
    find_place,
    format_element,
)
from xavinit.verbs.progress import Progress, make_advance

MOST_LINES = 20  # of a file's faults that are told to a person


class Verdict(Struct, frozen=True):
    """Whether a file is what a spec makes, and what is not: true where it is.

    `scope` is what was compared: `every_byte`, `tensors_and_attributes` of a file whose other bytes
    are a library's, `tensors` of a format that xavinit does not write, or `statistics`: whether the
    values fit the spec's laws. Then `false_alarms` is the probability, at most, that there is a
    fault although they were drawn from those laws; else None. `is_own_spec`: the spec
    is the one that the file carries, so that the verdict says only that the file is what it says.
    `spec_digest` is the SHA-256 of the canonical spec. `tensors`, `parameters` and `nbytes` count
    what the spec makes; of one shard, what is in it.
    """

    path: str
    format: str
    scope: str
    tensors: int
    parameters: int
    nbytes: int
    seed: int
    stream: str
    framework: str
    spec_digest: str
    is_own_spec: bool
    seconds: float
    shards: int | None = None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[SpecError, ...] = ()
    false_alarms: float | None = None

    @property
    def is_same(self) -> bool:
        """Is there no fault?"""
        return not self.faults

    def __bool__(self) -> bool:
        return self.is_same

    def list_lines(self, most: int = MOST_LINES) -> list[str]:
        """A line for each of the first faults, and one that counts the rest."""
        lines = [fault.line for fault in self.faults[:most]]
        rest = self.faults[most:]
        if rest:
            names = [fault.tensor or fault.stored_name for fault in rest]
            tensors = len(set(names))
            more = (
                f"{tensors:,} more tensors" if all(names) and tensors > 1 else f"{len(rest):,} more"
            )
            lines.append(f"{escape(self.path)}: and {more}")
        return lines


class Compared(Struct, frozen=True):
    """What is compared: a file or a set, and the tensors that it should have."""

    path: str
    format: str
    scope: str
    tensors: tuple[TensorPlan, ...]
    shards: int | None = None
    is_own_spec: bool = False


def judge(
    plan: Plan,
    compared: Compared,
    found: Found,
    *,
    jobs: int | None,
    started: float,
    progress: Progress | None,
) -> Verdict:
    """Compare the values of the tensors that were found, and say all that is different."""
    total = sum(tensor.nbytes for tensor in found.stored.values())
    mismatches = compare_tensors(plan, found.stored, jobs, make_advance(total, progress))
    values = (
        make_fault(plan[name], mismatch, found.stored) for name, mismatch in mismatches.items()
    )
    return make_verdict(plan, compared, (*found.faults, *values), started)


def make_verdict(
    plan: Plan,
    compared: Compared,
    faults: tuple[Fault, ...],
    started: float,
    false_alarms: float | None = None,
) -> Verdict:
    """The verdict with these faults, of work that began then."""
    return Verdict(
        path=compared.path,
        format=compared.format,
        scope=compared.scope,
        tensors=len(compared.tensors),
        parameters=sum(tensor.size for tensor in compared.tensors),
        nbytes=sum(tensor.nbytes for tensor in compared.tensors),
        seed=plan.seed,
        stream=plan.stream,
        framework=plan.framework,
        spec_digest=hashlib.sha256(plan.canonical.encode()).hexdigest(),
        is_own_spec=compared.is_own_spec,
        seconds=time.perf_counter() - started,
        shards=compared.shards,
        faults=faults,
        warnings=plan.warnings,
        false_alarms=false_alarms,
    )


def make_fault(tensor: TensorPlan, mismatch: Mismatch, stored: Mapping[str, StoredTensor]) -> Fault:
    """The fault of a tensor whose values differ."""
    there = stored[tensor.name]
    return Fault(
        kind="values",
        path=there.source.path,
        tensor=tensor.name,
        stored_name=there.name if there.name != tensor.name else None,
        index=find_place(mismatch.index, tensor.shape),
        expected=format_element(mismatch.expected, tensor.dtype),
        got=format_element(mismatch.got, tensor.dtype),
        different=mismatch.count,
        size=tensor.size,
    )
