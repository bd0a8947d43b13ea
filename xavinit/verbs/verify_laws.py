"""What `verify --statistics` does: judge values by the laws of a plan, whoever drew them."""

from __future__ import annotations

from msgspec import structs

from xavinit.formats import Contents, Index, load_index, parse_format
from xavinit.plan import Plan
from xavinit.reading import (
    FALSE_ALARMS,
    Found,
    compare_index,
    compare_tensors,
    is_drawn,
    judge_laws,
)
from xavinit.verbs.progress import Progress, make_advance
from xavinit.verbs.verdict import Compared, Verdict, make_fault, make_verdict

SCOPE = "statistics"


def judge_file(
    plan: Plan,
    path: str,
    is_own_spec: bool,
    *,
    jobs: int | None,
    started: float,
    progress: Progress | None,
) -> Verdict:
    """Judge the tensors of a file, a folder or a set; its metadata are not looked at."""
    index, found = find_tensors(plan, path)
    compared = Compared(path, index.format, SCOPE, plan.tensors, None, is_own_spec)
    return judge_values(plan, compared, found, jobs=jobs, started=started, progress=progress)


def find_tensors(plan: Plan, path: str) -> tuple[Index, Found]:
    """What any file holds, and its tensors by the plan's names, but for their values."""
    index = load_index(path)
    contents: Contents | None = None
    if index.format.startswith("keras") and plan.framework == "keras":
        contents = parse_format("keras").lay_out(plan).files[0].contents  # its own names
    if index.format == "npy" and len(index.tensors) == len(plan.tensors) == 1:
        only = structs.replace(index.tensors[0], name=plan.tensors[0].name)  # a file's has none
        index = structs.replace(index, tensors=(only,))
    return index, compare_index(index, contents or Contents(plan.tensors))


def judge_values(
    plan: Plan,
    compared: Compared,
    found: Found,
    *,
    jobs: int | None,
    started: float,
    progress: Progress | None,
) -> Verdict:
    """Compare the values that are known, judge those that are drawn, and say all that is wrong."""
    advance = make_advance(sum(tensor.nbytes for tensor in found.stored.values()), progress)
    known = {name: there for name, there in found.stored.items() if not is_drawn(plan[name])}
    mismatches = compare_tensors(plan, known, jobs, advance)
    faults = [make_fault(plan[name], mismatch, known) for name, mismatch in mismatches.items()]
    faults += judge_laws(plan, found.stored, jobs, advance)
    places = {tensor.name: place for place, tensor in enumerate(plan.tensors)}
    faults.sort(key=lambda fault: places[fault.tensor or ""])
    return make_verdict(plan, compared, (*found.faults, *faults), started, FALSE_ALARMS)
