"""What a layer is: its parts in PyTorch's form, and its variables in each framework's.

Each framework has a module; `pytorch.py` also says which parts a layer has. A variable takes the
numbers of a part, through a `View`.
"""

from xavinit.layers.cuts import cut_view
from xavinit.layers.frameworks import find_framework, place_layer
from xavinit.layers.gates import GATES, TENSORS_OF_A_CELL
from xavinit.layers.layer import Axes, Framework, Layer, Part, Sizes, Variable
from xavinit.layers.pytorch import VARIANCE, list_parts
from xavinit.layers.views import Axis, View, fit_rows, make_view, split_boxes, split_index

__all__ = [
    "GATES",
    "TENSORS_OF_A_CELL",
    "VARIANCE",
    "Axes",
    "Axis",
    "Framework",
    "Layer",
    "Part",
    "Sizes",
    "Variable",
    "View",
    "cut_view",
    "find_framework",
    "fit_rows",
    "list_parts",
    "make_view",
    "place_layer",
    "split_boxes",
    "split_index",
]
