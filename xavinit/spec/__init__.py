"""Spec text → `Spec`: what the user wrote, read strictly and expanded; no fans are computed."""

from xavinit.spec.document import Document, copy_plain, load_document, parse_document
from xavinit.spec.families import Family
from xavinit.spec.numbers import evaluate_formula, explain_number
from xavinit.spec.resolve import Overrides, Spec, resolve_spec
from xavinit.spec.tensors import LayerSpec, TensorSpec

__all__ = [
    "Document",
    "Family",
    "LayerSpec",
    "Overrides",
    "Spec",
    "TensorSpec",
    "copy_plain",
    "evaluate_formula",
    "explain_number",
    "load_document",
    "parse_document",
    "resolve_spec",
]
