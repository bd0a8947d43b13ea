"""The verb that validates: `check`, from a spec to what is wrong with it, and no more."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from xavinit.errors import InputError, SpecError
from xavinit.spec import name_source
from xavinit.verbs.prepare import make_plan
from xavinit.verbs.sources import SpecSource


class CheckResult(Struct, frozen=True):
    """What a check found: an error, or the size of what the spec stands for."""

    source: str
    error: SpecError | InputError | None
    warnings: tuple[SpecError, ...] = ()
    tensors: int = 0
    parameters: int = 0
    nbytes: int = 0


def check(
    spec: SpecSource,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    strict: bool = False,
) -> CheckResult:
    """Validate a spec: read it and plan it, and tell whether that worked.

    Takes the arguments of `make_plan`. What is wrong with the spec, or with reading it, is in the
    result; only what is wrong with an argument is raised, a `UsageError`.

    >>> check({"tensors": {"w": [3, -4]}}).error.fact
    'must be a positive integer or zero; got -4'
    """
    source = name_source(spec)
    try:
        plan = make_plan(
            spec, seed=seed, dtype=dtype, framework=framework, rng=rng, dims=dims, strict=strict
        )
    except (SpecError, InputError) as error:
        return CheckResult(source, error)
    return CheckResult(source, None, plan.warnings, len(plan.tensors), plan.parameters, plan.nbytes)
