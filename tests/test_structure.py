"""The house of docs/architecture.md: imports run along its arrows, and nothing heavy is early."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "xavinit"
FILES = sorted(PACKAGE.rglob("*.py"))
C_FILES = sorted(PACKAGE.rglob("*.[ch]"))
LONGEST = 320  # lines; a file that grows past it usually holds two ideas

GROUND = {
    "errors",
    "advice",
    "vocabulary",
    "wording",
    "choices",
    "inits",
    "rngs",
    "dtypes",
    "file_kinds",
    "inputs",
    "signals",
    "stopping",
    "widths",
}
# What each room may import of the package, beside itself. A room is a folder, or a file at the top.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "advice": set(),
    "vocabulary": set(),
    "file_kinds": set(),
    "inputs": set(),
    "widths": set(),
    "wording": {"errors", "advice", "vocabulary"},
    "choices": set(),
    "inits": {"choices"},
    "rngs": {"errors", "wording"},
    "dtypes": {"errors", "wording"},
    "signals": set(),
    "stopping": set(),
    "layers": {*GROUND},
    "spec": {*GROUND, "layers"},
    "plan": {*GROUND, "layers", "spec"},
    "streams": {*GROUND, "layers", "plan"},
    "formats": {*GROUND, "layers", "plan"},
    "crew": {"errors", "stopping", "wording"},
    "output": {*GROUND, "plan", "streams", "formats", "crew"},
    "reading": {*GROUND, "layers", "plan", "streams", "formats", "crew"},
    "deriving": {*GROUND, "spec", "plan"},
    "configs": {*GROUND, "deriving"},
    "verbs": {
        *GROUND,
        "deriving",
        "configs",
        "layers",
        "spec",
        "plan",
        "formats",
        "output",
        "reading",
    },
    "failures": {"errors", "widths"},
    "torch": {*GROUND, "plan", "output", "verbs"},
    "keras": {*GROUND, "plan", "verbs"},
    "flax": {*GROUND, "plan", "verbs"},
    "dask": {*GROUND, "plan", "verbs"},
    "testing": {"plan", "verbs"},
    "report": {*GROUND, "failures", "layers", "plan", "reading", "verbs"},
}
# The doors: the public names, the command line. They may open every room, and none opens them.
DOORS = {"__init__", "__main__", "cli", "console", "process"}


def find_room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_module(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {find_module(file): file for file in FILES}


def walk_imports(node: ast.AST, *, nested: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a module; nested also those of its functions, which run later."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            yield from walk_imports(child, nested=nested) if nested else ()
        elif nested or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from walk_imports(child, nested=nested)


def find_imports(file: Path, *, nested: bool = True) -> set[str]:
    """The modules that a file imports, by their full names."""
    found = set()
    for node in walk_imports(ast.parse(file.read_text(encoding="utf-8")), nested=nested):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            assert not node.level, f"{file}: a relative import"
            # `from package import module` imports the module, any other name its home.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & set(MODULES)
            found |= modules
            if len(modules) < len(names):
                found.add(str(node.module))
    return found


def find_ours(file: Path, *, nested: bool = True) -> set[str]:
    return {name for name in find_imports(file, nested=nested) if name.split(".")[0] == "xavinit"}


def test_every_file_stands_in_a_room() -> None:
    assert {find_room(file) for file in FILES} == set(ROOMS) | DOORS


@pytest.mark.parametrize("file", FILES, ids=find_module)
def test_imports_run_along_the_arrows(file: Path) -> None:
    room = find_room(file)
    if room in DOORS:
        return
    rooms = {[*name.split("."), "__init__"][1] for name in find_ours(file)}
    assert rooms - {room} <= ROOMS[room]


@pytest.mark.parametrize("file", FILES, ids=find_module)
def test_other_rooms_are_entered_by_the_front_door(file: Path) -> None:
    """What a room shows stands in its `__init__`; each verb is a front door of its own."""
    room = find_room(file)
    for name in find_ours(file):
        parts = name.split(".")
        if len(parts) > 2 and parts[1] not in (room, "verbs") and room not in DOORS:
            pytest.fail(f"{room} imports {name}")


def test_imports_are_acyclic() -> None:
    """Counting those in functions too: being late would hide a circle, not undo it."""
    graph = {module: find_ours(file) - {module, "xavinit"} for module, file in MODULES.items()}
    del graph["xavinit"]  # the public names, each loaded at its first use
    TopologicalSorter(graph).prepare()  # or CycleError, which tells the circle


def test_rooms_are_acyclic() -> None:
    order = list(ROOMS)
    for room, allowed in ROOMS.items():
        assert all(order.index(other) < order.index(room) for other in allowed)


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if find_room(f) in ("layers", "spec", "plan")],
    ids=find_module,
)
def test_layers_spec_and_plan_know_no_arrays(file: Path) -> None:
    tops = {name.split(".")[0] for name in find_imports(file)}
    assert tops - set(sys.stdlib_module_names) <= {"xavinit", "msgspec", "yaml"}


@pytest.mark.parametrize("file", [f for f in FILES if find_room(f) == "streams"], ids=find_module)
def test_streams_know_no_files_and_no_threads(file: Path) -> None:
    tops = {name.split(".")[0] for name in find_imports(file)}
    assert not tops & {"threading", "concurrent", "multiprocessing", "io", "pathlib", "shutil"}


@pytest.mark.parametrize("file", [f for f in FILES if find_room(f) == "crew"], ids=find_module)
def test_the_crew_knows_no_disk_and_no_arrays(file: Path) -> None:
    tops = {name.split(".")[0] for name in find_imports(file)}
    assert tops - set(sys.stdlib_module_names) <= {"xavinit"}
    assert not tops & {"io", "pathlib", "shutil", "mmap", "tempfile"}


def test_nothing_loads_before_interrupts_are_silent() -> None:
    """What `xavinit.__main__` needs before it runs: nothing that Python has not loaded itself."""
    assert find_imports(PACKAGE / "__init__.py", nested=False) == {"__future__"}
    assert find_imports(PACKAGE / "__main__.py", nested=False) == {"os"}


def test_errors_import_nothing() -> None:
    assert find_imports(PACKAGE / "errors.py") == {"__future__"}


@pytest.mark.parametrize(
    "file", [file for file in FILES if find_room(file) == "cli"], ids=find_module
)
def test_the_command_line_starts_with_click_alone(file: Path) -> None:
    early = find_imports(file, nested=False)
    assert {name.split(".")[0] for name in early} - set(sys.stdlib_module_names) <= {
        "click",
        "xavinit",
    }
    ours = {name for name in early if name.startswith("xavinit")}
    assert {name for name in ours if not name.startswith("xavinit.cli.")} <= {
        "xavinit",
        "xavinit.choices",
        "xavinit.console",
        "xavinit.errors",
    }


@pytest.mark.parametrize("file", [*FILES, *C_FILES], ids=lambda file: file.name)
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_folder_is_packaged() -> None:
    """One that is missing is in a checkout, but in no wheel."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {find_module(file) for file in FILES if file.name == "__init__.py"}
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(folders)


def test_a_c_file_that_asks_for_vector_units_knows_of_them() -> None:
    """Where the macro is not defined, its variants are left out without a word."""
    for path in C_FILES:
        if "HAS_X86" in path.read_text(encoding="utf-8"):
            files = {path}
            for _ in range(3):  # what its headers include, too
                files |= {found for file in files for found in list_included(file)}
            assert "_kernel_units.h" in {file.name for file in files}, path.name


def list_included(path: Path) -> list[Path]:
    names = re.findall(r'#include "(.+)"', path.read_text(encoding="utf-8"))
    return [(path.parent / name).resolve() for name in names]


def test_every_c_file_of_the_kernels_is_built() -> None:
    """Where one is missing, the build succeeds and the import fails."""
    root = PACKAGE.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    kernels = project["tool"]["xavinit"]["kernel"]["sources"]
    sources = [source for folder in kernels for source in kernels[folder]]
    assert sources == [str(file.relative_to(root)) for file in C_FILES if file.suffix == ".c"]
    assert all(
        str(Path(source).parent) == folder for folder in kernels for source in kernels[folder]
    )


# --- What a running command has loaded -------------------------------------------------------

HEAVY = ["numpy", "h5py", "safetensors", "ml_dtypes", "jinja2"]
WATCH = """
import json, os, sys

def tell(code):
    print(json.dumps([name for name in {heavy} if name in sys.modules]), file=sys.stderr)
    sys.stderr.flush()
    real(code)

real, os._exit = os._exit, tell  # the command line ends with os._exit
sys.argv = ["xavinit", *{arguments}]
{code}
"""


def find_loaded(code: str, *arguments: str, cwd: Path, heavy: list[str] = HEAVY) -> list[str]:
    """Which heavy modules are loaded at the end of a program."""
    script = WATCH.format(heavy=heavy, arguments=list(arguments), code=code)
    done = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, check=True)
    loaded: list[str] = json.loads(done.stderr.splitlines()[-1])
    return loaded


RUN = "from xavinit.process import main; main()"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["schema"], ["plan", "s.yaml"]])
def test_commands_that_draw_nothing_load_no_arrays(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tensors: {w: [3, 4]}")
    assert find_loaded(RUN, *arguments, cwd=tmp_path) == []


@pytest.mark.parametrize("framework", ["pytorch", "flax"])
@pytest.mark.parametrize("output", ["w.safetensors", "w.npy", "-"])
def test_the_native_kernel_needs_no_arrays(output: str, framework: str, tmp_path: Path) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    (tmp_path / "s.yaml").write_text("layers: [{name: w, type: dense, in: 9, out: 5, bias: false}]")
    arguments = ["generate", "s.yaml", "-o", output, "--framework", framework]
    assert find_loaded(RUN, *arguments, cwd=tmp_path) == []


@pytest.mark.parametrize("output", ["w.safetensors", "w.npy"])
def test_a_file_that_is_right_needs_no_arrays(output: str, tmp_path: Path) -> None:
    pytest.importorskip("xavinit.streams._kernel")
    (tmp_path / "s.yaml").write_text("tensors: {w: [3, 4]}")
    assert find_loaded(RUN, "generate", "s.yaml", "-o", output, cwd=tmp_path) == []
    assert find_loaded(RUN, "verify", output, "--spec", "s.yaml", cwd=tmp_path) == []
    assert find_loaded(RUN, "generate", "s.yaml", "-o", output, "--verify", cwd=tmp_path) == []


SUMMARIZE = """
from xavinit.formats import parse_format
from xavinit.reading import summarize
index = parse_format("safetensors").read_index(sys.argv[1])
assert len(summarize(index, 2, lambda nbytes: None)) == 3
os._exit(0)
"""


def test_the_native_kernel_reads_without_arrays(tmp_path: Path) -> None:
    pytest.importorskip("xavinit.reading._kernel")
    (tmp_path / "s.yaml").write_text(
        "tensors: {'{float32,int64,bool}.w': {shape: [9], init: ones}}"
        "\nrules: [{match: 'int64.*', dtype: int64}, {match: 'bool.*', dtype: bool}]"
    )
    find_loaded(RUN, "generate", "s.yaml", "-q", "-o", "w.safetensors", cwd=tmp_path)
    assert (
        find_loaded(SUMMARIZE, "w.safetensors", cwd=tmp_path, heavy=[*HEAVY, "click", "yaml"]) == []
    )


def test_a_first_look_loads_little(tmp_path: Path) -> None:
    heavy = [*HEAVY, "yaml", "msgspec", "xavinit.verbs.prepare"]
    assert find_loaded("import xavinit.process; os._exit(0)", cwd=tmp_path, heavy=heavy) == []
    assert find_loaded("import xavinit; os._exit(0)", cwd=tmp_path, heavy=heavy) == []


def test_a_json_spec_does_not_load_yaml(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"tensors": {"w": [3, 4]}}')
    assert find_loaded(RUN, "plan", "s.json", cwd=tmp_path, heavy=["yaml"]) == []


def test_the_watch_sees_what_is_loaded(tmp_path: Path) -> None:
    assert find_loaded("import numpy; os._exit(0)", cwd=tmp_path) == ["numpy"]
