"""What other people's CI runs: the steps of action.yml, in bash, and the lines of docs/ci.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import xavinit

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
)
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
INSTALL = "Install xavinit"
COMMANDS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


class Job:
    """A job on a runner that uses the action: its folder, its cache, its steps so far."""

    def __init__(self, folder: Path, kept: dict[str, bytes], **inputs: str) -> None:
        self.folder = folder
        self.kept = kept
        defaults = {key: str(one.get("default", "")) for key, one in ACTION["inputs"].items()}
        self.values = {f"inputs.{key}": text for key, text in (defaults | inputs).items()}
        self.values["github.action_path"] = str(ROOT)
        self.path = COMMANDS
        self.log = ""

    def run(self, *, skipped: tuple[str, ...] = (INSTALL,)) -> int:
        """Run the action's steps; the first exit code that is not 0, or 0."""
        saved: list[str] = []
        for step in STEPS:
            if step["name"] in skipped or not self._is_asked(step.get("if", "")):
                continue
            if "uses" in step:
                saved += self._restore(step)
            elif code := self._run_step(step):
                return code
        for key in saved:  # as actions/cache does after the job
            self.kept.setdefault(key, self.output.read_bytes())
        return 0

    @property
    def output(self) -> Path:
        return self.folder / self.values["inputs.output"]

    def _restore(self, step: Mapping[str, Any]) -> Iterator[str]:
        """What actions/cache@v4 does."""
        assert step["uses"] == "actions/cache@v4"
        assert self._fill(step["with"]["path"]) == self.values["inputs.output"]
        key = self._fill(step["with"]["key"])
        assert re.fullmatch(r"xavinit-xavinit-1-[0-9a-f]{64}", key)
        hit = key in self.kept
        self.values[f"steps.{step['id']}.outputs.cache-hit"] = "true" if hit else ""
        if hit:
            self.output.write_bytes(self.kept[key])
        else:
            yield key

    def _run_step(self, step: Mapping[str, Any]) -> int:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # what stands in an input would be run
        files = {name: self.folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        environment = {
            **os.environ,
            **{key: self._fill(text) for key, text in step.get("env", {}).items()},
            **{key: str(file) for key, file in files.items()},
            "RUNNER_TEMP": str(self.folder),
            "PATH": self.path,
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            key, _, text = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{key}"] = text
        for line in files["GITHUB_PATH"].read_text().splitlines():
            self.path = f"{line}{os.pathsep}{self.path}"
        return done.returncode

    def _fill(self, text: str) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self.values.get(found[1], ""), text)

    def _is_asked(self, condition: str) -> bool:
        for clause in condition.split(" && ") if condition else ():
            name, sign, text = clause.split()
            if (self.values[name] == text.strip("'")) is not (sign == "=="):
                return False
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text("dims: {d: 8}\ntensors: {w: [d, 4], b: [d, 4]}")
    return tmp_path


def test_the_action_has_the_form_that_github_reads() -> None:
    """As https://json.schemastore.org/github-action.json says of a composite action."""
    assert set(ACTION) <= {"name", "description", "author", "branding", "inputs", "outputs", "runs"}
    assert ACTION["runs"]["using"] == "composite"
    assert set(ACTION["runs"]) == {"using", "steps"}
    for one in ACTION["inputs"].values():
        assert set(one) <= {"description", "required", "default"}
        assert isinstance(one.get("default", ""), str)
        assert one.get("required", False) is ("default" not in one)
    for one in ACTION["outputs"].values():
        assert set(one) == {"description", "value"}
    for step in STEPS:
        assert set(step) <= {"name", "id", "if", "shell", "env", "run", "uses", "with"}
        assert ("run" in step) is ("shell" in step) is not ("uses" in step)
        assert all(isinstance(text, str) for text in step.get("env", {}).values())
    known = {f"inputs.{key}" for key in ACTION["inputs"]} | {"github.action_path"}
    known |= {"steps.key.outputs.key", "steps.cache.outputs.cache-hit"}
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = re.findall(r"\b((?:inputs|github|steps)\.[\w.-]+)", text)
    assert set(used) == known


def test_the_action_makes_the_weights(folder: Path) -> None:
    job = Job(folder, {}, spec="s.yaml", output="w.safetensors", options="--seed 7\n--set d=5")
    assert job.run() == 0
    xavinit.generate(folder / "s.yaml", folder / "x.safetensors", seed=7, dims={"d": 5})
    made = (folder / "w.safetensors").read_bytes()
    assert made == (folder / "x.safetensors").read_bytes()
    assert list(job.kept.values()) == [made]


def test_the_action_makes_the_folder_of_its_output(folder: Path) -> None:
    job = Job(folder, {}, spec="s.yaml", output="new/w h.safetensors", cache="false")
    assert job.run() == 0
    assert (folder / "new" / "w h.safetensors").exists()
    assert job.kept == {}


def test_the_action_verifies_what_the_cache_gives(folder: Path) -> None:
    cache: dict[str, bytes] = {}
    job = Job(folder, cache, spec="s.yaml", output="w.safetensors")
    assert job.run() == 0
    made = (folder / "w.safetensors").read_bytes()
    (folder / "w.safetensors").unlink()
    again = Job(folder, cache, spec="s.yaml", output="w.safetensors")
    assert again.run() == 0
    assert "wrote" in job.log
    assert "wrote" not in again.log
    assert (folder / "w.safetensors").read_bytes() == made
    (key,) = cache
    cache[key] = made[:-1] + bytes([made[-1] ^ 1])
    third = Job(folder, cache, spec="s.yaml", output="w.safetensors")
    assert third.run() == 0
    assert "wrote" in third.log
    assert (folder / "w.safetensors").read_bytes() == made


def test_the_key_of_the_cache_changes_with_all_that_the_weights_come_from(folder: Path) -> None:
    kept: dict[str, bytes] = {}
    inputs = {"spec": "s.yaml", "output": "w.safetensors", "options": "--seed 1"}

    def find_key(**changed: str) -> None:
        job = Job(folder, kept, **(inputs | changed))
        job.output.write_bytes(b"")
        assert job.run(skipped=(INSTALL, "Make the weights")) == 0

    find_key()
    find_key()
    assert len(kept) == 1
    find_key(options="--seed 2")
    find_key(output="w.h5")
    (folder / "s.yaml").write_text("tensors: {w: [8, 4]}")
    find_key()
    assert len(kept) == 4


def test_the_action_verifies_what_is_there(folder: Path) -> None:
    inputs = {"spec": "s.yaml", "output": "w.safetensors", "verify": "true"}
    job = Job(folder, {}, **inputs)
    assert job.run() == 5
    assert "w.safetensors is missing" in job.log
    xavinit.generate(folder / "s.yaml", folder / "w.safetensors")
    assert Job(folder, {}, **inputs).run() == 0
    with (folder / "w.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    assert Job(folder, {}, **inputs).run() == 5


def test_what_stands_in_an_input_is_not_run(folder: Path) -> None:
    job = Job(folder, {}, spec="s.yaml", output="w.safetensors", options="$(touch bad) `touch bad`")
    assert job.run() == 2
    assert not (folder / "bad").exists()


@pytest.mark.parametrize("verify", ["true", "false"])
@pytest.mark.parametrize("options", ["--help", "--version", "--seed 3 --dry-run", "-o other"])
def test_an_option_that_leaves_the_weights_unmade_is_refused(
    folder: Path, options: str, verify: str
) -> None:
    inputs = {"spec": "s.yaml", "output": "w.safetensors", "verify": verify}
    job = Job(folder, {}, options=options, **inputs)
    assert job.run() == 2
    assert "the input options does not take -" in job.log


def test_weights_never_go_into_the_log(folder: Path) -> None:
    job = Job(folder, {}, spec="s.yaml", output="-")
    assert job.run() == 2
    assert job.log == "the input output must be a file or a folder; got -\n"


@pytest.mark.parametrize("spec", ["--help", "--version"])
def test_a_spec_named_like_an_option_is_a_spec(folder: Path, spec: str) -> None:
    job = Job(folder, {}, spec=spec, output="w.safetensors", verify="true")
    assert job.run() != 0


def test_a_spec_that_is_not_there_is_told(folder: Path) -> None:
    job = Job(folder, {}, spec="none.yaml", output="w.safetensors")
    assert job.run() == 4
    assert "cannot read none.yaml" in job.log


def test_the_hooks_have_the_form_that_pre_commit_reads() -> None:
    assert [hook["id"] for hook in HOOKS] == ["xavinit-check", "xavinit-verify"]
    for hook in HOOKS:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert hook["language"] == "python"
        command, verb, *options = hook["entry"].split()
        assert (command, verb) == ("xavinit", hook["id"].removeprefix("xavinit-"))
        assert options == ["--quiet"]


def test_the_lines_of_the_page_run(folder: Path) -> None:
    """In a repository as the page describes it: a fixture in git, and its spec beside it."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    specs = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", page, re.S | re.M)
    for name, text in specs:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.S | re.M)
    assert blocks
    for block in blocks:
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", block],
            cwd=folder,
            env={**os.environ, "PATH": COMMANDS},
            check=True,
            capture_output=True,
        )


def test_the_examples_of_the_page_name_what_there_is() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    configs = [
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)^```", page, re.S | re.M)
    ]
    used = [step for c in configs for job in c.get("jobs", {}).values() for step in job["steps"]]
    ours = [step for step in used if "xavinit@" in step.get("uses", "")]
    assert ours
    for step in ours:
        assert set(step["with"]) <= set(ACTION["inputs"])
    hooks = [hook for c in configs for repo in c.get("repos", ()) for hook in repo["hooks"]]
    assert {hook["id"] for hook in hooks} == {hook["id"] for hook in HOOKS}
