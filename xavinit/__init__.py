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

    from xavinit.errors import (
        InputError,
        MissingLibraryError,
        OutputError,
        RefusedError,
        SpecError,
        UsageError,
        XavinitError,
    )
    from xavinit.plan import Plan, TensorPlan
    from xavinit.verbs.check import Verdict, check
    from xavinit.verbs.digest import digest
    from xavinit.verbs.draw import draw
    from xavinit.verbs.explain import Explanation, explain
    from xavinit.verbs.generate import Report, generate
    from xavinit.verbs.generate_many import generate_many
    from xavinit.verbs.glorot import glorot_normal, glorot_uniform
    from xavinit.verbs.prepare import make_plan

__all__ = [
    "Explanation",
    "InputError",
    "MissingLibraryError",
    "OutputError",
    "Plan",
    "RefusedError",
    "Report",
    "SpecError",
    "TensorPlan",
    "UsageError",
    "Verdict",
    "XavinitError",
    "check",
    "digest",
    "draw",
    "explain",
    "generate",
    "generate_many",
    "glorot_normal",
    "glorot_uniform",
    "make_plan",
]

_HOMES = {
    "Explanation": "xavinit.verbs.explain",
    "Plan": "xavinit.plan",
    "Report": "xavinit.verbs.generate",
    "TensorPlan": "xavinit.plan",
    "Verdict": "xavinit.verbs.check",
    "check": "xavinit.verbs.check",
    "digest": "xavinit.verbs.digest",
    "draw": "xavinit.verbs.draw",
    "explain": "xavinit.verbs.explain",
    "generate": "xavinit.verbs.generate",
    "generate_many": "xavinit.verbs.generate_many",
    "glorot_normal": "xavinit.verbs.glorot",
    "glorot_uniform": "xavinit.verbs.glorot",
    "make_plan": "xavinit.verbs.prepare",
}


def __getattr__(name: str) -> Any:
    # Loaded at first use, so that `xavinit --help` and completion cost no more than click.
    if name not in __all__:
        raise AttributeError(f"module 'xavinit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "xavinit.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
