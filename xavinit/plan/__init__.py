"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.laws import Constant, GateConstant, Law, Normal, TruncatedNormal, Uniform
from xavinit.plan.plan import STREAM, Plan, plan_spec
from xavinit.plan.tensor import Module, TensorPlan

__all__ = [
    "STREAM",
    "Constant",
    "Fans",
    "GateConstant",
    "Law",
    "Module",
    "Normal",
    "Plan",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "compute_fans",
    "plan_spec",
]
