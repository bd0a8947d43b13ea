"""The Python interpreters of this machine, and the quick tests on each of them.

    python tools/pythons.py

makes an environment for every CPython that is found beside the one that runs this, from 3.11 on,
free-threaded builds too, and runs the quick tests there. A version that the machine does not have
is told. The exit code is 1 where tests fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-pythons"
WANTED = ("3.12", "3.13", "3.13t", "3.14", "3.14t")  # t: without the interpreter lock


def list_pythons() -> dict[str, Path]:
    """The interpreters by version: those on PATH, and those that pyenv keeps."""
    found: dict[str, Path] = {}
    folders = [*map(Path, os.get_exec_path())]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    for folder in folders:
        for path in sorted(folder.glob("python3.*")) if folder.is_dir() else []:
            match = re.fullmatch(r"python(3\.\d+t?)", path.name)
            # a pyenv shim is there for versions that are not chosen: it fails when it is run
            if match and "shims" not in path.parts and os.access(path, os.X_OK):
                found.setdefault(match[1], path)
    found.setdefault(f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable))
    return found


def main() -> int:
    found = list_pythons()
    failed = []
    for version in WANTED:
        if version not in found:
            print(f"Python {version}: not run: this machine does not have it", flush=True)
            continue
        folder = HOME / version
        interpreter = folder / "bin" / "python"
        print(f"Python {version}: {found[version]}", flush=True)
        if not (folder / "made").exists():
            subprocess.run([found[version], "-m", "venv", "--clear", folder], check=True)
            install = (interpreter, "-m", "pip", "install", "-q", "-e", ".[test]")
            subprocess.run(install, cwd=ROOT, check=True)
            (folder / "made").touch()
        tests = (
            interpreter,
            "-m",
            "pytest",
            "-q",
            "-n",
            "auto",
            "-m",
            "not frameworks and not slow and not browser and not cluster",
        )
        if subprocess.run(tests, cwd=ROOT, check=False).returncode:
            failed.append(version)
    if failed:
        print(f"failed on Python {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
