"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.cuts import Cut, Index, cut_tensor, parse_index
from xavinit.plan.fans import Fans, Roles, compute_fans, find_roles
from xavinit.plan.initializers import compute_n, find_gain, scale_variance
from xavinit.plan.laws import (
    CUT_STD,
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
from xavinit.plan.origins import Origin, find_origin
from xavinit.plan.placed import PlacedTensor, list_parts_of, list_placed
from xavinit.plan.plan import STREAM, Plan, plan_spec
from xavinit.plan.selection import select_tensors
from xavinit.plan.tensor import Module, TensorPlan

__all__ = [
    "CUT_STD",
    "STREAM",
    "Arange",
    "Constant",
    "Cut",
    "Fans",
    "Fixed",
    "GateConstant",
    "Index",
    "Law",
    "LogArange",
    "Module",
    "Normal",
    "Origin",
    "PlacedTensor",
    "Plan",
    "Roles",
    "Sequence",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "Values",
    "compute_fans",
    "compute_n",
    "cut_tensor",
    "find_gain",
    "find_origin",
    "find_roles",
    "list_parts_of",
    "list_placed",
    "parse_index",
    "plan_spec",
    "scale_variance",
    "select_tensors",
]
