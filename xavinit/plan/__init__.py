"""`Spec` → `Plan`: dtypes, fans, initializers and laws; plain Python, no arrays."""

from xavinit.plan.cuts import Cut, Index, cut_tensor, parse_index
from xavinit.plan.fans import Fans, Roles, compute_fans, find_roles
from xavinit.plan.framework_laws import find_ends, find_normal
from xavinit.plan.homes import find_home_shapes
from xavinit.plan.initializers import compute_n, find_gain, scale_variance
from xavinit.plan.jax_keys import hash_path
from xavinit.plan.laws import (
    CUT_STD,
    FEW,
    Arange,
    Constant,
    CutNormal,
    Fixed,
    GateConstant,
    Law,
    LogArange,
    Normal,
    NormalAround,
    Sequence,
    TruncatedNormal,
    Uniform,
    UniformOn,
    Values,
)
from xavinit.plan.origins import Origin, find_origin
from xavinit.plan.placed import PlacedTensor, list_parts_of, list_placed
from xavinit.plan.plan import STREAM, Plan, plan_spec
from xavinit.plan.selection import match_names, select_tensors
from xavinit.plan.sequence import (
    MOST_KEPT,
    VIEWED_BYTES,
    Costs,
    count_passed,
    count_words,
    has_pairs,
    list_places,
    measure_costs,
)
from xavinit.plan.tensor import Module, TensorPlan
from xavinit.plan.threefry import Key, encrypt
from xavinit.plan.torch_laws import is_drawn
from xavinit.plan.torch_order import find_left

__all__ = [
    "CUT_STD",
    "FEW",
    "MOST_KEPT",
    "STREAM",
    "VIEWED_BYTES",
    "Arange",
    "Constant",
    "Costs",
    "Cut",
    "CutNormal",
    "Fans",
    "Fixed",
    "GateConstant",
    "Index",
    "Key",
    "Law",
    "LogArange",
    "Module",
    "Normal",
    "NormalAround",
    "Origin",
    "PlacedTensor",
    "Plan",
    "Roles",
    "Sequence",
    "TensorPlan",
    "TruncatedNormal",
    "Uniform",
    "UniformOn",
    "Values",
    "compute_fans",
    "compute_n",
    "count_passed",
    "count_words",
    "cut_tensor",
    "encrypt",
    "find_ends",
    "find_gain",
    "find_home_shapes",
    "find_left",
    "find_normal",
    "find_origin",
    "find_roles",
    "has_pairs",
    "hash_path",
    "is_drawn",
    "list_parts_of",
    "list_placed",
    "list_places",
    "match_names",
    "measure_costs",
    "parse_index",
    "plan_spec",
    "scale_variance",
    "select_tensors",
]
