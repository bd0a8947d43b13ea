"""The page of a weights file in Chromium, as wide as a desktop and as a phone (make test-page).

They run with `pytest -m browser` alone. Selenium is imported where Chromium is started, so that
collecting them needs neither; once asked for, what is missing fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inspections import make_hostile, make_inspection, make_many, make_model, make_odd
from window import WIDTHS, Browser, start_chromium

from xavinit.errors import escape
from xavinit.report.guesses import format_guess
from xavinit.report.inspections import inspection_to_json
from xavinit.verbs.inspect import Inspection

pytestmark = pytest.mark.browser

MOST_MILLISECONDS = 100  # of a search or a sort among 1,000 tensors
MOST_TO_OPEN = 5000  # milliseconds, of 10,000 tensors
EVERY = pytest.mark.parametrize(
    "make", [make_model, make_odd, make_hostile, lambda: make_inspection([])]
)

SHOW_ALL = """
    while (!document.getElementById("more").hidden) document.getElementById("more").click();
"""
READ_ROWS = """
    return [...document.querySelectorAll("tr.tensor")].map((row) => ({
      index: Number(row.dataset.index),
      name: row.querySelector(".name button").textContent,
      shape: row.querySelector(".shape").textContent,
      dtype: row.querySelector(".dtype").textContent,
      values: [...row.querySelectorAll("data")].map((data) => data.value),
      texts: [...row.querySelectorAll("data")].map((data) => data.textContent),
      law: row.querySelector(".law").textContent,
      chart: row.querySelector("svg")?.getAttribute("aria-label") ?? null,
    }));
"""
READ_DETAILS = """
    return [...document.querySelectorAll("tr.detail")].map((row) => ({
      figures: Object.fromEntries([...row.querySelectorAll(".figures dd")].map(
        (dd) => [dd.dataset.key, dd.textContent])),
      bars: [...row.querySelectorAll("svg.large .bars rect")].map((bar) => bar.textContent),
      curve: row.querySelector("svg.large .curve")?.getAttribute("d") ?? null,
      bins: [...row.querySelectorAll(".bins tbody tr")].map(
        (tr) => [...tr.cells].map((cell) => cell.textContent)),
    }));
"""
IS_TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
NAMES = "return [...document.querySelectorAll('tr.tensor')].map((row) => Number(row.dataset.index))"


@pytest.fixture(scope="session")
def driver(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    if "browser" not in request.config.option.markexpr:
        pytest.skip("runs with -m browser")
    with start_chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(params=WIDTHS)
def browser(request: pytest.FixtureRequest, driver: Any, tmp_path: Path) -> Browser:
    """A window as wide as a desktop's, then as a phone's."""
    browser = Browser(driver, tmp_path)
    browser.resize(request.param)
    return browser


def read_json(inspection: Inspection) -> list[dict[str, Any]]:
    tensors: list[dict[str, Any]] = json.loads(inspection_to_json(inspection))["tensors"]
    return tensors


def read(text: str) -> float | None:
    return None if text in ("", "–") else float(text.replace(",", ""))


@EVERY
def test_it_is_silent_asks_for_nothing_and_fits(
    browser: Browser, make: Callable[[], Inspection]
) -> None:
    browser.open(make())
    browser.run(SHOW_ALL)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.run("document.getElementById('all').click()")
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.list_messages() == []
    assert browser.list_requests() == []
    assert browser.run(IS_TOO_WIDE) == 0
    assert "broken" not in browser.driver.title


@EVERY
def test_the_table_has_the_figures_of_the_json(
    browser: Browser, make: Callable[[], Inspection]
) -> None:
    inspection = make()
    browser.open(inspection)
    browser.run(SHOW_ALL)
    rows, tensors = browser.run(READ_ROWS), read_json(inspection)
    assert [row["index"] for row in rows] == list(range(len(tensors)))
    for row, tensor, source in zip(rows, tensors, inspection.tensors, strict=True):
        assert row["name"].rstrip("…") == escape(tensor["name"])[:299].rstrip("…")
        assert row["shape"] == ("×".join(map(str, tensor["shape"])) or "scalar")
        assert row["dtype"] == tensor["dtype"]
        infinities = tensor["positive_infinities"] + tensor["negative_infinities"]
        expected = [tensor[key] for key in ("count", "mean", "std", "min", "max", "zeros")]
        expected.append(tensor["nans"] + infinities)
        exact = [
            int(text) if isinstance(figure, int) and text else read(text)
            for text, figure in zip(row["values"], expected, strict=True)
        ]
        assert exact == expected
        for text, figure in zip(row["texts"][1:5], expected[1:5], strict=True):
            assert read(text) == (
                figure if figure is None else pytest.approx(figure, rel=6e-4, abs=1e-322)
            )
        guess = source.summary.guess
        assert row["law"] == ("" if guess is None else format_guess(guess))
        assert (row["chart"] is None) == (tensor["histogram"] is None)


@EVERY
def test_the_details_have_all_digits(browser: Browser, make: Callable[[], Inspection]) -> None:
    inspection = make()
    browser.open(inspection)
    browser.run(SHOW_ALL)
    browser.run("document.getElementById('all').click()")
    browser.run(SHOW_ALL)
    details, tensors = browser.run(READ_DETAILS), read_json(inspection)
    assert len(details) == len(tensors)
    for detail, tensor in zip(details, tensors, strict=True):
        figures = detail["figures"]
        for key in ("mean", "std"):
            assert read(figures[key]) == tensor[key]
        for key in ("min", "max"):
            text = figures[key]
            assert (int(text) if isinstance(tensor[key], int) else read(text)) == tensor[key]
        for key in ("count", "bytes", "nans", "positive_infinities", "negative_infinities"):
            assert read(figures[key]) == tensor[key]
        assert read(figures["zeros"].split(" ")[0]) == tensor["zeros"]
        for share, value in (tensor["quantiles"] or {}).items():
            assert read(figures[f"quantiles.{share}"]) == value
        for key in ("bound", "std"):
            if key in (tensor["law"] or {}):
                assert read(figures[f"law.{key}"]) == tensor["law"][key]
        histogram = tensor["histogram"]
        if histogram is None:
            assert detail["bins"] == []
            continue
        assert [[read(cell) for cell in row] for row in detail["bins"]] == [
            [low, high, count]
            for low, high, count in zip(
                histogram["edges"], histogram["edges"][1:], histogram["counts"], strict=False
            )
        ]
        assert len(detail["bars"]) == len(histogram["counts"])
        assert (detail["curve"] is not None) == (
            tensor["law"] is not None and tensor["law"]["type"] != "constant"
        )


def test_the_density_lies_on_the_bars(browser: Browser) -> None:
    """Of every law with one: the area below the curve is that of the bars."""
    browser.open(make_odd())
    browser.run("document.getElementById('all').click()")
    areas = browser.run("""
        return [...document.querySelectorAll("svg.large")]
          .filter((svg) => svg.querySelector(".curve"))
          .map((svg) => {
            const floor = Math.max(...[...svg.querySelectorAll("rect")].map(
              (bar) => Number(bar.getAttribute("y")) + Number(bar.getAttribute("height"))));
            const bars = [...svg.querySelectorAll("rect")].reduce((sum, bar) =>
              sum + (Number(bar.getAttribute("width")) + 0.5) * bar.getAttribute("height"), 0);
            const points = svg.querySelector(".curve").getAttribute("d").slice(1).split("L")
              .map((point) => point.split(" ").map(Number));
            let curve = 0;
            for (let i = 1; i < points.length; i++) {
              const [[a, b], [c, d]] = [points[i - 1], points[i]];
              curve += (c - a) * (floor - (b + d) / 2);
            }
            return [bars, curve];
          });
    """)
    assert len(areas) == 3
    for bars, curve in areas:
        assert curve == pytest.approx(bars, rel=0.02)


def test_a_thousand_tensors_answer_at_once(browser: Browser) -> None:
    browser.open(make_many(1000))
    times = browser.run("""
        const times = {};
        const search = document.getElementById("search");
        const measure = (name, act) => {
          const start = performance.now();
          act();
          document.body.offsetHeight;  // with the layout of what it changed
          times[name] = Math.min(performance.now() - start, times[name] ?? Infinity);
        };
        for (let round = 0; round < 5; round++) {  // the best: others use the processor too
          for (const head of document.querySelectorAll("th[data-key]")) {
            for (const way of ["up", "down", "back"]) {
              measure(`${head.dataset.key} ${way}`, () => head.firstElementChild.click());
            }
          }
          for (const text of ["l", "layers.9", "mlp 48", "glorot", "none at all", ""]) {
            measure(`search ${text}`, () => {
              search.value = text;
              search.dispatchEvent(new Event("input", { bubbles: true }));
            });
          }
        }
        return times;
    """)
    print(sorted(times.items(), key=lambda item: -item[1])[:3])
    assert len(times) == 11 * 3 + 6
    assert {name: time for name, time in times.items() if time > MOST_MILLISECONDS} == {}


def test_ten_thousand_tensors_open(browser: Browser) -> None:
    browser.open(make_many(10_000))
    assert browser.run("return document.getElementById('status').textContent") == "10,000 tensors"
    first = len(browser.run(NAMES))
    assert first <= 240  # as far as is seen, not all
    browser.run("document.getElementById('more').scrollIntoView()")
    browser.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 100))"
    )
    assert len(browser.run(NAMES)) > first
    assert browser.list_messages() == []
    took = browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"10,000 tensors open in {took:.0f} ms")
    assert took < MOST_TO_OPEN


@pytest.mark.parametrize("key", ["name", "shape", "dtype", "std", "min", "zeros", "nonfinite"])
def test_sorting(browser: Browser, key: str) -> None:
    inspection = make_odd()
    browser.open(inspection)
    tensors = read_json(inspection)

    def make_key(tensor: dict[str, Any]) -> Any:
        if key == "zeros":
            return tensor["zeros"] / tensor["count"] if tensor["count"] else None
        if key == "nonfinite":
            return tensor["nans"] + tensor["positive_infinities"] + tensor["negative_infinities"]
        return tensor[key]

    known = [index for index, tensor in enumerate(tensors) if make_key(tensor) is not None]
    others = [index for index in range(len(tensors)) if index not in known]
    head = f"document.querySelector('th[data-key={key}]')"
    for way, sign in (("ascending", False), ("descending", True)):
        browser.run(f"{head}.firstElementChild.click()")
        assert browser.run(f"return {head}.getAttribute('aria-sort')") == way
        keys = [make_key(tensors[index]) for index in browser.run(NAMES)]
        if key not in ("name", "dtype"):  # those as people sort them, numbers in them by value
            found = [one for one in keys if one is not None]
            assert found == sorted(found, reverse=sign)
        assert browser.run(NAMES)[len(known) :] == others
    browser.run(f"{head}.firstElementChild.click()")
    assert browser.run(NAMES) == list(range(len(tensors)))
    assert browser.run(f"return {head}.getAttribute('aria-sort')") == "none"


def test_names_are_sorted_by_the_numbers_in_them(browser: Browser) -> None:
    browser.open(make_many(12))
    browser.run("""
        const key = document.getElementById("key");
        key.value = "name";
        key.dispatchEvent(new Event("change"));
        document.getElementById("direction").click();
    """)
    assert browser.run(NAMES) == list(range(12))[::-1]


def test_it_is_used_by_keyboard(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(make_model())
    focused = "const one = document.activeElement; return one.id || one.textContent"
    browser.press("/")
    assert browser.run(focused) == "search"
    browser.press("H.11 C_fc Glorot")
    assert browser.run("return document.getElementById('status').textContent") == "1 of 148 tensors"
    for _ in range(30):
        browser.press(Keys.TAB)
        if browser.run(focused) == "h.11.mlp.c_fc.weight":
            break
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "false"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    assert len(browser.run(READ_DETAILS)) == 1
    browser.press(Keys.ENTER)
    assert browser.run(READ_DETAILS) == []
    browser.run("document.getElementById('search').focus()")
    browser.press("/")  # a character, there
    assert browser.run("return document.getElementById('search').value").endswith("Glorot/")


def test_light_and_dark(browser: Browser) -> None:
    paper = "return getComputedStyle(document.documentElement).backgroundColor"
    colors = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.command("Emulation.setEmulatedMedia", features=[feature])
        browser.open(make_inspection([]))
        colors[scheme] = browser.run(paper)
    assert colors == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 29)"}
    browser.run("document.getElementById('theme').click()")
    assert browser.run(paper) == colors["light"]
    browser.command("Emulation.setEmulatedMedia", features=[])


def test_without_javascript(browser: Browser) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(make_model())
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("return document.querySelectorAll('noscript tbody tr').length") == 148
    assert browser.run("return document.getElementById('app').hidden")
    assert browser.run(IS_TOO_WIDE) == 0


def test_print(browser: Browser) -> None:
    """On paper there are no controls, and every tensor with its histogram."""
    browser.open(make_model())
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.command("Emulation.setEmulatedMedia", media="print")
    shown = browser.run("""
        const count = (selector) =>
          [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()).length;
        return {
          controls: count("input, select, .control, thead button"),
          rows: count("tr.tensor svg"),
          head: getComputedStyle(document.querySelector("#tensors thead")).display,
        };
    """)
    browser.command("Emulation.setEmulatedMedia", media="")
    assert shown == {"controls": 0, "rows": 148, "head": "table-header-group"}
