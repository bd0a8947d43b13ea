"""What the verbs begin with: read a spec and make its plan (`make_plan`)."""

from __future__ import annotations

from collections.abc import Mapping

from xavinit.dtypes import name_dtype
from xavinit.errors import SpecError, StrictError, UsageError
from xavinit.plan import Plan, plan_spec
from xavinit.spec import Document, Overrides, Spec, copy_plain, resolve_spec
from xavinit.verbs.sources import Source, SpecSource, load_source
from xavinit.wording import format_value


def make_plan(
    spec: SpecSource,
    *,
    seed: int | None = None,
    dtype: object = None,
    framework: str | None = None,
    rng: object = None,
    dims: Mapping[str, int | str] | None = None,
    strict: bool = False,
) -> Plan:
    """Read a spec and decide everything about every tensor, drawing nothing.

    Parameters:
        spec: the path of a YAML or JSON file, or of a weights file of ours, which stands for the
            spec that it carries, or the URL of either; `-` for standard input; or the spec as a
            dict.
        seed: 0 … 2⁶⁴−1; replaces the spec's.
        dtype: replaces the dtype of the spec's `defaults`: a name, or NumPy's type of that name.
        framework: `pytorch`, `keras` or `flax`; replaces the spec's.
        rng: whose numbers are drawn, as a spec gives it (`torch-2.13`); replaces the spec's.
        dims: values for dims that the spec names.
        strict: take warnings for errors.

    Raises `SpecError` (a `ValueError`) for a bad spec, with file, line and column, its `errors`
    being all that were found (ten at most); `UsageError` (a `ValueError`) for a bad argument;
    `InputError` where the file cannot be read.

    >>> plan = make_plan({"tensors": {"hidden.weight": [128, 784]}})
    >>> plan.tensors[0].fans, str(plan.tensors[0].law)
    (Fans(fan_in=784, fan_out=128), 'uniform ±0.0811107')
    """
    overrides = make_overrides(seed, dtype, framework, dims, rng)
    return read_plan(load_source(spec).document, overrides, strict=strict)[1]


def read_plan(document: Document, overrides: Overrides, *, strict: bool) -> tuple[Spec, Plan]:
    """The spec of a document and its plan; errors and warnings know their places."""
    with document.locating():
        spec = resolve_spec(document.data, overrides)
        plan = plan_spec(spec)
    document.locate_all(plan.warnings)
    return spec, _refuse_warnings(plan, strict=strict)


def _refuse_warnings(plan: Plan, *, strict: bool) -> Plan:
    """The plan, unless it has warnings and they count as errors."""
    if strict and plan.warnings:
        error = StrictError(plan.warnings)
        error.locate(plan.warnings[0].source or "spec", None)
        raise error
    return plan


def take_plan(
    spec: SpecSource | Plan, overrides: Overrides, *, strict: bool = False
) -> tuple[Plan, Source | None]:
    """The plan of a spec with its source, for errors found later; or the plan given."""
    if not isinstance(spec, Plan):
        source = load_source(spec)
        return read_plan(source.document, overrides, strict=strict)[1], source
    if overrides != Overrides():
        raise UsageError("a plan is made already: give seed, dtype, framework, dims to make_plan")
    return _refuse_warnings(spec, strict=strict), None


def make_overrides(
    seed: object, dtype: object, framework: object, dims: object, rng: object = None
) -> Overrides:
    """The arguments as plain data, as if the spec gave them; NumPy's integers are accepted."""
    if dims is not None and not isinstance(dims, Mapping):
        raise UsageError(f"dims must be a mapping; got {format_value(dims)}")
    dtype = name_dtype(dtype)
    for name, value in (("dtype", dtype), ("framework", framework)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} must be a string; got {format_value(value)}")
    try:
        plain = copy_plain(seed), dtype, framework, copy_plain(dims or {}), copy_plain(rng)
        return Overrides(*plain)  # type: ignore[arg-type]  # checked above, or by the spec's reader
    except SpecError as error:
        raise error.blame_caller() from None
