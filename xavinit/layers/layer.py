"""A layer and what it is made of: its parts in PyTorch's form, its variables in another's.

PyTorch's form is the one that rules match, that streams are named after and that elements are
counted in, whatever framework the file is for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct

from xavinit.inits import Init
from xavinit.layers.views import View


class Axes(Struct, frozen=True):
    """Where the fans stand in a shape: a layout, or axes by number.

    `fused` and `in_fused` count the equal blocks that the out axes and the in axes hold. A fan
    counts one block: an input feeds one block of outputs, and an output sees one block of inputs.
    """

    layout: str = "out_in"
    in_axis: tuple[int, ...] | None = None
    out_axis: tuple[int, ...] | None = None
    batch_axis: tuple[int, ...] = ()
    fused: int = 1
    in_fused: int = 1


class Sizes(Struct, frozen=True):
    """The numbers of a layer, evaluated and checked; those that its type lacks are 1 or empty.

    `ins` and `outs` are its inputs and outputs: one number, or the channels and spatial axes of
    the array that is flattened. The size of a norm or an attention is in `outs`, and so is the
    hidden size of a recurrent layer. `kv_heads` is 0 where keys and values have all the heads.
    A dropout within the layer has no weight, but the rng of its framework may count it.
    """

    ins: tuple[int, ...] = ()
    outs: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    groups: int = 1
    multiplier: int = 1
    num_layers: int = 1
    directions: int = 1
    heads: int = 1
    kv_heads: int = 0
    has_dropout: bool = False


DRAW = "draw"  # the type of what takes from the stream of an rng, and has no parts


class Layer(Struct, frozen=True):
    """One layer of the network, by its name in PyTorch."""

    name: str
    type: str
    sizes: Sizes


class Part(Struct, frozen=True):
    """A tensor of a layer, as PyTorch's module holds it.

    `init` is its initializer where neither the layer nor a rule gives one; None means the spec's
    default. `key` is the layer's key that sets it. Nothing changes a part that `is_fixed`; a layer
    with `bias: false` does not have the parts that are `is_bias`.
    """

    role: str  # its name within the module
    shape: tuple[int, ...]
    axes: Axes = Axes()
    init: Init | None = None
    key: str | None = None
    dtype: str | None = None
    is_fixed: bool = False
    is_bias: bool = False


class Variable(Struct, frozen=True):
    """A tensor that a framework's module holds.

    `role` is the part whose numbers it takes, and `view` is where they lie in that part. If the
    layer has no such part but the framework's module needs the variable, the variable is filled
    with zeros and takes the dtype of the part `like`.

    One layer in PyTorch may be a list of modules here: this one's name ends with `suffix`.
    """

    name: str  # within the module, / between
    shape: tuple[int, ...]
    role: str
    view: View | None = None
    like: str = ""
    suffix: str = ""


def accept_name(name: str, names: Collection[str]) -> None:
    """Accept every name."""


class Framework(Struct, frozen=True):
    """A framework: what it calls a layer's module and variables, and where their numbers lie.

    A function raises `SpecError`, its path within the layer, where the framework has no such
    module.
    """

    name: str
    checked: str  # the version that its names and shapes were compared with
    tag: str  # what loaders look for in the metadata of a safetensors file, under `format`
    # The public name of the class for a layer of this type and these sizes.
    find_class: Callable[[str, Sizes], str]
    # The variables of a layer that has all its parts, in the framework's order.
    list_variables: Callable[[str, Sizes], tuple[Variable, ...]]
    # The name of a module, from the layer's name and the suffix of one layer of a stack.
    name_module: Callable[[str, str], str]
    # The full name of a variable of the module with this name.
    name_variable: Callable[[str, Variable], str]
    # Refuse a variable's full name that cannot stand beside all these others.
    check_name: Callable[[str, Collection[str]], None] = accept_name
