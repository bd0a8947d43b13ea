"""Arrays by name, of NumPy, PyTorch or JAX, compared with what a spec makes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from xavinit.formats import Contents, Index
from xavinit.plan import Plan
from xavinit.reading import compare_index
from xavinit.verbs.arrays import PLACE, store_array
from xavinit.verbs.prepare import make_overrides, take_plan
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.verdict import Compared, Verdict, judge
from xavinit.verbs.verify_laws import SCOPE, judge_values


def verify_arrays(
    arrays: Mapping[str, Any],
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    statistics: bool = False,
    jobs: int | None = None,
) -> Verdict:
    """Compare arrays by name with the tensors of a spec: names, shapes, dtypes and every bit.

    An array is NumPy's, or anything that has `__array__` or `__dlpack__`, such as a tensor of
    PyTorch (on any device) or JAX. The names are those that the spec's framework gives.
    With `statistics`, the values are judged by the spec's laws alone.
    """
    started = time.perf_counter()
    plan, _ = take_plan(spec, make_overrides(seed, dtype, framework, dims))
    stored = tuple(store_array(name, array) for name, array in arrays.items())
    found = compare_index(Index(PLACE, stored, {}), Contents(plan.tensors))
    if statistics:
        compared = Compared(PLACE, "arrays", SCOPE, plan.tensors)
        return judge_values(plan, compared, found, jobs=jobs, started=started, progress=None)
    compared = Compared(PLACE, "arrays", "tensors", plan.tensors)
    return judge(plan, compared, found, jobs=jobs, started=started, progress=None)
