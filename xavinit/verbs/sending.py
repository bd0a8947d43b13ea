"""How a plan would be sent to an object store: parts, requests and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xavinit.errors import UsageError
from xavinit.plan import Plan
from xavinit.stores import is_url, parse_url
from xavinit.verbs.target import place_output
from xavinit.wording import format_value

if TYPE_CHECKING:
    from xavinit.output import Sending as Sending  # which reports take from here


def plan_upload(plan: Plan, path: str, *, max_shard_size: int | str | None = None) -> Sending:
    """What sending a plan to a URL takes, whatever stands there; no request is made.

    Raises what `generate` raises for such an output.
    """
    from xavinit.output import check_sizes, plan_sending

    if not is_url(path):
        raise UsageError(
            "an output is given to a plan to see how it is sent to a store: it must be a URL, such "
            f"as s3://bucket/model.safetensors; got {format_value(path)}"
        )
    placed = place_output(
        plan, None, None, path, format=None, max_shard_size=max_shard_size, shard_name=None
    )
    sizes = [file.nbytes or placed.layout.nbytes for file in placed.layout.files]
    check_sizes(parse_url(path), sizes)
    return plan_sending(sizes)
