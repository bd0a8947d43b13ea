"""The dims of a spec while it is derived: names, values, and what each role is in terms of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from xavinit.deriving.roles import MEANINGS, find_key
from xavinit.deriving.values import Size
from xavinit.spec import evaluate

NAME = re.compile(r"[a-z_]\w*")


class Dim(Struct, frozen=True):
    """A dim of the spec: its value or expression, and what a comment says of it."""

    name: str
    size: Size
    note: str = ""


class DimTable:
    """The dims so far, and what each role is in each tower."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.dims: dict[str, Dim] = {}
        self.values: dict[str, int] = {}
        self.forms: dict[tuple[str, str], str] = {}  # (role, tower) → an expression

    def find(self, role: str, tower: str) -> str | None:
        return self.forms.get((role, tower)) or self.forms.get((role, ""))

    def add(self, name: str, role: str, value: int, form: Size | None = None) -> str:
        """The name of a dim of this value: one that is there already, or a new one."""
        while self.values.get(name, value) != value:
            name += "_"
        if name not in self.dims:
            key = find_key(role, value, self.sizes)
            note = key or MEANINGS.get(role, "")
            self.dims[name] = Dim(name, value if form is None else form, note)
            self.values[name] = value
        return name

    def note(self, name: str, text: str) -> None:
        """Add to the comment on a dim."""
        dim = self.dims[name]
        note = f"{dim.note}; {text}" if dim.note and text else dim.note or text
        self.dims[name] = Dim(name, dim.size, note)

    def expand(self, form: str, tower: str) -> str | None:
        """A form of roles in terms of dims, or None where one of them is not known."""
        known = {role: self.find(role, tower) for role in NAME.findall(form)}
        if None in known.values():
            return None
        if form in known:
            return known[form]

        def put(match: re.Match[str]) -> str:
            found = known[match[0]] or ""
            return found if NAME.fullmatch(found) else f"({found})"

        return NAME.sub(put, form)

    def compute(self, form: str) -> int:
        return evaluate(form, self.values)
