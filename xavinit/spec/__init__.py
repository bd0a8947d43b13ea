"""Spec text → `Spec`: what the user wrote, read strictly and spelled out, nothing computed."""

from xavinit.spec.document import Document, copy_plain, load_document, parse_document
from xavinit.spec.layers import GATES, PROJECTIONS, Axes, Cell, GateInit, Layer, Sizes, list_cells
from xavinit.spec.resolve import Overrides, Spec, resolve_spec
from xavinit.spec.schema import make_schema
from xavinit.spec.tensors import TensorSpec
from xavinit.spec.types import Init

__all__ = [
    "GATES",
    "PROJECTIONS",
    "Axes",
    "Cell",
    "Document",
    "GateInit",
    "Init",
    "Layer",
    "Overrides",
    "Sizes",
    "Spec",
    "TensorSpec",
    "copy_plain",
    "list_cells",
    "load_document",
    "make_schema",
    "parse_document",
    "resolve_spec",
]
