"""pre-commit and the action's first step install the package themselves: `make test-ci`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_ci import COMMANDS, ROOT, Job

import xavinit

pytestmark = pytest.mark.slow
pytest.importorskip("pre_commit")

WHO = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *WHO, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this package as it stands here."""
    path = tmp_path_factory.mktemp("source")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    git(path, "init", "-q")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "all")
    return path


@pytest.fixture(scope="module")
def user(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that uses both hooks, each file of it right."""
    path = tmp_path_factory.mktemp("user")
    (path / "m.yaml").write_text("tensors: {w: [8, 4]}")
    (path / "other.yaml").write_text("no: spec")
    xavinit.generate(path / "m.yaml", path / "m.safetensors")
    hooks = [
        {"id": "xavinit-check", "files": r"^m\.yaml$"},
        {"id": "xavinit-verify", "args": ["m.safetensors", "--spec", "m.yaml"]},
    ]
    config = {"repos": [{"repo": str(source), "rev": git(source, "rev-parse", "HEAD")}]}
    config["repos"][0]["hooks"] = hooks  # type: ignore[assignment]
    (path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(path, "init", "-q")
    git(path, "add", "-A")
    return path


def run_hooks(user: Path, *arguments: str) -> tuple[int, str]:
    """pre-commit's exit code and what it prints; its environments are kept for the next run."""
    environment = {**os.environ, "PRE_COMMIT_HOME": str(user.parent / "pre-commit-home")}
    command = [sys.executable, "-m", "pre_commit", "run", "--color=never", *arguments]
    done = subprocess.run(
        command, cwd=user, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_hooks_pass_and_fail(user: Path) -> None:
    code, log = run_hooks(user, "--all-files")
    assert code == 0, log
    assert log.count("Passed") == 2

    (user / "m.yaml").write_text("tensors: {w: [8, 5]}")
    git(user, "add", "-A")
    code, log = run_hooks(user)  # the weights have not changed, but what they should be has
    assert code == 1
    assert "shape" in log
    assert (log.count("Passed"), log.count("exit code: 5")) == (1, 1)

    (user / "m.yaml").write_text("tensors: {w: [8, x]}")
    git(user, "add", "-A")
    code, log = run_hooks(user, "xavinit-check")
    assert code == 1
    assert 'm.yaml:1:18: tensors["w"][1]: unknown dim "x"' in log
    assert "exit code: 3" in log


def test_the_action_installs_itself(source: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tensors: {w: [8, 4]}")
    job = Job(tmp_path, {}, spec="s.yaml", output="w.safetensors")
    job.values["github.action_path"] = str(source)
    # Without the xavinit of these tests, but with their Python.
    job.path = os.pathsep.join(
        part for part in COMMANDS.split(os.pathsep)[1:] if not (Path(part) / "xavinit").exists()
    )
    python = tmp_path / "python"
    python.mkdir()
    (python / "python3").symlink_to(Path(sys.executable).resolve())
    job.path = f"{python}{os.pathsep}{job.path}"
    assert job.run(skipped=()) == 0, job.log
    assert "wrote w.safetensors" in job.log
    assert (tmp_path / "xavinit-command" / "xavinit").exists()
    assert job.path.startswith(str(tmp_path / "xavinit-command"))
