"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.dtypes import DTYPES, DType, parse_dtype
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.laws import Constant, GateConstant, Law, Normal, TruncatedNormal, Uniform
from xavinit.plan.plan import STREAM, Module, Plan, TensorPlan, plan_spec
from xavinit.plan.views import Axis, View, fit_rows, make_view, split_index

__all__ = [
    "DTYPES",
    "STREAM",
    "Axis",
    "Constant",
    "DType",
    "Fans",
    "GateConstant",
    "Law",
    "Module",
    "Normal",
    "Plan",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "View",
    "compute_fans",
    "fit_rows",
    "make_view",
    "parse_dtype",
    "plan_spec",
    "split_index",
]
