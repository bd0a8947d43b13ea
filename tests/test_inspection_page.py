"""The page of a weights file, read as a browser without JavaScript reads it.

What the script does with it is in tests/browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from inspections import (
    HOSTILE_NAMES,
    make_hostile,
    make_inspection,
    make_many,
    make_model,
    make_odd,
)

from xavinit.errors import MissingLibraryError, escape
from xavinit.plan import CUT_STD
from xavinit.report.inspections import inspection_to_data, inspection_to_json
from xavinit.report.page import format_page
from xavinit.verbs.inspect import Inspection

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "xavinit" / "report" / "page"
EVERY = pytest.mark.parametrize("make", [make_model, make_odd, make_hostile])


class Page(HTMLParser):
    """The elements of a page with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attributes), list[str]())
        self.elements.append(element)
        if tag not in ("meta", "link", "input"):
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element[2].append(data)

    def list_texts(self, tag: str, **attributes: str) -> list[str]:
        return [
            "".join(texts)
            for name, found, texts in self.elements
            if name == tag and attributes.items() <= found.items()
        ]

    def list_rows(self) -> list[list[str]]:
        """The cells of the table without JavaScript."""
        cells = self.list_texts("td")
        return [cells[start : start + 11] for start in range(0, len(cells), 11)]


@EVERY
def test_the_page_holds_what_json_prints(make: Callable[[], Inspection]) -> None:
    inspection = make()
    (text,) = Page(format_page(inspection)).list_texts("script", id="inspection")
    assert json.loads(text) == json.loads(inspection_to_json(inspection))


def read_number(text: str) -> float | None:
    return None if text == "–" else float(text.replace(",", ""))


@EVERY
def test_the_table_without_javascript_has_the_same_figures(make: Callable[[], Inspection]) -> None:
    inspection = make()
    rows = Page(format_page(inspection)).list_rows()
    tensors = inspection_to_data(inspection)["tensors"]
    assert len(rows) == len(tensors)
    for row, tensor in zip(rows, tensors, strict=True):
        name, shape, dtype, count, *figures, zeros, bad, _ = row
        assert name.rstrip("…") == escape(tensor["name"])[: len(name.rstrip("…"))]
        assert shape == ("×".join(map(str, tensor["shape"])) or "scalar")
        assert dtype == tensor["dtype"]
        assert read_number(count) == tensor["count"]
        for text, key in zip(figures, ("mean", "std", "min", "max"), strict=True):
            expected = tensor[key]
            assert read_number(text) == (
                expected if expected is None else pytest.approx(expected, rel=6e-4, abs=1e-322)
            )
        if tensor["count"]:
            share = float(zeros.strip("<>%")) / 100
            assert share == pytest.approx(tensor["zeros"] / tensor["count"], abs=0.001)
        infinities = tensor["positive_infinities"] + tensor["negative_infinities"]
        assert read_number(bad) == tensor["nans"] + infinities


def test_the_laws_are_in_words() -> None:
    page = Page(format_page(make_odd()))
    laws = {row[0]: row[10] for row in page.list_rows()}
    assert laws["cut"] == "normal cut at two, std 0.0176"
    assert laws["several"] == "glorot_normal or lecun_normal, fans 1 and 1"
    assert laws["trained"] == ""
    (texts,) = page.list_texts("script", id="texts")
    assert json.loads(texts)["laws"] == [law or None for law in laws.values()]


def test_the_summary() -> None:
    page = Page(format_page(make_odd()))
    facts = dict(zip(page.list_texts("dt"), page.list_texts("dd"), strict=True))
    assert facts["Tensors"] == "16"
    assert facts["Not finite"] == "10 NaN, 3 inf in 2 tensors"
    assert facts["Dtypes"].startswith("bool ×1, complex128 ×1, float16 ×2")
    assert page.list_texts("h1") == ["model.safetensors"]
    assert page.list_texts("details") == []


def test_the_spec_and_the_seed_are_shown() -> None:
    inspection = make_model(blocks=1)
    page = Page(format_page(inspection))
    (shown,) = page.list_texts("pre")
    assert json.loads(shown) == inspection.spec
    assert '"init": {"type": "normal", "std": 0.02}' in shown
    facts = dict(zip(page.list_texts("dt"), page.list_texts("dd"), strict=True))
    assert (facts["Seed"], facts["Stream"], facts["format"]) == ("42", "xavinit-1", "pt")


def test_what_a_stranger_wrote_is_text() -> None:
    text = format_page(make_hostile())
    page = Page(text)
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"img", "iframe", "object", "embed", "form", "a", "base"}
    assert len(page.list_texts("script")) == 3
    assert not [key for _, keys, _ in page.elements for key in keys if key.startswith("on")]
    assert "".join(char for char in text if not char.isprintable()).strip("\n") == ""
    text.encode()  # no lone surrogate
    cells = [row[0] for row in page.list_rows()]
    assert cells == [
        name if len(name) <= 300 else f"{name[:299]}…" for name in map(escape, HOSTILE_NAMES)
    ]
    assert json.loads(page.list_texts("pre")[0].replace("\\x", "\\u00")) is not None


def test_integers_beyond_those_of_javascript_are_in_words_too() -> None:
    (texts,) = Page(format_page(make_odd())).list_texts("script", id="texts")
    names = [tensor.name for tensor in make_odd().tensors]
    assert json.loads(texts)["exact"] == {
        str(names.index("int64")): {"min": str(-(2**63)), "max": str(2**63 - 1)},
        str(names.index("uint64")): {"min": str(2**53 + 1), "max": str(2**64 - 1)},
    }


def test_the_same_inspection_gives_the_same_bytes() -> None:
    program = (
        "import sys; from inspections import make_hostile; from xavinit.report.page import "
        "format_page; sys.stdout.buffer.write(format_page(make_hostile()).encode())"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "tests", capture_output=True, check=True
    )
    assert made.stdout == format_page(make_hostile()).encode()


@EVERY
def test_nothing_is_loaded(make: Callable[[], Inspection]) -> None:
    page = Page(format_page(make()))
    own = "".join(page.list_texts("style") + page.list_texts("script")[2:])
    assert set(re.findall(r"\w+://[^\s\"']*", own)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|import\(|WebSocket|Worker|innerHTML", own)
    links = [keys[key] for _, keys, _ in page.elements for key in keys if key in ("src", "href")]
    assert links == ["data:,"]


def test_the_policy_allows_this_style_and_this_script_alone() -> None:
    page = Page(format_page(make_hostile()))
    (policy,) = [
        keys["content"]
        for _, keys, _ in page.elements
        if keys.get("http-equiv") == "Content-Security-Policy"
    ]
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (page.list_texts("style")[0], page.list_texts("script")[2])
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not [keys for _, keys, _ in page.elements if "style" in keys]


def test_the_page_is_little_larger_than_the_json() -> None:
    inspection = make_many(1000)
    frame = len(format_page(make_inspection([])))
    assert frame < 40_000
    assert len(format_page(inspection)) < 1.25 * len(inspection_to_json(inspection)) + frame


def test_a_number_of_the_script_is_ours() -> None:
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"^const (CUT\w*) = ([\d.]+);", script, re.M))
    assert {name: float(number) for name, number in numbers.items()} == {
        "CUT": 2.0,
        "CUT_STD": CUT_STD,
        "CUT_SHARE": math.erf(math.sqrt(2)),
    }


def test_the_files_of_the_page() -> None:
    """All are in the package, short, and end no element of the page."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["package-data"]["xavinit.report.page"]
    files = [file for file in FOLDER.iterdir() if file.is_file() and file.suffix != ".py"]
    assert sorted(listed) == sorted(file.name for file in files)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400
        if file.suffix in (".css", ".js"):
            assert "</" not in text
            assert "<!--" not in text


def test_without_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibraryError) as caught:
        format_page(make_inspection([]))
    assert str(caught.value) == (
        "a page needs a working Jinja2 (import of jinja2 halted; None in sys.modules): "
        "pip install Jinja2"
    )


def test_the_documentation_reads_the_json_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "reading-page.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "model.html").write_text(format_page(make_hostile()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["inspection"] == inspection_to_data(make_hostile())
