"""Run one probe in every environment that this machine can have, and compare what it prints.

    python tools/matrix.py [--install]

Each row is an interpreter with its libraries: the oldest supported and the newest ones, every
Python, either kernel, without a compiler, without the processor's own instructions, with one
thread and with several, and arm64 under qemu-user. A row that this machine cannot have says why.
The exit code is 1 where two rows differ, or where one differs from the digest pinned in
tests/matrix/probe.py; and where a row that could run failed.

Environments are made under .venv-matrix/ and kept. `--install` lets it install Debian's
qemu-user-static, debootstrap and compiler for arm64, as root, for the rows of arm64.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pythons import WANTED, list_pythons

ROOT = Path(__file__).parents[1]
PROBE = ROOT / "tests" / "matrix" / "probe.py"
HOME = ROOT / ".venv-matrix"
OLDEST_PYTHON = "3.11"

# pip tries each of these in turn: a wheel names the oldest C library that it runs with.
ARM64_PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)),
    "manylinux2014_aarch64",
)
PACKAGES = ("qemu-user-static", "debootstrap", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross")
ARM64_COMPILER = "aarch64-linux-gnu-gcc"

Facts = dict[str, str]
Variables = Mapping[str, str] | None  # None: those of this process


class NotRunError(Exception):
    """This machine cannot have the row; the message says why."""


class Row(NamedTuple):
    """A name, and what makes its environment and runs the probe in it."""

    name: str
    run: Callable[[], Facts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--install", action="store_true", help="install qemu where it is missing")
    rows = make_rows(parser.parse_args().install)
    pinned = read_pinned()
    print(f"pinned: {pinned}\n")
    print(
        f"{'row':<34}{'kernel':<8}{'python':<9}{'machine':<9}{'numpy':<8}{'h5py':<8}{'tensors':<18}files"
    )
    results: list[Facts] = []
    failed = False
    for row in rows:
        try:
            facts = row.run()
        except NotRunError as error:
            print(f"{row.name:<34}not run: {error}", flush=True)
        except subprocess.CalledProcessError as error:
            failed = True
            command = " ".join(map(str, error.cmd))
            print(f"{row.name:<34}FAILED: {command}\n{error.stderr or error.stdout}", flush=True)
        else:
            results.append(facts)
            versions = "{kernel:<8}{python:<9}{machine:<9}{numpy:<8}{h5py:<8}".format(**facts)
            print(
                f"{row.name:<34}{versions}{facts['tensors'][:16]}  {facts['files'][:16]}",
                flush=True,
            )
    tensors = {facts["tensors"] for facts in results}
    same = tensors == {pinned} and len({facts["files"] for facts in results}) == 1
    print(f"\n{len(results)} of {len(rows)} rows ran: {'one digest' if same else 'THEY DIFFER'}")
    return 0 if same and not failed else 1


def make_rows(install: bool) -> list[Row]:
    """The rows, in the order of the table; nothing is made yet."""
    oldest = ROOT / "tests" / "oldest.txt"

    def run_newest(*options: str, kernel: str = "native") -> Facts:
        interpreter = make_environment("newest", sys.executable)
        return run_probe(interpreter, options=options, environment=choose(kernel))

    return [
        Row("newest libraries", run_newest),
        Row("newest libraries, NumPy's kernel", lambda: run_newest(kernel="numpy")),
        Row("without a compiler", run_without_compiler),
        Row(
            "oldest libraries",
            lambda: run_probe(make_environment("oldest", find_python(OLDEST_PYTHON), oldest)),
        ),
        *(Row(f"Python {version}", partial(run_python, version)) for version in WANTED),
        Row("processor's own features off", run_without_features),
        Row("one thread", lambda: run_newest("--jobs=1")),
        Row("seven threads", lambda: run_newest("--jobs=7")),
        Row("arm64 under qemu", lambda: run_arm64(install, "numpy")),
        Row("arm64 under qemu, native kernel", lambda: run_arm64(install, "native")),
    ]


def read_pinned() -> str:
    """The digest that the probe pins, without importing it (it needs NumPy)."""
    for node in ast.parse(PROBE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PINNED":
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{PROBE}: no PINNED")


def read_project() -> dict[str, Any]:
    """pyproject.toml: what the package depends on, and how its kernel is built."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run_command(*command: str | Path, environment: Variables = None) -> str:
    """Run a command; its standard output. Raises `CalledProcessError` with what it said."""
    done = subprocess.run(
        command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


def run_probe(
    *interpreter: str | Path, options: Sequence[str] = (), environment: Variables = None
) -> Facts:
    """Run the probe by an interpreter (and what the interpreter itself runs under)."""
    facts: Facts = json.loads(run_command(*interpreter, PROBE, *options, environment=environment))
    return facts


def choose(kernel: str, **variables: str) -> dict[str, str]:
    """The variables of this process, with a kernel that is not left to choice, and others."""
    return {**os.environ, "XAVINIT_KERNEL": kernel, **variables}


def make_environment(name: str, python: str | Path, constraints: Path | None = None) -> Path:
    """The interpreter of a virtual environment with the package, made where it is not there."""
    folder = HOME / name
    interpreter = folder / "bin" / "python"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run_command(python, "-m", "venv", folder)
        limits = ("-c", constraints) if constraints else ()
        run_command(interpreter, "-m", "pip", "install", "-q", *limits, "-e", ".")
        (folder / "made").touch()
    return interpreter


def run_python(version: str) -> Facts:
    """Another Python, with the newest libraries for it."""
    return run_probe(make_environment(f"python-{version}", find_python(version)))


def find_python(version: str) -> Path:
    """An interpreter of this version."""
    try:
        return list_pythons()[version]
    except KeyError:
        raise NotRunError(f"no Python {version} here") from None


def run_without_compiler() -> Facts:
    """An install where no compiler works: the package as it is then, on NumPy alone."""
    source, folder = HOME / "source", HOME / "without-compiler"
    interpreter = folder / "bin" / "python"
    if not (folder / "made").exists():
        for stale in (source, folder):
            shutil.rmtree(stale, ignore_errors=True)
        # a copy, beside which no earlier build lies
        copy_sources(source)
        run_command(sys.executable, "-m", "venv", folder)
        broken = {**os.environ, "CC": "/bin/false"}
        run_command(interpreter, "-m", "pip", "install", "-q", source, environment=broken)
        (folder / "made").touch()
    unset = {name: value for name, value in os.environ.items() if name != "XAVINIT_KERNEL"}
    facts = run_probe(interpreter, environment=unset)
    if facts["kernel"] != "numpy":
        raise RuntimeError(f"a kernel was built without a compiler: {facts}")
    return facts


def copy_sources(folder: Path) -> None:
    """What a build needs, and nothing that an earlier one made."""
    folder.mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    made = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "xavinit", folder / "xavinit", ignore=made)


def run_without_features() -> Facts:
    """NumPy's baseline alone: every optional instruction set that it would choose, refused."""
    interpreter = make_environment("newest", sys.executable)
    listing = (
        "from numpy._core._multiarray_umath import __cpu_dispatch__ as d, __cpu_features__ as f;"
        "print(*(name for name in d if f[name]))"
    )
    features = run_command(interpreter, "-c", listing).strip()
    if not features:
        raise NotRunError("this processor has no feature beyond NumPy's baseline")
    environment = choose("numpy", NPY_DISABLE_CPU_FEATURES=features)
    return run_probe(interpreter, environment=environment)


def run_arm64(install: bool, kernel: str) -> Facts:
    """Debian's Python for arm64 with PyPI's libraries for it, each instruction translated."""
    qemu, debootstrap = find_emulator(install)
    root, site = HOME / "arm64" / "root", HOME / "arm64" / "site"
    if not (HOME / "arm64" / "made").exists():
        shutil.rmtree(HOME / "arm64", ignore_errors=True)
        root.mkdir(parents=True)
        make_arm64_root(debootstrap, root)
        install_arm64_libraries(site, find_arm64_python(root))
        (HOME / "arm64" / "made").touch()
    source = ROOT
    if kernel == "native":
        source = HOME / "arm64" / "source"
        shutil.rmtree(source, ignore_errors=True)
        copy_sources(source)
        build_arm64_kernels(source)
    variables = choose(kernel, PYTHONPATH=f"{source}{os.pathsep}{site}")
    return run_probe(qemu, "-L", root, find_arm64_python(root), environment=variables)


def build_arm64_kernels(source: Path) -> None:
    """The extensions as setup.py builds them, by a compiler for arm64."""
    if shutil.which(ARM64_COMPILER) is None:
        raise NotRunError(f"needs {ARM64_COMPILER} (as root, --install installs it)")
    kernel = read_project()["tool"]["xavinit"]["kernel"]
    for folder, sources in kernel["sources"].items():
        run_command(
            *(ARM64_COMPILER, *kernel["flags"]["unix"], "-shared", "-fPIC"),
            f"-DPy_LIMITED_API={kernel['limited-api']}",
            f"-I{sysconfig.get_path('include')}",
            *(source / path for path in sources),
            *("-o", source / folder / "_kernel.abi3.so"),
        )


def find_emulator(install: bool) -> tuple[str, str]:
    """The paths of qemu and debootstrap, installed where that is allowed."""

    def find() -> tuple[str | None, str | None]:
        return shutil.which("qemu-aarch64-static"), shutil.which("debootstrap")

    missing = None in find() or shutil.which(ARM64_COMPILER) is None
    if missing and install and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run_command("apt-get", "-qq", "update", environment=quiet)
        options = ("-qq", "-y", "--no-install-recommends")
        run_command("apt-get", "install", *options, *PACKAGES, environment=quiet)
    qemu, debootstrap = find()
    if qemu is None or debootstrap is None:
        raise NotRunError(f"needs {', '.join(PACKAGES)} (as root, --install installs them)")
    if os.geteuid() != 0:
        raise NotRunError("debootstrap needs root")
    return qemu, debootstrap


def make_arm64_root(debootstrap: str, root: Path) -> None:
    """Unpack Debian's Python for arm64 and what it needs; nothing of it is installed or run."""
    site, release = (
        run_command(
            "apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"
        )
        .splitlines()[0]
        .split()
    )
    options = ("--arch=arm64", "--foreign", "--variant=minbase", "--include=python3")
    run_command(debootstrap, *options, release, root, site)
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        run_command("dpkg", "-x", package, root)


def find_arm64_python(root: Path) -> Path:
    """The interpreter itself: `python3` is a link to it, relative or into the root."""
    return root / "usr" / "bin" / (root / "usr" / "bin" / "python3").readlink().name


def install_arm64_libraries(site: Path, python: Path) -> None:
    """The package's own dependencies, as wheels for arm64 and for that Python."""
    project = read_project()["project"]
    platforms = [f"--platform={platform}" for platform in ARM64_PLATFORMS]
    version = python.name.removeprefix("python")
    options = ("-q", "--only-binary=:all:", f"--python-version={version}", *platforms)
    pip = (make_environment("newest", sys.executable), "-m", "pip", "install")
    run_command(*pip, *options, "--target", site, *project["dependencies"])


if __name__ == "__main__":
    sys.exit(main())
