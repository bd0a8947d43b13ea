"""What Keras's `.weights.h5` has of its own: the names of layers, and a form of bfloat16.

A variable is a dataset in the group `vars` of its layer, such as `layers/dense/vars/0`; the group's
attribute `name` is what the model calls the layer.
"""

from __future__ import annotations

from typing import Any

from xavinit.dtypes import DTYPES, DType
from xavinit.formats.hdf5_library import is_text

_GROUP = "vars"


def find_group(dataset: str) -> str | None:
    """The group of the variables among which a dataset is one, or None.

    >>> find_group("layers/dense/vars/0"), find_group("dense/kernel")
    ('layers/dense/vars', None)
    """
    group, _, _ = dataset.rpartition("/")
    return group if group.rpartition("/")[2] == _GROUP else None


def read_label(h5py: Any, file: Any, group: str) -> str | None:
    """What the model calls the layer whose variables are in a group, or None."""
    attributes = h5py.Group(h5py.h5g.open(file.id, group.encode())).attrs
    return _read_text(h5py, attributes, "name")


def find_dtype(h5py: Any, dataset: Any) -> DType | None:
    """The dtype of two opaque bytes; only an attribute of the dataset says it."""
    kind = dataset.get_type()
    if kind.get_class() != h5py.h5t.OPAQUE or kind.get_size() != 2:
        return None
    told = _read_text(h5py, h5py.Dataset(dataset).attrs, "dtype")
    return DTYPES["bfloat16"] if told == "bfloat16" else None


def _read_text(h5py: Any, attributes: Any, name: str) -> str | None:
    if name not in attributes or not is_text(h5py, attributes.get_id(name)):
        return None
    told = attributes[name]
    return told if isinstance(told, str) else None
