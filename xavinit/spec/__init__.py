"""Spec text → `Spec`: what the user wrote, read strictly and expanded; no fans are computed."""

from xavinit.spec.document import Document, copy_plain, load_document, name_source, parse_document
from xavinit.spec.expressions import evaluate
from xavinit.spec.families import OF_AXES, Family
from xavinit.spec.globs import Glob, parse_glob
from xavinit.spec.names import parse_pattern
from xavinit.spec.numbers import evaluate_formula, explain_number
from xavinit.spec.renames import Rename, parse_rename
from xavinit.spec.resolve import Overrides, Spec, make_canonical, resolve_spec
from xavinit.spec.tensors import LayerSpec
from xavinit.spec.ties import TensorSpec, Tie

__all__ = [
    "OF_AXES",
    "Document",
    "Family",
    "Glob",
    "LayerSpec",
    "Overrides",
    "Rename",
    "Spec",
    "TensorSpec",
    "Tie",
    "copy_plain",
    "evaluate",
    "evaluate_formula",
    "explain_number",
    "load_document",
    "make_canonical",
    "name_source",
    "parse_document",
    "parse_glob",
    "parse_pattern",
    "parse_rename",
    "resolve_spec",
]
