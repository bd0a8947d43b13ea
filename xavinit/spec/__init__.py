"""Spec text → `Spec`: what the user wrote, read strictly and spelled out, nothing computed."""

from xavinit.spec.document import Document, copy_plain, load_document, parse_document
from xavinit.spec.resolve import Overrides, Spec, resolve_spec
from xavinit.spec.tensors import Axes, TensorSpec
from xavinit.spec.types import Init, make_schema

__all__ = [
    "Axes",
    "Document",
    "Init",
    "Overrides",
    "Spec",
    "TensorSpec",
    "copy_plain",
    "load_document",
    "make_schema",
    "parse_document",
    "resolve_spec",
]
