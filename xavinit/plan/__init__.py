"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.laws import (
    Arange,
    Constant,
    Fixed,
    GateConstant,
    Law,
    LogArange,
    Normal,
    Sequence,
    TruncatedNormal,
    Uniform,
    Values,
)
from xavinit.plan.plan import STREAM, Plan, plan_spec
from xavinit.plan.tensor import Module, TensorPlan

__all__ = [
    "STREAM",
    "Arange",
    "Constant",
    "Fans",
    "Fixed",
    "GateConstant",
    "Law",
    "LogArange",
    "Module",
    "Normal",
    "Plan",
    "Sequence",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "Values",
    "compute_fans",
    "plan_spec",
]
