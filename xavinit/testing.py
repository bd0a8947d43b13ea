"""For tests of your own: fail where weights are not what a spec makes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from xavinit.plan import Plan
from xavinit.verbs.sources import SpecSource
from xavinit.verbs.verify import verify
from xavinit.verbs.verify_arrays import verify_arrays


def assert_matches(
    weights: str | os.PathLike[str] | Mapping[str, Any], spec: SpecSource | Plan, **options: Any
) -> None:
    """Raise `AssertionError`, which says what differs, unless weights are what a spec makes.

    Parameters:
        weights: the path of a weights file, a folder or a set, as `xavinit.verify` takes it; or
            arrays by name: NumPy's, PyTorch's, JAX's, such as `model.state_dict()`. Arrays bear
            the names of the spec's framework, in its order of axes.
        spec: the spec, as `xavinit.make_plan` takes it, or a plan.
        options: those of `xavinit.verify`; for arrays `seed`, `dtype`, `framework`, `dims`,
            `statistics`, `jobs`.

    >>> import numpy
    >>> spec = {"tensors": {"w": {"shape": [2], "init": "ones"}}}
    >>> assert_matches({"w": numpy.ones(2, "float32")}, spec)
    >>> assert_matches({"w": numpy.zeros(2, "float32")}, spec)
    Traceback (most recent call last):
    AssertionError: arrays: w[0]: expected 1.0, got 0.0 (and 1 more of 2)
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if isinstance(weights, Mapping):
        verdict = verify_arrays(weights, spec, **options)
    else:
        verdict = verify(weights, spec, **options)
    if not verdict.is_same:
        raise AssertionError("\n".join(verdict.list_lines()))
