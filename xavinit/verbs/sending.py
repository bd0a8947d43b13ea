"""How a plan would be sent to an object store: parts, requests and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xavinit.errors import UsageError
from xavinit.plan import Plan
from xavinit.stores import is_url
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.remote import parse_output
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.target import place_output
from xavinit.wording import format_value

if TYPE_CHECKING:
    from xavinit.output import Sending as Sending  # which reports take from here


def plan_upload(
    spec: SpecSource | Plan,
    path: str,
    *,
    format: str | None = None,
    max_shard_size: int | str | None = None,
    **overrides: Any,
) -> tuple[Plan, Sending]:
    """A spec's plan, and what sending it to a URL takes, whatever stands there.

    Takes the arguments of `make_plan`, and `path`, `format` and `max_shard_size` of `generate`,
    which it raises the errors of. No request is made for the output.
    """
    from xavinit.output import check_sizes, plan_sending

    if not is_url(path):
        raise UsageError(
            "an output is given to a plan to see how it is sent to a store: it must be a URL, such "
            f"as s3://bucket/model.safetensors; got {format_value(path)}"
        )
    strict = overrides.pop("strict", False)
    plan, source = take_plan(spec, make_overrides(**overrides), strict=strict)
    placed = place_output(
        plan, source, spec, path, format=format, max_shard_size=max_shard_size, shard_name=None
    )
    sizes = [file.nbytes or placed.layout.nbytes for file in placed.layout.files]
    url = parse_output(placed.file or path, placed.layout)
    check_sizes(url, sizes)
    return plan, plan_sending(url.scheme, sizes)
