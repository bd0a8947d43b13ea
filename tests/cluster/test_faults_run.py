"""Parts at once on a disk that is too small for them, which is mounted here (as root)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_sets import SIZE, read_set

pytestmark = pytest.mark.cluster


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for about half of the set."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=7M", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full_for_one_part(
    spec: Path, small_disk: Path, whole: dict[str, bytes]
) -> None:
    """Each part has room alone, but not both: one says so, and is run again when there is more."""
    command = [sys.executable, "-m", "xavinit", "generate", str(spec), "-o", str(small_disk / "w")]
    command += ["--max-shard-size", SIZE, "--part"]

    def start(part: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*command, part], stderr=subprocess.PIPE, text=True)

    runs = {part: start(part) for part in ("1/2", "2/2")}
    told = {part: run.communicate()[1] for part, run in runs.items()}
    failed = [part for part, run in runs.items() if run.returncode]
    assert failed
    for part in failed:
        assert runs[part].returncode == 4
        assert "No space left on device" in told[part] or "free" in told[part]
        assert told[part].count("\n") == 1
    held = read_set(small_disk / "w")
    assert held.items() < whole.items()
    subprocess.run(["mount", "-o", "remount,size=32M", small_disk], check=True)
    for part in failed:
        subprocess.run([*command, part], check=True)
    assert read_set(small_disk / "w") == whole
