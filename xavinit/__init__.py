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

    from xavinit import flax, keras, torch  # noqa: F401  # the bridges, loaded at first use
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
    from xavinit.verbs.digest import digest
    from xavinit.verbs.draw import draw
    from xavinit.verbs.generate import Report, generate
    from xavinit.verbs.glorot import glorot_normal, glorot_uniform
    from xavinit.verbs.prepare import make_plan

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
    "draw",
    "generate",
    "glorot_normal",
    "glorot_uniform",
    "make_plan",
]

_HOMES = {
    "Plan": "xavinit.plan",
    "Report": "xavinit.verbs.generate",
    "TensorPlan": "xavinit.plan",
    "digest": "xavinit.verbs.digest",
    "draw": "xavinit.verbs.draw",
    "generate": "xavinit.verbs.generate",
    "glorot_normal": "xavinit.verbs.glorot",
    "glorot_uniform": "xavinit.verbs.glorot",
    "make_plan": "xavinit.verbs.prepare",
}


# Modules of ours. Not in `__all__`, whose names an import of * would put before the real ones.
_BRIDGES = ("flax", "keras", "torch")


def __getattr__(name: str) -> Any:
    # Loaded at first use, so that `xavinit --help` and completion cost no more than click.
    if name not in __all__ and name not in _BRIDGES:
        raise AttributeError(f"module 'xavinit' has no attribute {name!r}")
    from importlib import import_module

    if name in _BRIDGES:
        return import_module(f"xavinit.{name}")
    return getattr(import_module(_HOMES.get(name, "xavinit.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_BRIDGES})
