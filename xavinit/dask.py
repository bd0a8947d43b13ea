"""Dask: `array` is a tensor of a spec, drawn chunk by chunk when it is used.

Dask is not imported until it is called. `generate(spec, path, client=client)` writes by a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from msgspec import structs

from xavinit.errors import MissingLibraryError
from xavinit.plan import Plan
from xavinit.verbs.draw import draw, find_array_type, find_tensor
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource


def array(
    name: str,
    spec: SpecSource | Plan,
    *,
    chunks: Any = "auto",
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
) -> Any:
    """Make a lazy Dask array of a tensor, for one that may be larger than memory.

    Takes the arguments of `make_plan` (or a plan made already), after

    Parameters:
        name: the tensor's.
        chunks: how it is cut, as for any Dask array; `auto` makes chunks of about 128 MiB.

    Nothing is drawn before it is computed; then each chunk is drawn alone, wherever its task runs,
    and is that part of the tensor that `draw(spec, name)` gives. Workers need xavinit with the same
    stream.

    Raises what `draw` raises; `MissingLibraryError` where Dask is not installed.

    >>> tensors = array("w", {"tensors": {"w": [4_000_000, 1_000_000]}})  # doctest: +SKIP
    >>> tensors[2_000_000, :3].compute().shape  # doctest: +SKIP
    (3,)
    """
    try:
        arrays = import_module("dask.array")
        base = import_module("dask.base")
    except ImportError as error:
        raise MissingLibraryError("this needs Dask: pip install 'xavinit[dask]'") from error
    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    tensor = find_tensor(plan, name)
    kind = find_array_type(tensor.dtype.name)
    # What a chunk needs, and no more: the graph carries it.
    alone = structs.replace(plan, tensors=(tensor,), canonical="", order=(), warnings=())
    cuts = arrays.core.normalize_chunks(chunks, tensor.shape, dtype=kind)
    return arrays.map_blocks(
        _draw_chunk,
        chunks=cuts,
        dtype=kind,
        meta=import_module("numpy").empty((0,) * len(tensor.shape), kind),
        name=f"xavinit-{base.tokenize(plan.stream, plan.seed, repr(tensor), cuts)}",
        plan=alone,
        tensor=name,
    )


def _draw_chunk(*, plan: Plan, tensor: str, block_info: Mapping[None, Mapping[str, Any]]) -> Any:
    """One chunk, on one thread: Dask has its own."""
    place = block_info[None]["array-location"]
    return draw(plan, tensor, tuple(slice(*ends) for ends in place), jobs=1)
