"""A window of Chromium that shows the page of an inspection."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xavinit.report.page import format_page
from xavinit.verbs.inspect import Inspection

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


class Browser:
    """Driven by selenium; `opened` is the page's address."""

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


def find_program(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.fail(f"{' or '.join(names)} is missing: apt-get install chromium chromium-driver")


@contextlib.contextmanager
def start_chromium(profile: Path) -> Iterator[Any]:
    """Chromium with a new profile, driven by selenium; whichever is missing is a failure."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(find_program("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
