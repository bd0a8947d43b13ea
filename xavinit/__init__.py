"""Layer shapes in, Glorot-initialized weights out: any framework, any machine, the same bytes.

>>> import xavinit
>>> weights = xavinit.draw({"seed": 42, "tensors": {"hidden.weight": [128, 784]}})
>>> weights["hidden.weight"].shape
(128, 784)
"""

from __future__ import annotations

__version__ = "0.1.0"

# Nothing is imported here: the command line begins with this module, and until it has set its
# handler, a moment later, an interrupt shows a traceback. `typing` would take most of that time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xavinit import dask, flax, keras, torch  # noqa: F401  # the bridges, loaded at first use
    from xavinit.dtypes import DType
    from xavinit.errors import (
        InputError,
        MissingLibraryError,
        OutputError,
        RefusedError,
        SpecError,
        UsageError,
        VerificationError,
        XavinitError,
    )
    from xavinit.plan import (
        Arange,
        Constant,
        Fans,
        GateConstant,
        Law,
        LogArange,
        Normal,
        Plan,
        TensorPlan,
        TruncatedNormal,
        Uniform,
        Values,
    )
    from xavinit.verbs.check import CheckResult, check
    from xavinit.verbs.derive import Derived, derive
    from xavinit.verbs.diff import diff
    from xavinit.verbs.difference import Difference
    from xavinit.verbs.digest import digest, digest_tensors
    from xavinit.verbs.draw import draw
    from xavinit.verbs.explain import explain
    from xavinit.verbs.explanation import Explanation
    from xavinit.verbs.generate import PartReport, Report, generate
    from xavinit.verbs.generate_many import generate_many
    from xavinit.verbs.initializers import (
        glorot_normal,
        glorot_uniform,
        he_normal,
        he_uniform,
        lecun_normal,
        lecun_uniform,
        xavier_normal,
        xavier_uniform,
    )
    from xavinit.verbs.inspect import Inspection, inspect
    from xavinit.verbs.load import load
    from xavinit.verbs.new import new
    from xavinit.verbs.prepare import make_plan
    from xavinit.verbs.verdict import Verdict
    from xavinit.verbs.verify import verify

__all__ = [
    "Arange",
    "CheckResult",
    "Constant",
    "DType",
    "Derived",
    "Difference",
    "Explanation",
    "Fans",
    "GateConstant",
    "InputError",
    "Inspection",
    "Law",
    "LogArange",
    "MissingLibraryError",
    "Normal",
    "OutputError",
    "PartReport",
    "Plan",
    "RefusedError",
    "Report",
    "SpecError",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "UsageError",
    "Values",
    "Verdict",
    "VerificationError",
    "XavinitError",
    "check",
    "derive",
    "diff",
    "digest",
    "digest_tensors",
    "draw",
    "explain",
    "generate",
    "generate_many",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "inspect",
    "lecun_normal",
    "lecun_uniform",
    "load",
    "make_plan",
    "new",
    "verify",
    "xavier_normal",
    "xavier_uniform",
]

# Where each name is at home.
_HOMES = {
    "Arange": "xavinit.plan",
    "CheckResult": "xavinit.verbs.check",
    "Constant": "xavinit.plan",
    "DType": "xavinit.dtypes",
    "Derived": "xavinit.verbs.derive",
    "Difference": "xavinit.verbs.difference",
    "Explanation": "xavinit.verbs.explanation",
    "Fans": "xavinit.plan",
    "GateConstant": "xavinit.plan",
    "InputError": "xavinit.errors",
    "Inspection": "xavinit.verbs.inspect",
    "Law": "xavinit.plan",
    "LogArange": "xavinit.plan",
    "MissingLibraryError": "xavinit.errors",
    "Normal": "xavinit.plan",
    "OutputError": "xavinit.errors",
    "PartReport": "xavinit.verbs.generate",
    "Plan": "xavinit.plan",
    "RefusedError": "xavinit.errors",
    "Report": "xavinit.verbs.generate",
    "SpecError": "xavinit.errors",
    "TensorPlan": "xavinit.plan",
    "TruncatedNormal": "xavinit.plan",
    "Uniform": "xavinit.plan",
    "UsageError": "xavinit.errors",
    "Values": "xavinit.plan",
    "Verdict": "xavinit.verbs.verdict",
    "VerificationError": "xavinit.errors",
    "XavinitError": "xavinit.errors",
    "check": "xavinit.verbs.check",
    "derive": "xavinit.verbs.derive",
    "diff": "xavinit.verbs.diff",
    "digest": "xavinit.verbs.digest",
    "digest_tensors": "xavinit.verbs.digest",
    "draw": "xavinit.verbs.draw",
    "explain": "xavinit.verbs.explain",
    "generate": "xavinit.verbs.generate",
    "generate_many": "xavinit.verbs.generate_many",
    "glorot_normal": "xavinit.verbs.initializers",
    "glorot_uniform": "xavinit.verbs.initializers",
    "he_normal": "xavinit.verbs.initializers",
    "he_uniform": "xavinit.verbs.initializers",
    "inspect": "xavinit.verbs.inspect",
    "lecun_normal": "xavinit.verbs.initializers",
    "lecun_uniform": "xavinit.verbs.initializers",
    "load": "xavinit.verbs.load",
    "make_plan": "xavinit.verbs.prepare",
    "new": "xavinit.verbs.new",
    "verify": "xavinit.verbs.verify",
    "xavier_normal": "xavinit.verbs.initializers",
    "xavier_uniform": "xavinit.verbs.initializers",
}


# Modules of ours. Not in `__all__`, whose names an import of * would put before the real ones.
_BRIDGES = ("dask", "flax", "keras", "torch")


def __getattr__(name: str) -> Any:
    # Loaded at first use, so that `xavinit --help` and completion cost no more than click.
    if name not in _HOMES and name not in _BRIDGES:
        raise AttributeError(f"module 'xavinit' has no attribute {name!r}")
    from importlib import import_module

    if name in _BRIDGES:
        return import_module(f"xavinit.{name}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_BRIDGES, "__version__"])
