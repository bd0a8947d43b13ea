"""`xavinit new` of an installed package, where there is no checkout: `make test-slow`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import xavinit
from xavinit.verbs.new import TEMPLATES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command of a package that was built as a source archive, a wheel of that, and
    installed in an environment of its own.
    """
    folder = tmp_path_factory.mktemp("installed")
    python = folder / "venv" / "bin" / "python"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("docs/", "tests/")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "setuptools>=77"], check=True)
    build = [python, "setup.py", "-q", "sdist", "-d", folder / "archive"]
    subprocess.run(build, cwd=folder / "source", check=True)
    (archive,) = (folder / "archive").iterdir()
    with tarfile.open(archive) as packed:
        assert sum("/sample_specs/" in name for name in packed.getnames()) > 10
    shutil.rmtree(folder / "source")
    wheel = [python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "wheel", archive]
    subprocess.run(wheel, check=True)
    (built,) = (folder / "wheel").iterdir()
    subprocess.run([python, "-m", "pip", "install", "-q", built], check=True)

    def run(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [folder / "venv" / "bin" / "xavinit", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=True,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_an_installed_package_has_every_template(name: str, run: Run) -> None:
    text = run("new", name).stdout
    assert text == xavinit.new(name)
    assert run("check", "-", input=text).stdout


def test_a_first_spec_by_a_pipe(run: Run) -> None:
    done = run("plan", "-", input=run("new", "mlp").stdout)
    assert "101,770 parameters" in done.stdout
