"""One spec or several: `check`, `--strict`, `generate` into a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import names, run

import xavinit

GOOD = "tensors: {w: [3, 4], b: {shape: [3], init: zeros}}\n"
WARNED = "rules: [{match: none, init: zeros}]\ntensors: {w: [3, 4]}\n"
BAD = "tensors:\n  a: {shape: [2, -3]}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("warned", WARNED), ("bad", BAD), ("other", GOOD)):
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "out").mkdir()
    return tmp_path


# --- check -----------------------------------------------------------------------------------


def test_check_says_a_line_for_each_spec_and_writes_nothing(folder: Path) -> None:
    before = names(folder)
    done = run("check", "good.yaml", "bad.yaml", "warned.yaml", cwd=folder)
    assert done.returncode == 3
    assert done.stdout.decode().splitlines() == [
        "good.yaml: ok: 2 tensors, 15 parameters, 60 B",
        "bad.yaml: failed",
        "warned.yaml: ok, 1 warning: 1 tensor, 12 parameters, 48 B",
    ]
    first, second = done.stderr.decode().splitlines()
    assert first.startswith('bad.yaml:2:18: tensors["a"].shape[1]: must be')
    assert second.startswith("warned.yaml:1:17: rules[0].match: warning:")
    assert names(folder) == before


@pytest.mark.parametrize(
    ("specs", "code"),
    [
        (["good.yaml", "warned.yaml"], 0),
        (["bad.yaml"], 3),
        (["none.yaml"], 4),
        (["none.yaml", "bad.yaml"], 3),
        (["warned.yaml", "--strict"], 3),
        (["good.yaml", "--strict"], 0),
        (["good.yaml", "--dtype", "float33"], 2),
        (["-", "-"], 2),
    ],
)
def test_the_exit_code_of_check(folder: Path, specs: list[str], code: int) -> None:
    done = run("check", *specs, cwd=folder)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_check_reads_standard_input(folder: Path) -> None:
    done = run("check", "-", "good.yaml", cwd=folder, stdin=GOOD)
    assert done.stdout.decode().splitlines()[0].startswith("<stdin>: ok: 2 tensors")


def test_check_tells_of_a_file_that_cannot_be_read(folder: Path) -> None:
    done = run("check", "none.yaml", "good.yaml", cwd=folder)
    assert done.stderr == b"xavinit: cannot read none.yaml: No such file or directory\n"
    assert done.stdout.decode().splitlines()[0] == "none.yaml: failed"


def test_check_quietly(folder: Path) -> None:
    done = run("check", "good.yaml", "warned.yaml", "-q", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert run("check", "bad.yaml", "-q", cwd=folder).stderr.count(b"\n") == 1


def test_check_as_json(folder: Path) -> None:
    done = run("check", "good.yaml", "bad.yaml", "--json", cwd=folder)
    good, bad = map(json.loads, done.stdout.splitlines())
    assert good == {
        "version": 1,
        "spec": "good.yaml",
        "ok": True,
        "errors": [],
        "warnings": [],
        "tensors": 2,
        "parameters": 15,
        "bytes": 60,
    }
    assert (bad["ok"], bad["errors"][0]["message"][:14]) == (False, "bad.yaml:2:18:")
    assert done.stderr == b""


def test_check_in_python(folder: Path) -> None:
    assert xavinit.check(folder / "good.yaml").error is None
    verdict = xavinit.check({"tensors": {"w": [3, -1]}})
    assert isinstance(verdict.error, xavinit.SpecError)
    with pytest.raises(xavinit.UsageError):
        xavinit.check(folder / "good.yaml", seed=-1)


# --- --strict --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["generate", "plan", "check"])
@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_strict_makes_warnings_errors(folder: Path, verb: str, quiet: list[str]) -> None:
    before = names(folder)
    done = run(verb, "warned.yaml", "--strict", *quiet, cwd=folder)
    assert done.returncode == 3
    assert done.stderr.decode().splitlines() == [
        'warned.yaml:1:17: rules[0].match: warning: "none" matches no tensor',
        "warned.yaml: a warning counts as an error (strict)",
    ]
    assert done.stdout in (b"", b"warned.yaml: failed\n")
    assert names(folder) == before
    assert run(verb, "good.yaml", "--strict", cwd=folder).returncode == 0


def test_strict_in_python(folder: Path) -> None:
    assert xavinit.make_plan(folder / "warned.yaml").warnings
    for call in (
        lambda: xavinit.make_plan(folder / "warned.yaml", strict=True),
        lambda: xavinit.generate(folder / "warned.yaml", folder / "w.h5", strict=True),
        lambda: xavinit.explain(folder / "warned.yaml", "w", strict=True),
    ):
        with pytest.raises(xavinit.SpecError, match="counts as an error"):
            call()
    assert not (folder / "w.h5").exists()


# --- Into a folder ---------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["out", "out/", "./out/."])
def test_one_spec_into_a_folder_takes_its_own_name(folder: Path, output: str) -> None:
    assert run("generate", "good.yaml", "-o", output, cwd=folder).returncode == 0
    assert run("generate", "good.yaml", "-o", output, "-f", "hdf5", cwd=folder).returncode == 0
    assert names(folder / "out") == ["good.h5", "good.safetensors"]


def test_several_specs_into_a_folder(folder: Path) -> None:
    done = run("generate", "good.yaml", "warned.yaml", "-o", "out", "--seed", "3", cwd=folder)
    assert done.returncode == 0
    lines = done.stderr.decode().splitlines()
    assert [line.split(" (")[0] for line in lines if line.startswith("wrote")] == [
        "wrote out/good.safetensors",
        "wrote out/warned.safetensors",
    ]
    for name in ("good", "warned"):
        xavinit.generate(folder / f"{name}.yaml", folder / f"{name}.safetensors", seed=3)
        one = (folder / f"{name}.safetensors").read_bytes()
        assert (folder / "out" / f"{name}.safetensors").read_bytes() == one


def test_several_specs_without_a_folder_go_to_the_current_one(folder: Path) -> None:
    assert run("generate", "../good.yaml", "../other.yaml", cwd=folder / "out").returncode == 0
    assert names(folder / "out") == ["good.safetensors", "other.safetensors"]


def test_several_reports_are_a_line_each(folder: Path) -> None:
    done = run("generate", "good.yaml", "other.yaml", "-o", "out/", "--json", cwd=folder)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["path"] for r in reports] == ["out/good.safetensors", "out/other.safetensors"]
    assert done.stderr == b""


@pytest.mark.parametrize("options", [["-f", "npy"], ["--max-shard-size", "1GB"]])
def test_several_folders_into_a_folder(folder: Path, options: list[str]) -> None:
    done = run("generate", "good.yaml", "other.yaml", "-o", "out", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert names(folder / "out") == ["good", "other"]
    assert (folder / "out" / "good").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["good.yaml", "bad.yaml", "-o", "out/"], 3, "bad.yaml:2:18:"),
        (["good.yaml", "warned.yaml", "-o", "out/", "--strict"], 3, "counts as an error"),
        (["good.yaml", "none.yaml", "-o", "out/"], 4, "cannot read none.yaml"),
        (["good.yaml", "other.yaml", "-o", "no/"], 4, "cannot write to no/: no such folder"),
        (["good.yaml", "other.yaml", "-o", "no"], 2, "several specs need a folder for OUT"),
        (["good.yaml", "other.yaml", "-o", "-"], 2, "several specs need a folder for OUT"),
        (["good.yaml", "sub/good.yaml", "-o", "out"], 2, "would both be written to out/good.sa"),
        (["good.yaml", "Good.yaml", "-o", "out"], 2, "would both be written to"),
        (["good.yaml", "-", "-o", "out"], 2, "standard input has no name for its output"),
        (["-", "-o", "out"], 2, "the output of a spec that is not a file has no name of its own"),
        (["good.yaml", "-o", "no/"], 4, "cannot write no/good.safetensors: no folder"),
        (["good.yaml", "there.yaml", "-o", "out"], 6, "out/there.safetensors exists"),
    ],
)
def test_nothing_is_written_where_one_is_refused(
    folder: Path, arguments: list[str], code: int, message: str
) -> None:
    (folder / "sub").mkdir()
    for name in ("sub/good.yaml", "Good.yaml", "there.yaml"):
        (folder / name).write_text(GOOD)
    (folder / "out" / "there.safetensors").write_text("old")
    done = run("generate", *arguments, cwd=folder, stdin=GOOD)
    assert done.returncode == code, done.stderr
    assert message in done.stderr.decode()
    assert names(folder / "out") == ["there.safetensors"]
    assert (folder / "out" / "there.safetensors").read_text() == "old"


def test_what_is_written_before_a_failure_is_told(folder: Path) -> None:
    """Where no plan could know it: a file that may not grow so far."""
    (folder / "large.yaml").write_text("tensors: {w: [1000, 1000]}\n")
    command = f"{sys.executable} -m xavinit generate good.yaml large.yaml -o out"
    script = f"ulimit -f 100; exec {command}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 4
    first, second = done.stderr.decode().splitlines()
    assert first.startswith("wrote out/good.safetensors")
    assert second == "xavinit: cannot write out/large.safetensors: File too large"
    assert names(folder / "out") == ["good.safetensors"]


def test_in_python(folder: Path) -> None:
    told: list[str] = []
    shown: list[tuple[int, int]] = []
    reports = xavinit.generate_many(
        [folder / "good.yaml", folder / "other.yaml"],
        folder / "out",
        report=lambda report: told.append(report.path),
        progress=lambda done, total: shown.append((done, total)),
    )
    assert [report.path for report in reports] == told
    assert shown[-1] == (120, 120)
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
    for bad in ("good.yaml", {"tensors": {}}, [{"tensors": {}}]):
        with pytest.raises(xavinit.UsageError, match="must be"):
            xavinit.generate_many(bad, folder / "out")  # type: ignore[arg-type]


def test_strict_tells_the_first_few_of_many_warnings() -> None:
    rules = [{"match": f"none{n}", "init": "zeros"} for n in range(2000)]
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({"tensors": {"w": [2, 2]}, "rules": rules}, strict=True)
    assert len(caught.value.errors) == 10
    assert str(caught.value).splitlines()[-1] == "spec: 2,000 warnings count as errors (strict)"
