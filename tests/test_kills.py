"""kill -9 at a thousand random moments: never a broken output (`make test-slow`, minutes)."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import xavinit

pytestmark = pytest.mark.slow

# A few MB in several blocks and files: the kill meets every stage.
SPEC = "tensors:\n  'a.{6}': [300, 700]\n  b: {shape: [900, 900], init: glorot_normal}\n"
LAYERS = """framework: keras
layers:
  - {name: a, type: dense, in: 700, out: 900}
  - {name: b, type: dense, in: 900, out: 1000}
"""
OUTPUTS = {
    "safetensors": ["-o", "w.safetensors"],
    "hdf5": ["-o", "w.h5"],
    "keras": ["-o", "w.weights.h5"],
    "npy": ["-o", "w", "-f", "npy"],
    "shards": ["-o", "w", "--max-shard-size", "2MB"],
}
KILLS = 125  # for each of ten cases


def find_digest(spec: Path, output: str, seed: int) -> str:
    """The digest of a whole output; Keras's files have other names than what is drawn."""
    if output != "keras":
        return xavinit.digest(xavinit.draw(spec, seed=seed))
    file = spec.with_name("whole.weights.h5")
    xavinit.generate(spec, file, seed=seed)
    try:
        return xavinit.digest(file)
    finally:
        file.unlink()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_kill_at_any_moment(tmp_path: Path, output: str, force: bool) -> None:
    (tmp_path / "s.yaml").write_text(LAYERS if output == "keras" else SPEC)
    command = [sys.executable, "-m", "xavinit", "generate", "s.yaml", *OUTPUTS[output]]
    path = tmp_path / OUTPUTS[output][1]
    new = find_digest(tmp_path / "s.yaml", output, 1)
    old = None
    if force:
        old = find_digest(tmp_path / "s.yaml", output, 0)
        subprocess.run([*command, "-q"], cwd=tmp_path, check=True)
    elif output == "shards":
        path.mkdir()
        (path / "config.json").write_text("{}")
    if path.exists():
        shutil.move(path, tmp_path / "kept")
    command += ["-q", "--seed", "1", *(["--force"] if force else [])]

    def restore() -> None:
        for entry in tmp_path.iterdir():
            if entry.name not in ("s.yaml", "kept"):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if (tmp_path / "kept").is_dir():
            shutil.copytree(tmp_path / "kept", path)
        elif (tmp_path / "kept").exists():
            shutil.copy(tmp_path / "kept", path)

    restore()
    started = time.monotonic()
    subprocess.run(command, cwd=tmp_path, check=True)
    takes = time.monotonic() - started
    moments = random.Random(output + str(force))
    ended = set()
    for _ in range(KILLS):
        restore()
        process = subprocess.Popen(command, cwd=tmp_path)
        # The first half is the start of Python; most kills come after it.
        time.sleep(takes * moments.uniform(0.3, 1.1))
        process.kill()
        code = process.wait()
        held = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        is_there = path.is_file() or held & {
            "manifest.json",
            "model.safetensors",
            "model.safetensors.index.json",
        }
        found = xavinit.digest(path) if is_there else None
        assert found in {old, new} or (output == "shards" and found is None)
        assert found == new or code != 0
        temporaries = [p for p in tmp_path.rglob(".xavinit-*") if p.parent in (tmp_path, path)]
        assert len(temporaries) <= 1
        if output == "shards" and path.exists() and not force:
            assert (path / "config.json").read_text() == "{}"
        ended.add(found)
    assert ended >= {old, new}  # the moments covered both sides
