"""What the verbs begin with: a spec read, its plan made (`make_plan`)."""

from __future__ import annotations

from collections.abc import Mapping

from xavinit.errors import SpecError, UsageError
from xavinit.plan import Plan, plan_spec
from xavinit.spec import Document, Overrides, copy_plain, resolve_spec
from xavinit.verbs.sources import Source, SpecSource, load_source
from xavinit.wording import format_value


def make_plan(
    spec: SpecSource,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    framework: str | None = None,
    dims: Mapping[str, int | str] | None = None,
) -> Plan:
    """Read a spec and decide everything about every tensor, drawing nothing.

    Parameters:
        spec: the path of a YAML or JSON file, or of a weights file of ours, which stands for the
            spec that it carries; `-` for standard input; or the spec as a dict.
        seed: 0 … 2⁶⁴−1; replaces the spec's.
        dtype: replaces the dtype of the spec's `defaults`.
        framework: `pytorch`, `keras` or `flax`; replaces the spec's.
        dims: values for dims that the spec names.

    Raises `SpecError` (a `ValueError`) for a bad spec, with file, line and column, its `errors`
    being all that were found (ten at most); `UsageError` (a `ValueError`) for a bad argument;
    `InputError` where the file cannot be read.

    >>> plan = make_plan({"tensors": {"hidden.weight": [128, 784]}})
    >>> plan.tensors[0].fans, str(plan.tensors[0].law)
    (Fans(fan_in=784, fan_out=128), 'uniform ±0.0811107')
    """
    return _read_plan(load_source(spec).document, make_overrides(seed, dtype, framework, dims))


def _read_plan(document: Document, overrides: Overrides) -> Plan:
    with document.locating():
        plan = plan_spec(resolve_spec(document.data, overrides))
    document.locate_all(plan.warnings)
    return plan


def take_plan(spec: SpecSource | Plan, overrides: Overrides) -> tuple[Plan, Source | None]:
    """The plan of a spec with its source, for errors found later; or the plan given."""
    if not isinstance(spec, Plan):
        source = load_source(spec)
        return _read_plan(source.document, overrides), source
    if overrides != Overrides():
        raise UsageError("a plan is made already: give seed, dtype, framework, dims to make_plan")
    return spec, None


def make_overrides(seed: object, dtype: object, framework: object, dims: object) -> Overrides:
    """The arguments as the spec's own data would be: plain, so that NumPy's integers will do."""
    if dims is not None and not isinstance(dims, Mapping):
        raise UsageError(f"dims must be a mapping; got {format_value(dims)}")
    for name, value in (("dtype", dtype), ("framework", framework)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} must be a string; got {format_value(value)}")
    try:
        return Overrides(copy_plain(seed), dtype, framework, copy_plain(dims or {}))  # type: ignore[arg-type]  # checked above
    except SpecError as error:
        raise error.blame_caller() from None
