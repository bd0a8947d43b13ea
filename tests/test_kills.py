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


def test_a_kill_of_a_part_at_any_moment(tmp_path: Path) -> None:
    """Nothing that is not whole has a name, and the same part run again completes the set."""
    (tmp_path / "s.yaml").write_text(SPEC)
    whole = tmp_path / "whole"
    xavinit.generate(tmp_path / "s.yaml", whole, max_shard_size="2MB", seed=1)
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    command = [sys.executable, "-m", "xavinit", "generate", "s.yaml", "-q", "--seed", "1"]
    command += ["-o", "w", "--max-shard-size", "2MB", "--part"]
    started = time.monotonic()
    subprocess.run([*command, "1/2"], cwd=tmp_path, check=True)
    takes = time.monotonic() - started
    moments = random.Random("part")
    left = set()
    for turn in range(50):
        shutil.rmtree(tmp_path / "w")
        (tmp_path / "w").mkdir()
        if turn % 2:  # the killed one is the last, which writes the index too
            subprocess.run([*command, "2/2"], cwd=tmp_path, check=True)
        process = subprocess.Popen([*command, "1/2"], cwd=tmp_path)
        time.sleep(takes * moments.uniform(0.3, 1.1))
        process.kill()
        process.wait()
        names = {path.name for path in (tmp_path / "w").iterdir()}
        shown = {name for name in names if not name.startswith(".xavinit-")}
        assert len(names - shown) <= 1
        for name in shown:
            assert (tmp_path / "w" / name).read_bytes() == expected[name]
        if "model.safetensors.index.json" in shown:
            assert shown == set(expected)
        for number in (1, 2):
            subprocess.run([*command, f"{number}/2"], cwd=tmp_path, check=True)
        for name, content in expected.items():
            assert (tmp_path / "w" / name).read_bytes() == content
        left.add(len(shown))
    assert len(left) > 2  # the moments were not all the same
