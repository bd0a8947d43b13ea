"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.dtypes import DTYPES, DType, parse_dtype
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.laws import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.plan.plan import STREAM, Plan, TensorPlan, plan_spec

__all__ = [
    "DTYPES",
    "STREAM",
    "Constant",
    "DType",
    "Fans",
    "Law",
    "Normal",
    "Plan",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "compute_fans",
    "parse_dtype",
    "plan_spec",
]
