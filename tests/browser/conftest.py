"""What the tests of the page share: a headless Chromium, driven by selenium.

They run with `pytest -m browser` alone (make test-page). Selenium is imported inside the fixture,
so that collecting these files needs none; once asked for, one that is missing fails, and so does a
Chromium that is missing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xavinit.report.page import format_page
from xavinit.verbs.inspect import Inspection

HERE = Path(__file__).parent
FLAGS = (
    "--headless",
    "--no-sandbox",  # containers have no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
)
WIDTHS = {"desktop": (1280, 900, False), "phone": (360, 740, True)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and "browser" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="runs with -m browser"))


def find_program(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.fail(f"{' or '.join(names)} is missing: apt-get install chromium chromium-driver")


class Browser:
    """A window of Chromium; `opened` is the page's address."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.opened = ""

    def resize(self, kind: str) -> None:
        width, height, is_mobile = WIDTHS[kind]
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_mobile,
        )

    def open(self, inspection: Inspection) -> None:
        """Write the page of an inspection and open it."""
        file = self.folder / "page.html"
        file.write_text(format_page(inspection), encoding="utf-8")
        self.opened = file.as_uri()
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)  # what an earlier page left
        self.driver.get(self.opened)

    def command(self, name: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *values: Any) -> Any:
        """Run JavaScript in the page; `arguments` are the values."""
        return self.driver.execute_script(script, *values)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def list_messages(self) -> list[str]:
        """What is on the console: errors, warnings, refusals of the policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def list_requests(self) -> list[str]:
        """The addresses that the page asked for, beside its own."""
        events = [
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        ]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert self.opened in asked, "the log of requests is empty"
        return [url for url in asked if url not in (self.opened, "data:,")]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(find_program("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(params=WIDTHS)
def browser(request: pytest.FixtureRequest, driver: Any, tmp_path: Path) -> Browser:
    """A window as wide as a desktop's, then as a phone's."""
    browser = Browser(driver, tmp_path)
    browser.resize(request.param)
    return browser
