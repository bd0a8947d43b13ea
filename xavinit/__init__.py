"""Layer shapes in, Glorot-initialized weights out: any framework, any machine, the same bytes.

>>> import xavinit
>>> weights = xavinit.generate({"seed": 42, "tensors": {"hidden.weight": [128, 784]}})
>>> weights["hidden.weight"].shape
(128, 784)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from xavinit.api import generate, make_plan
    from xavinit.digests import digest
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
    from xavinit.single import glorot_normal, glorot_uniform
    from xavinit.writing import Report, write

__all__ = [
    "InputError",
    "MissingLibraryError",
    "OutputError",
    "Plan",
    "RefusedError",
    "Report",
    "SpecError",
    "TensorPlan",
    "UsageError",
    "XavinitError",
    "digest",
    "generate",
    "glorot_normal",
    "glorot_uniform",
    "make_plan",
    "write",
]

_HOMES = {
    "Report": "xavinit.writing",
    "generate": "xavinit.api",
    "make_plan": "xavinit.api",
    "write": "xavinit.writing",
    "digest": "xavinit.digests",
    "Plan": "xavinit.plan",
    "TensorPlan": "xavinit.plan",
    "glorot_normal": "xavinit.single",
    "glorot_uniform": "xavinit.single",
}


def __getattr__(name: str) -> Any:
    # Loaded at first use, so that `xavinit --help` and completion cost no more than click.
    if name not in __all__:
        raise AttributeError(f"module 'xavinit' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "xavinit.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
