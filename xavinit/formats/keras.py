"""Keras's own weights file, `.weights.h5`: what `model.load_weights` of Keras 3 takes.

Keras finds the variables of a model by the order of its layers, not by their names: group
`layers/<class in snake case>[_n]/vars`, n counting the layers of that class, and in it the
variables as 0, 1, …; those of a layer within, such as a cell, are in `…/<its attribute>/vars`
(keras/src/saving/saving_lib.py of Keras 3.15; layers without variables need no group).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from itertools import groupby
from typing import Any

from msgspec import structs

from xavinit.dtypes import DType
from xavinit.errors import SpecError, UsageError
from xavinit.formats import hdf5_library
from xavinit.formats.attributes import read_attributes
from xavinit.formats.datasets import read_index
from xavinit.formats.hdf5 import begin_file, estimate_container
from xavinit.formats.hdf5_library import has_type
from xavinit.formats.known import FORMATS
from xavinit.formats.layout import Contents, FileLayout, Format, Layout
from xavinit.formats.metadata import KEY, make_metadata
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import format_value

(SUFFIX,) = FORMATS["keras"]

# The classes whose own name, which the file uses, differs from their public name.
_OWN_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}


def lay_out(plan: Plan) -> Layout:
    """One file that h5py begins. Refuses what no Keras model can load."""
    if plan.framework != "keras":
        raise UsageError(
            f"a {SUFFIX} file is Keras's own: it needs --framework keras; got {plan.framework}"
        )
    for tensor in plan.tensors:
        if tensor.module is None:
            raise SpecError(
                f"a {SUFFIX} file holds layers, which Keras finds by their order; got the raw "
                f"tensor {format_value(tensor.name)}",
                tensor.place,
                hint="list it in layers, or use another format",
            )
        if not has_type(tensor.dtype):
            raise SpecError(f"HDF5 has no form for {tensor.dtype.name}", tensor.place)
    tensors, names = name_datasets(plan)
    wide = [tensor.name for tensor in tensors if tensor.dtype.name == "bfloat16"]
    metadata = make_metadata(plan)
    contents = Contents(
        tuple(tensors),
        # As Keras does: the name is for people, the dtype says what the opaque bytes are.
        {"/": {KEY: metadata}}
        | {group: {"name": name} for group, name in names.items()}
        | {dataset: {"dtype": "bfloat16"} for dataset in wide},
        {own.name: planned.name for own, planned in zip(tensors, plan.tensors, strict=True)},
    )
    begin = partial(begin_file, contents=contents, make_type=make_type)
    attributes = sum(500 + 2 * len(name.encode()) for name in names.values()) + 500 * len(wide)
    nbytes = plan.nbytes + estimate_container(tensors, metadata) + attributes
    file = FileLayout(begin=begin, contents=contents)
    return Layout((file,), nbytes, metadata={KEY: metadata})


def name_datasets(plan: Plan) -> tuple[list[TensorPlan], dict[str, str]]:
    """The tensors under Keras's names, and the name of the layer of each group."""
    counts: Counter[str] = Counter()
    tensors: list[TensorPlan] = []
    names: dict[str, str] = {}
    for (name, kind), group in groupby(plan.tensors, _find_layer):
        snake = to_snake_case(_OWN_NAMES.get(kind, kind))
        number = counts[snake]
        counts[snake] += 1
        layer = f"layers/{snake}_{number}" if number else f"layers/{snake}"
        for sublayer, variables in groupby(group, _find_sublayer):
            path = f"{layer}/{sublayer}/vars" if sublayer else f"{layer}/vars"
            names[path] = name
            tensors += (structs.replace(t, name=f"{path}/{i}") for i, t in enumerate(variables))
    return tensors, names


def _find_layer(tensor: TensorPlan) -> tuple[str, str]:
    assert tensor.module is not None  # lay_out has refused raw tensors
    return tensor.module.name, tensor.module.type


def _find_sublayer(tensor: TensorPlan) -> str:
    """The attributes that lead from a tensor's layer to the one that holds it, / between.

    The variable's path has the names of layers; the class of a layer holds each as an attribute.
    """
    assert tensor.module is not None
    kind, name = tensor.module.type, tensor.module.name
    *scopes, _ = tensor.name.removeprefix(f"{name}/").split("/")
    # GroupedQueryAttention keeps its layers under names with a _ before.
    before = "_" if kind == "GroupQueryAttention" else ""
    return "/".join(before + _name_attribute(scope) for scope in scopes)


def _name_attribute(scope: str) -> str:
    """The attribute of a layer's class that holds the layer of this name within it."""
    if scope.endswith("_cell"):
        return "cell"
    for way in ("forward", "backward"):
        if scope.startswith(f"{way}_"):
            return f"{way}_layer"
    return f"{scope.removeprefix('attention_')}_dense"  # a projection


def to_snake_case(name: str) -> str:
    """The name of a class as Keras turns it into that of a group.

    >>> to_snake_case("Conv2DTranspose"), to_snake_case("RMSNormalization")
    ('conv2d_transpose', 'rms_normalization')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def make_type(h5py: Any, dtype: DType) -> Any:
    """The HDF5 type of a dtype: the usual one, but for bfloat16 two opaque bytes."""
    if dtype.name != "bfloat16":
        return hdf5_library.make_type(h5py, dtype)
    kind = h5py.h5t.create(h5py.h5t.OPAQUE, dtype.itemsize)
    kind.set_tag(b"")
    return kind


FORMAT = Format("keras", lay_out, read_index, fits_pipe=False, read_attributes=read_attributes)
