"""What every file carries beside its tensors, so that it can be drawn again: our own metadata."""

from __future__ import annotations

import json

from xavinit.plan import Plan

KEY = "xavinit"


def make_metadata(plan: Plan) -> str:
    """Compact JSON of stream, seed and canonical spec; the same for the same spec and seed."""
    content = {"seed": plan.seed, "spec": json.loads(plan.canonical), "stream": plan.stream}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
