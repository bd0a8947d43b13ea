"""A set that several runs write into one folder: each its shards, the last one the index."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import xavinit
from xavinit.errors import InputError, OutputError, RefusedError, UsageError
from xavinit.formats import divide, parse_part
from xavinit.formats.shard_names import DEFAULT
from xavinit.output import disk, folders
from xavinit.report.divisions import format_division
from xavinit.verbs.shares import divide_plan

INDEX = DEFAULT.index
SPEC: dict[str, Any] = {"seed": 3, "tensors": {"z": [10, 10], "big": [40, 40], "a.{5}": [10, 20]}}
SIZE = "2kB"  # four shards


def write(folder: Path, part: Any = None, *, spec: Any = SPEC, **options: Any) -> Any:
    return xavinit.generate(spec, folder, max_shard_size=SIZE, part=part, **options).part


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The set as one run writes it."""
    folder = tmp_path_factory.mktemp("whole") / "w"
    xavinit.generate(SPEC, folder, max_shard_size=SIZE)
    return read(folder)


# --- Who writes what -------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["2/8", (2, 8), [2, 8], "02/08"])
def test_a_part(part: Any) -> None:
    assert str(parse_part(part)) == "2/8"


@pytest.mark.parametrize(
    "part", ["0/4", "5/4", "-1/4", "1", "1/", "1/2/3", "1/2001", " 1/2", (0, 4), (1.0, 2), 1, True]
)
def test_what_is_no_part(tmp_path: Path, part: Any) -> None:
    with pytest.raises(UsageError, match=r"^a part must be I/N, with I from 1 to N and N at most"):
        write(tmp_path / "w", part)
    assert not (tmp_path / "w").exists()


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 8))
def test_a_division_is_even(sizes: list[int], count: int) -> None:
    """Each shard is one part's, and the largest part is within Graham's bound of what must be."""
    shares = divide(sizes, count)
    assert sorted(place for share in shares for place in share) == list(range(len(sizes)))
    least = max(-(-sum(sizes) // count), max(sizes, default=0))
    # A bound for any division: the largest shards that cannot all be alone.
    ordered = sorted(sizes, reverse=True)
    if len(sizes) > count:
        least = max(least, ordered[count - 1] + ordered[count])
    assert max(sum(sizes[place] for place in share) for share in shares) <= least * 4 / 3


def test_a_division_is_literally_this() -> None:
    """It never changes: parts of one set may be written by different releases."""
    assert divide([5, 5, 5, 5, 5, 2, 9], 3) == [[4, 6], [0, 2, 5], [1, 3]]
    assert divide([7, 3], 3) == [[0], [1], []]
    assert divide([], 2) == [[], []]


def test_the_table_of_who_writes_what() -> None:
    division = divide_plan(xavinit.make_plan(SPEC), 3, max_shard_size=SIZE)
    assert list(format_division(division)) == [
        "PART  SHARDS  WHICH  TENSORS  BYTES",
        "1/3        1  1            1  6,664",
        "2/3        1  2            3  2,392",
        "3/3        2  3–4          3  2,992",
        "3 parts, 4 shards, 12,048 bytes; the largest part 6.66 kB",
        "1 tensor is larger than a fair share (4.02 kB): big, 6.4 kB, is written by part 1/3 alone",
    ]


def test_the_table_says_which_parts_are_idle() -> None:
    plan = xavinit.make_plan({"tensors": {"a.{9}": [10, 20], "b": [30, 20], "c": [30, 20]}})
    lines = list(format_division(divide_plan(plan, 9, max_shard_size="2kB")))
    assert lines[7:] == [
        "7/9        1  7            1  1,064",
        "8/9        0  -            0      0",
        "9/9        0  -            0      0",
        "9 parts, 7 shards, 14,088 bytes; the largest part 2.66 kB",
        "2 parts have nothing to write: a smaller --max-shard-size makes more shards",
        "2 tensors are larger than a fair share (1.57 kB): the largest b, 2.4 kB, is written by "
        "part 1/9 alone",
    ]


def test_the_table_says_what_the_parts_do(tmp_path: Path) -> None:
    division = divide_plan(xavinit.make_plan(SPEC), 3, max_shard_size=SIZE)
    for number, part in enumerate(division.parts, start=1):
        write(tmp_path / str(number), (number, 3))
        found = read(tmp_path / str(number))
        assert tuple(found) == part.shards
        assert sum(map(len, found.values())) == part.nbytes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "2"], "parts need the size of a shard, such as 5GB"),
        (
            ["--parts", "2001", "--max-shard-size", "1kB"],
            "the number of parts must be an integer from 1 to 2,000; got 2001",
        ),
        (
            ["--parts", "2", "--max-shard-size", "1kB", "--full"],
            "--parts shows no tensors: it takes no --full, --match or --explain",
        ),
        (
            ["--max-shard-size", "1kB"],
            "--max-shard-size goes with --parts here: a plan has no shards",
        ),
    ],
)
def test_what_a_table_of_parts_needs(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(SPEC))
    command = [sys.executable, "-m", "xavinit", "plan", "s.yaml", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"xavinit: {message}\n")


def test_the_line_on_what_was_done(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(SPEC))
    lines = []
    for options in (["--part", "3/3"], ["--part", "3/3"], ["--resume"]):
        command = [sys.executable, "-m", "xavinit", "generate", "s.yaml", "-o", "w"]
        command += ["--max-shard-size", SIZE, *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        lines.append(re.sub(r" in \d+\.\d\d s", "", done.stderr))
    assert lines == [
        "wrote part 3/3 of w (safetensors): 2 shards, 2.4 kB, seed 3; "
        "the index waits for shards of other parts\n",
        "wrote part 3/3 of w (safetensors): 0 shards (2 there already), 0 B, seed 3; "
        "the index waits for shards of other parts\n",
        "wrote w (safetensors): 2 shards (2 there already), 8.4 kB, seed 3; the set is whole\n",
    ]


# --- A set in parts --------------------------------------------------------------------------


@pytest.mark.parametrize("order", [*itertools.permutations((1, 2, 3))])
def test_parts_in_any_order_make_the_same_bytes(
    tmp_path: Path, whole: dict[str, bytes], order: tuple[int, ...]
) -> None:
    done = []
    for number in order:
        assert not (tmp_path / "w" / INDEX).exists()
        done.append(write(tmp_path / "w", (number, 3)))
    assert [report.is_complete for report in done] == [False, False, True]
    assert sum(report.written for report in done) == 4
    assert sum(report.nbytes for report in done) == xavinit.make_plan(SPEC).nbytes
    assert read(tmp_path / "w") == whole
    index = json.loads(whole[INDEX])["weight_map"]
    arrays = xavinit.draw(SPEC)
    for name, file in index.items():
        assert (load_file(tmp_path / "w" / file)[name] == arrays[name]).all()


def test_more_parts_than_shards(tmp_path: Path, whole: dict[str, bytes]) -> None:
    done = [write(tmp_path / "w", (number, 6)) for number in (6, 5, 4, 3, 2, 1)]
    assert [report.written for report in done] == [0, 0, 1, 1, 1, 1]
    assert read(tmp_path / "w") == whole


def test_parts_of_one_file(tmp_path: Path) -> None:
    """A set of one shard is a file that needs no index."""
    for number in (2, 1, 2):
        done = xavinit.generate(SPEC, tmp_path / "w", max_shard_size="1GB", part=(number, 2)).part
    assert list(read(tmp_path / "w")) == ["model.safetensors"]
    assert done is not None
    assert (done.written, done.left, done.is_complete) == (0, 0, True)


def test_a_part_again_leaves_what_is_there(tmp_path: Path, whole: dict[str, bytes]) -> None:
    for number in (1, 2, 3):
        write(tmp_path / "w", (number, 3))
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w").iterdir()}
    for number in (1, 2, 3):
        again = write(tmp_path / "w", (number, 3))
        assert (again.written, again.nbytes, again.is_complete) == (0, 0, True)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w").iterdir()} == before


def test_other_divisions_of_one_set_go_together(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """A shard is a shard: half of a job may be done by one machine, the rest by three."""
    write(tmp_path / "w", (1, 2))
    assert [write(tmp_path / "w", (n, 3)).is_complete for n in (1, 2, 3)][-1]
    assert read(tmp_path / "w") == whole


def test_users_own_files_stay(tmp_path: Path, whole: dict[str, bytes]) -> None:
    (tmp_path / "config.json").write_text("{}")
    for number in (1, 2):
        write(tmp_path, (number, 2), force=True)
    assert read(tmp_path) == {**whole, "config.json": b"{}"}


def test_parts_at_once_and_two_of_each(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Each part by two threads: whoever is second finds the shard there, or the index."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            write(tmp_path / "w", (number, 3), jobs=1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2, 3, 1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert read(tmp_path / "w") == whole


# --- What stands there -----------------------------------------------------------------------

OTHERS: dict[str, dict[str, Any]] = {
    "another seed": {**SPEC, "seed": 4},
    "another spec": {**SPEC, "tensors": {**SPEC["tensors"], "a.{5}": [20, 10]}},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_part_of_another_run_is_refused(tmp_path: Path, what: str) -> None:
    """Also where it is not the shards of this part that are wrong: they would never be a set."""
    write(tmp_path / "w", (1, 3), spec=OTHERS[what])
    before = read(tmp_path / "w")
    for number in (1, 2, 3):
        with pytest.raises(RefusedError, match=r"00001-of-00004.* is not of this spec, seed, str"):
            write(tmp_path / "w", (number, 3))
        with pytest.raises(RefusedError, match=r"00001-of-00004"):
            write(tmp_path / "w", (number, 3), resume=True)
    assert read(tmp_path / "w") == before


def test_a_part_with_another_stream_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a release would write it whose numbers are others: only its header tells."""
    write(tmp_path / "w", (1, 2))
    path = next((tmp_path / "w").iterdir())
    path.write_bytes(path.read_bytes().replace(b"xavinit-1", b"xavinit-2"))
    with pytest.raises(RefusedError, match="is not of this spec, seed, stream"):
        write(tmp_path / "w", (2, 2))


@pytest.mark.parametrize("size", ["1GB", "4kB"])
def test_another_set_is_refused(tmp_path: Path, size: str) -> None:
    """A single file, or other shards: loaders would find two checkpoints in one folder."""
    xavinit.generate(SPEC, tmp_path, max_shard_size=size)
    before = read(tmp_path)
    with pytest.raises(RefusedError, match="is not of this spec, seed, stream and size of shards"):
        write(tmp_path, (1, 2))
    assert read(tmp_path) == before


def test_a_shard_that_comes_meanwhile_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions at once: neither sees the other when it begins; no index is written."""
    real = folders.fill_files

    def fill_files(*arguments: Any) -> None:
        monkeypatch.setattr(folders, "fill_files", real)
        write(tmp_path / "w", (2, 2), spec=OTHERS["another seed"])
        real(*arguments)

    monkeypatch.setattr(folders, "fill_files", fill_files)
    with pytest.raises(RefusedError, match="is not of this spec, seed, stream and size of shards"):
        write(tmp_path / "w", (1, 2))
    assert INDEX not in read(tmp_path / "w")


# --- What is not whole -----------------------------------------------------------------------


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("size", [0, 7, 300, -1])
def test_what_was_cut_short_is_written_again_on_demand(
    tmp_path: Path, whole: dict[str, bytes], size: int
) -> None:
    """As a copy that was interrupted leaves it."""
    write(tmp_path / "w", (1, 1))
    shard = tmp_path / "w" / "model-00002-of-00004.safetensors"
    cut(shard, size)
    with pytest.raises(RefusedError, match=r"00002-of.* is cut short; use --resume to write it ag"):
        write(tmp_path / "w", (2, 3))
    done = write(tmp_path / "w", resume=True)
    assert (done.part, done.written, done.left, done.is_complete) == ("1/1", 1, 3, True)
    assert read(tmp_path / "w") == whole


def test_resume_writes_only_what_is_missing(tmp_path: Path, whole: dict[str, bytes]) -> None:
    assert write(tmp_path / "w", resume=True).written == 4
    kept = tmp_path / "w" / "model-00001-of-00004.safetensors"
    inode = kept.stat().st_ino
    for name in ("model-00003-of-00004.safetensors", INDEX):
        (tmp_path / "w" / name).unlink()
    done = write(tmp_path / "w", resume=True)
    assert (done.written, done.left, done.is_complete) == (1, 3, True)
    assert kept.stat().st_ino == inode
    assert read(tmp_path / "w") == whole


def test_an_index_that_was_cut_short(tmp_path: Path, whole: dict[str, bytes]) -> None:
    write(tmp_path / "w", (1, 1))
    cut(tmp_path / "w" / INDEX, 20)
    with pytest.raises(RefusedError, match=r"index\.json is cut short"):
        write(tmp_path / "w", (1, 2))
    write(tmp_path / "w", (1, 2), resume=True)
    assert read(tmp_path / "w") == whole


def test_more_bytes_than_there_must_be(tmp_path: Path) -> None:
    write(tmp_path / "w", (1, 1))
    shard = tmp_path / "w" / "model-00002-of-00004.safetensors"
    shard.write_bytes(shard.read_bytes() + b"\0")
    with pytest.raises(RefusedError, match="is not of this spec"):
        write(tmp_path / "w", resume=True)


# --- Force -----------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [*OTHERS, "1GB", "4kB"])
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1)])
def test_with_force_the_parts_replace_another_set(
    tmp_path: Path, whole: dict[str, bytes], other: str, order: tuple[int, ...]
) -> None:
    """Never is there an index over files of two sets; each part touches only its own files."""
    spec, size = (OTHERS[other], SIZE) if other in OTHERS else (SPEC, other)
    xavinit.generate(spec, tmp_path, max_shard_size=size)
    (tmp_path / "config.json").write_text("{}")
    old = read(tmp_path)
    for number in order:
        before = read(tmp_path)
        done = write(tmp_path, (number, 3), force=True)
        after = read(tmp_path)
        changed = {n for n in before | after if before.get(n) != after.get(n)} - {INDEX}
        if not done.is_complete:
            assert len(changed) == done.written
            if other in OTHERS:
                assert INDEX not in after
            else:  # no name is the same: the old set stands until the new one is whole
                assert old.items() <= after.items()
    assert read(tmp_path) == {**whole, "config.json": b"{}"}


def test_with_force_what_is_right_is_left(tmp_path: Path) -> None:
    """A job that is started again does not begin again."""
    for number in (1, 2):
        write(tmp_path / "w", (number, 2), force=True)
    assert [write(tmp_path / "w", (n, 2), force=True).written for n in (1, 2)] == [0, 0]


def test_an_old_set_that_is_private_stays_so(tmp_path: Path) -> None:
    xavinit.generate(OTHERS["another seed"], tmp_path, max_shard_size="4kB")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    for number in (1, 2):
        write(tmp_path, (number, 2), force=True)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_link_to_a_blob_is_replaced_and_the_blob_kept(tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (tmp_path / "blob").write_text("cached")
    for name in ("model-00001-of-00004.safetensors", INDEX):
        (folder / name).symlink_to(tmp_path / "blob")
    write(folder, (1, 1), force=True)
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert (tmp_path / "blob").read_text() == "cached"


# --- What is refused before any work ---------------------------------------------------------


def test_a_single_file_has_no_parts(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for options, what in (({"part": "1/2"}, "a part"), ({"resume": True}, "to resume")):
        with pytest.raises(UsageError, match=f"^{what} needs a set of shards: give the size of a"):
            xavinit.generate(SPEC, path, **options)  # type: ignore[arg-type]


def test_a_stream_that_is_one_sequence_has_no_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xavinit.streams import xavinit1

    monkeypatch.setattr(xavinit1.Xavinit1, "is_ordered", True)
    with pytest.raises(UsageError, match="the stream xavinit-1 is one sequence"):
        write(tmp_path / "w", (1, 2))


def test_the_room_for_one_part_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other parts may be on their way; what stands there needs no more."""
    monkeypatch.setattr(disk, "count_free", lambda path: 7000)
    assert write(tmp_path / "w", (1, 3)).written == 1  # big, 6.4 kB
    monkeypatch.setattr(disk, "count_free", lambda path: 2000)
    with pytest.raises(OutputError, match=r"it needs 2\.39 kB and .* has 2 kB free"):
        write(tmp_path / "w", (2, 3))
    assert len(read(tmp_path / "w")) == 1


def test_what_is_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no folder"):
        write(tmp_path / "no" / "w", (1, 2))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RefusedError, match="is a file; a folder of shards does not replace it"):
        write(tmp_path / "file", (1, 2), force=True)
    (tmp_path / "w" / "model-00001-of-00004.safetensors").mkdir(parents=True)
    with pytest.raises(RefusedError, match=r"00001-of-00004\.safetensors is a folder"):
        write(tmp_path / "w", (1, 2), force=True)
    spec = tmp_path / "f" / INDEX
    spec.parent.mkdir()
    spec.write_text(json.dumps(SPEC))
    with pytest.raises(RefusedError, match="is the spec itself"):
        xavinit.generate(spec, spec.parent, max_shard_size="2kB", part=(1, 2), force=True)


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root reads everything")
def test_a_shard_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path / "w", (1, 2))
    next((tmp_path / "w").iterdir()).chmod(0)
    with pytest.raises(InputError, match="cannot read"):
        write(tmp_path / "w", (2, 2))


def test_a_dry_run_tells_what_is_left(tmp_path: Path) -> None:
    done = write(tmp_path / "w", (1, 2), dry_run=True)
    assert (done.written, done.left, done.is_complete) == (1, 0, False)
    assert not (tmp_path / "w").exists()
    write(tmp_path / "w", (1, 2))
    assert write(tmp_path / "w", (1, 2), dry_run=True).left == 1


def test_progress_goes_to_the_bytes_of_the_part(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = write(tmp_path / "w", (2, 2), progress=lambda *told: seen.append(told))
    assert seen[-1] == (done.nbytes, done.nbytes)


def test_several_specs_in_parts(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({**SPEC, "seed": seed}))
    specs = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    seen: list[tuple[int, int]] = []
    for number in (1, 2):
        reports = xavinit.generate_many(
            specs,
            tmp_path,
            max_shard_size=SIZE,
            part=(number, 2),
            progress=lambda *told: seen.append(told),
        )
        total = sum(report.part.nbytes for report in reports if report.part)
        assert seen[-1] == (total, total)
    assert [report.part.is_complete for report in reports if report.part] == [True, True]
    xavinit.generate(specs[1], tmp_path / "c", max_shard_size=SIZE)
    assert read(tmp_path / "b") == read(tmp_path / "c")


@pytest.mark.parametrize("options", [["--part", "1/2"], ["--resume"], ["--dask", "tcp://x:1"]])
def test_verify_compares_the_whole_set(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(SPEC))
    command = [sys.executable, "-m", "xavinit", "generate", "s.yaml", "-o", "w", "--verify"]
    command += ["--max-shard-size", SIZE, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = f"xavinit: --verify writes nothing: it takes no {options[0]}\n"
    assert (done.returncode, done.stderr) == (2, told)
