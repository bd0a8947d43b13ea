"""Deriving: the names, shapes and dtypes of tensors → the spec that a person would have written."""

from xavinit.deriving.canonical import write_canonical
from xavinit.deriving.derive import derive_text
from xavinit.deriving.values import Model, NamedTensor

__all__ = ["Model", "NamedTensor", "derive_text", "write_canonical"]
