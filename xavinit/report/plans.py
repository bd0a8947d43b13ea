"""A plan as a table, for people and for `grep`, and as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import to_builtins

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.plan import Costs, Plan, is_drawn
from xavinit.report.divisions import division_to_data
from xavinit.report.folding import Row, fold, list_rows
from xavinit.report.laws import compute_zero_share, format_law, law_to_json
from xavinit.report.sendings import sending_to_data
from xavinit.report.tables import NOTHING, format_rows, wrap
from xavinit.rngs import parse_rng
from xavinit.verbs.shares import Division
from xavinit.wording import format_bytes, plural

if TYPE_CHECKING:
    from xavinit.verbs.sending import Sending

_WIDEST_SHAPE = 20
_COLUMNS = ("NAME", "SHAPE", "DTYPE", "FAN_IN", "FAN_OUT", "LAW", "BYTES")
_WORD, _SEED, _KEY = "WORD", "SEED", "KEY"
_UNKNOWN = "?"
_RIGHTS = (False, False, False, True, True, False, True)


def format_plan(
    plan: Plan, *, width: int | None = None, is_folded: bool = False, whole: Plan | None = None
) -> Iterator[str]:
    """The lines of a table, and one that sums up.

    Without a width each row is one line, however long. Folded, tensors that repeat are one row,
    whose bytes are those of all. `whole` is the plan of which this one is a part.
    """
    rows = list(fold(plan.tensors) if is_folded else list_rows(plan.tensors))
    cells = [_COLUMNS, *(_format_row(row, is_wide=width is None) for row in rows)]
    rights: tuple[bool, ...] = _RIGHTS
    if plan.sequence:  # where each begins in the one stream
        words = [_WORD, *(_format_word(plan, row) for row in rows)]
        cells = [(*row, word) for row, word in zip(cells, words, strict=True)]
        rights = (*_RIGHTS, True)
    elif has_seeds(plan):
        has_keys = parse_rng(plan.stream).kind.has_keys
        told = (_format_seed(row, has_keys=has_keys) for row in rows)
        seeds = [_KEY if has_keys else _SEED, *told]
        cells = [(*row, seed) for row, seed in zip(cells, seeds, strict=True)]
        rights = (*_RIGHTS, True)
    yield from format_rows(cells, rights, width)
    yield from wrap("", format_total(plan, whole), 0, width)
    if any(row[-1] == _UNKNOWN for row in cells):
        note = f"{_UNKNOWN}: after a truncated normal, which takes as many words as its values need"
        yield from wrap("", note, 0, width)
    if plan.costs is not None:
        yield from wrap("", format_costs(plan.stream, plan.costs), 0, width)


def has_seeds(plan: Plan) -> bool:
    """Have tensors seeds of their own, under an rng with such?"""
    return any(tensor.seed is not None for tensor in plan.tensors)


def format_total(plan: Plan, whole: Plan | None = None) -> str:
    count = plural(len(plan.tensors), "tensor")
    if whole is not None:
        count = f"{len(plan.tensors):,} of {plural(len(whole.tensors), 'tensor')}"
    parameters = plural(plan.parameters, "parameter")
    return f"{count}, {parameters}, {plan.nbytes:,} bytes ({format_bytes(plan.nbytes)})"


def format_costs(stream: str, costs: Costs) -> str:
    """What one stream over all tensors takes.

    >>> format_costs("torch-2.13", Costs(1600, False, 2512, 0))
    'torch-2.13: one stream of 1,600 words; a part of a set runs over those before its own; \
generator states take at most 2.51 kB'
    """
    words = f"{'at least ' if costs.is_least else ''}{plural(costs.words, 'word')}"
    views = f", views {format_bytes(costs.view_bytes)}" if costs.view_bytes else ""
    return (
        f"{stream}: one stream of {words}; a part of a set runs over those before its own; "
        f"generator states take at most {format_bytes(costs.state_bytes)}{views}"
    )


def _format_row(row: Row, *, is_wide: bool) -> tuple[str, ...]:
    tensor = row.first
    fan_in, fan_out = map(str, tensor.fans) if tensor.fans else (NOTHING, NOTHING)
    name, shape = escape(row.name), "×".join(map(str, tensor.shape)) or "scalar"
    if row.count > 1:
        name = f"{name}  ×{row.count}"
    if len(shape) > _WIDEST_SHAPE and not is_wide:
        name, shape = f"{name}  {shape}", ""  # beside the name, lest it widens every row
    return (
        name,
        shape,
        tensor.dtype.name,
        fan_in,
        fan_out,
        format_law(tensor),
        f"{tensor.nbytes * row.count:,}",
    )


def _format_seed(row: Row, *, has_keys: bool) -> str:
    """The seed of the first of a row; a key in hexadecimal digits."""
    seed = row.first.seed
    return NOTHING if seed is None else f"{seed:016x}" if has_keys else str(seed)


def _format_word(plan: Plan, row: Row) -> str:
    """Where the first of a row begins; a tensor that draws nothing has no place."""
    if not is_drawn(row.first.law):
        return NOTHING
    word = plan.words[row.first.stream]
    return _UNKNOWN if word is None else f"{word:,}"


def plan_to_json(
    plan: Plan, division: Division | None = None, sending: Sending | None = None
) -> str:
    """The plan as a JSON object on one line, perhaps with the parts that write it.

    Or with how it is sent to a store.
    """
    content = {
        "version": JSON_VERSION,
        "stream": plan.stream,
        "seed": plan.seed,
        "framework": plan.framework,
        "tensors": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "dtype": tensor.dtype.name,
                "fan_in": tensor.fans.fan_in if tensor.fans else None,
                "fan_out": tensor.fans.fan_out if tensor.fans else None,
                "law": law_to_json(tensor),
                "zero_rows": list(tensor.zero_rows),
                "zero_share": compute_zero_share(tensor),
                "stream": tensor.stream,
                "bytes": tensor.nbytes,
                **({"word": plan.words[tensor.stream]} if plan.sequence else {}),
                **({"seed": tensor.seed} if has_seeds(plan) else {}),
            }
            for tensor in plan.tensors
        ],
        "parameters": plan.parameters,
        "bytes": plan.nbytes,
        **({"sequence": to_builtins(plan.costs)} if plan.costs is not None else {}),
        "division": None if division is None else division_to_data(division),
        "sending": sending_to_data(sending),
    }
    return json.dumps(content)
