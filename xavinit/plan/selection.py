"""The tensors of a plan whose names match a glob, as a plan of their own."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from xavinit.errors import SpecError, UsageError
from xavinit.plan.plan import Plan
from xavinit.spec import parse_glob
from xavinit.wording import format_value, suggest


def select_tensors(plan: Plan, glob: str) -> Plan:
    """The plan of the tensors alone whose names match a glob, as those of rules do.

    Raises `UsageError` where none does.
    """
    names = match_names([tensor.name for tensor in plan.tensors], glob)
    tensors = tuple(tensor for tensor in plan.tensors if tensor.name in names)
    return structs.replace(plan, tensors=tensors)


def match_names(names: Sequence[str], glob: str, where: str = "") -> set[str]:
    """The names of tensors that match a glob; `UsageError` where none does.

    `where` tells whose tensors they are, such as ` of w.h5`.
    """
    try:
        matches = parse_glob(glob).matches
    except SpecError as error:
        raise UsageError(str(error)) from None
    found = set(filter(matches, names))
    if not found:
        raise UsageError(
            f"no tensor{where} matches {format_value(glob)}", hint=suggest(glob, names)
        )
    return found
