"""The tensors of a plan whose names match a glob, as a plan of their own."""

from __future__ import annotations

from msgspec import structs

from xavinit.errors import SpecError, UsageError
from xavinit.plan.plan import Plan
from xavinit.spec import parse_glob
from xavinit.wording import format_value, suggest


def select_tensors(plan: Plan, glob: str) -> Plan:
    """The plan of the tensors alone whose names match a glob, as those of rules do.

    Raises `UsageError` where none does.
    """
    try:
        matches = parse_glob(glob).matches
    except SpecError as error:
        raise UsageError(str(error)) from None
    tensors = tuple(tensor for tensor in plan.tensors if matches(tensor.name))
    if not tensors:
        hint = suggest(glob, (tensor.name for tensor in plan.tensors))
        raise UsageError(f"no tensor matches {format_value(glob)}", hint=hint)
    return structs.replace(plan, tensors=tensors)
