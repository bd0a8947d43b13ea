"""The recipes of docs/scale.md, run: Slurm, GNU parallel, the command of a Kubernetes Job."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_sets import RECIPES, SIZE, read_set, wait_for

import xavinit
from xavinit.verbs.shares import divide_plan

pytestmark = pytest.mark.cluster


def wait_for_jobs(slurm: Callable[..., str]) -> None:
    wait_for("end of the jobs", lambda: not slurm("squeue", "-h"))


def test_a_slurm_array(
    slurm: Callable[..., str], spec: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    options = {"cwd": tmp_path, "timeout": 60}
    command = ["sbatch", "--array=1-4", "--cpus-per-task=1", f"--export=ALL,SHARD_SIZE={SIZE}"]
    slurm(*command, str(RECIPES / "slurm.sbatch"), str(spec), "w", "4", **options)
    wait_for_jobs(slurm)
    told = "".join(path.read_text() for path in tmp_path.glob("slurm-*.out"))
    assert told.count("the set is whole") >= 1, told
    assert read_set(tmp_path / "w") == whole
    # the shards of one part are lost, and that part alone is run again
    for name in divide_plan(xavinit.make_plan(spec), 4, max_shard_size=SIZE).parts[2].shards:
        (tmp_path / "w" / name).unlink()
    command[1] = "--array=3"
    slurm(*command, str(RECIPES / "slurm.sbatch"), str(spec), "w", "4", **options)
    wait_for_jobs(slurm)
    assert read_set(tmp_path / "w") == whole


def test_gnu_parallel(spec: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    environment = {**os.environ, "SHARD_SIZE": SIZE, "PARALLEL_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "will-cite").touch()
    command = ["sh", str(RECIPES / "parallel.sh"), str(spec), "w", "4", "--jobs", "2"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("wrote part ") == 4
    assert read_set(tmp_path / "w") == whole


def load_job() -> dict[str, Any]:
    job: dict[str, Any] = yaml.safe_load((RECIPES / "kubernetes.yaml").read_text())
    return job


def test_the_kubernetes_manifest_is_valid() -> None:
    """Against Kubernetes's own schema, in which an unknown key is an error."""
    import kubernetes_validate

    job = load_job()
    kubernetes_validate.validate(job, "1.33", strict=True)
    job["spec"]["completion"] = 4
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.33", strict=True)


def test_the_kubernetes_command_makes_the_set(
    spec: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """What the pods run, with the variable that an Indexed Job sets: their volumes are folders."""
    job = load_job()["spec"]
    (container,) = job["template"]["spec"]["containers"]
    count = job["completions"]
    assert f"/{count} " in container["args"][0]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in job["template"]["spec"]["volumes"]
    }
    (script,) = container["args"]
    script = script.replace("5GB", SIZE).replace(f"/{count} ", "/4 ")
    script = script.replace("/spec/", f"{tmp_path}/").replace("/weights/", f"{tmp_path}/")
    for index in (2, 0, 3, 1):
        environment = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
        subprocess.run([*container["command"], script], env=environment, check=True)
    assert read_set(tmp_path / "model") == whole
