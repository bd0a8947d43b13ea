"""`xavinit digest`: the same in every format, for each tensor too, and lists that are read back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import xavinit
from xavinit.errors import InputError
from xavinit.verbs import digest_lists
from xavinit.verbs.digest_lists import Entry, format_entry, parse_list

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs/json.digest.schema.json").read_text(encoding="utf-8")
)
SPEC = {
    "seed": 3,
    "tensors": {
        "h.{3}.w": [400, 300],
        "a\tb\nc": {"shape": [30], "init": "ones"},
        "none": {"shape": [0, 4], "init": "zeros"},
        "half": {"shape": [5, 6], "dtype": "bfloat16"},
    },
}
OUTPUTS: dict[str, dict[str, Any]] = {
    "w.safetensors": {},
    "w.h5": {},
    "set": {"max_shard_size": 500_000},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, options in OUTPUTS.items():
        xavinit.generate(SPEC, tmp_path / name, **options)
    return tmp_path


def run(*arguments: str, cwd: Path, text: bytes | None = None) -> tuple[int, list[str], list[str]]:
    """The exit code, the lines of standard output, and those of standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", "digest", *arguments],
        cwd=cwd,
        input=text,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


def compute_digest(arrays: dict[str, np.ndarray[Any, Any]]) -> str:
    """The definition of docs/reproducibility.md, written once more."""
    total = hashlib.sha256()
    for name in sorted(arrays, key=str.encode):
        array = arrays[name]
        for text in (name, array.dtype.name):
            total.update(len(text.encode()).to_bytes(8, "little") + text.encode())
        for number in (array.ndim, *array.shape):
            total.update(number.to_bytes(8, "little"))
        total.update(array.tobytes())
    return total.hexdigest()


def test_a_digest_is_the_same_in_every_format_and_by_any_number_of_threads(folder: Path) -> None:
    arrays = xavinit.draw(SPEC)
    expected = compute_digest(arrays)
    code, lines, _ = run(*OUTPUTS, cwd=folder)
    assert (code, lines) == (0, [f"{expected}  {name}" for name in OUTPUTS])
    for name in OUTPUTS:
        for jobs in (1, 2, 7):
            assert xavinit.digest(folder / name, jobs=jobs) == expected
    each = {name: compute_digest({name: array}) for name, array in arrays.items()}
    for name in OUTPUTS:
        for jobs in (1, 3):
            assert xavinit.digest_tensors(folder / name, jobs=jobs) == each
    assert xavinit.digest_tensors(arrays) == each


def test_the_digests_of_tensors_are_in_the_order_of_the_file(folder: Path) -> None:
    found = list(xavinit.digest_tensors(folder / "w.safetensors"))
    assert found == ["a\tb\nc", "h.0.w", "h.1.w", "h.2.w", "none", "half"]  # float32 first


def test_a_list_is_read_back(folder: Path) -> None:
    _, files, _ = run(*OUTPUTS, cwd=folder)
    _, tensors, _ = run("--tensors", "w.h5", "w.safetensors", cwd=folder)
    assert len(tensors) == 12
    assert tensors[0].startswith("\\")  # a name with a tab and a line's end, on one line
    (folder / "list").write_text("# ours\n\n" + "\n".join([*files, *tensors]) + "\n")
    code, lines, messages = run("--check", "list", cwd=folder)
    assert (code, messages) == (0, [])
    assert len(lines) == 15
    assert all(line.endswith(": OK") for line in lines)
    assert run("-c", "-q", "list", cwd=folder) == (0, [], [])
    text = (folder / "list").read_bytes()
    assert run("-c", "-", cwd=folder, text=text.replace(b"\n", b"\r\n"))[0] == 0


def test_what_has_changed_is_named(folder: Path) -> None:
    _, files, _ = run(*OUTPUTS, cwd=folder)
    _, tensors, _ = run("--tensors", "w.h5", cwd=folder)
    (folder / "list").write_text("\n".join([*files, *tensors]))
    xavinit.generate(
        SPEC | {"rules": [{"match": "h.1.*", "init": "ones"}]}, folder / "w.h5", force=True
    )
    code, lines, messages = run("-cq", "list", cwd=folder)
    assert code == 5
    assert lines == ["w.h5: FAILED", "w.h5: h.1.w: FAILED"]
    assert messages == ["xavinit: 2 of 9 digests did not match"]


def test_what_is_gone_is_named(folder: Path) -> None:
    _, files, _ = run(*OUTPUTS, cwd=folder)
    (folder / "w.h5").unlink()
    (folder / "list").write_text("\n".join(files) + f"\n{'0' * 64}  w.safetensors\tno such\n")
    code, lines, messages = run("-c", "list", cwd=folder)
    assert code == 5  # a tensor that is not there has changed
    assert lines == [
        "w.safetensors: OK",
        "w.h5: FAILED to read",
        "set: OK",
        "w.safetensors: no such: FAILED",
    ]
    assert messages == [
        "xavinit: cannot read w.h5: No such file or directory",
        "xavinit: 1 of 4 digests did not match",
    ]
    (folder / "list").write_text("\n".join(files))
    code, _, messages = run("-c", "list", cwd=folder)
    assert (code, messages[-1]) == (4, "xavinit: 1 of 3 could not be read")


@pytest.mark.parametrize(
    ("arguments", "text", "code", "message"),
    [
        (["-c", "-"], b"tensors: {}", 4, "<stdin>:1: must be a digest, two spaces and a path; got"),
        (["-c", "-"], b"\n# none\n", 4, "<stdin>: it lists no digest"),
        (["-c", "-"], b"ab" * 32 + b"  a\tb\tc", 4, "<stdin>:1: must have one tab at most; got"),
        (["-c", "-"], b"\xff\x00", 4, "<stdin>:1: must be a digest, two spaces and a path; got"),
        (["-c", "none"], b"", 4, "cannot read none: No such file or directory"),
        (["-c", "--tensors", "l"], b"", 2, "--check reads lists: it takes neither"),
        (["-", "-"], b"", 2, "standard input can be read once; got - twice"),
    ],
)
def test_bad_input(
    tmp_path: Path, arguments: list[str], text: bytes, code: int, message: str
) -> None:
    found, lines, messages = run(*arguments, cwd=tmp_path, text=text)
    assert (found, lines, len(messages)) == (code, [], 1)
    assert messages[0].startswith(f"xavinit: {message}")


def test_each_file_of_a_list_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of its lines, and also one that cannot be read."""
    read = []

    def digest_tensors(path: str, **options: Any) -> dict[str, str]:
        read.append(path)
        return xavinit.digest_tensors(path, **options)

    monkeypatch.setattr(digest_lists, "digest_tensors", digest_tensors)
    names = [str(folder / name) for name in ("w.h5", "none.h5", "w.safetensors")]
    each = xavinit.digest_tensors(names[0])
    entries = [Entry(found, path, name) for name, found in each.items() for path in names]
    outcomes = list(digest_lists.check_entries(entries))
    assert [outcome.is_same for outcome in outcomes] == [True, False, True] * len(each)
    assert read == names


@pytest.mark.parametrize("options", [[], ["--tensors"]])
def test_json(folder: Path, options: list[str]) -> None:
    code, lines, _ = run("--json", *options, "w.h5", "set", cwd=folder)
    assert code == 0
    for line, path in zip(lines, ["w.h5", "set"], strict=True):
        content = json.loads(line)
        Draft202012Validator(SCHEMA).validate(content)
        assert content["path"] == path
        if options:
            assert content["tensors"] == xavinit.digest_tensors(folder / path)
        else:
            assert content["digest"] == xavinit.digest(folder / path)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(names, st.none() | names)
def test_any_name_comes_back(path: str, tensor: str | None) -> None:
    entry = Entry("ab" * 32, path, tensor)
    assert parse_list(format_entry(entry) + "\n", "list") == [entry]


def test_a_path_that_is_not_utf8_comes_back() -> None:
    entry = Entry("0" * 64, os.fsdecode(b"w\xff.h5"))
    assert parse_list(os.fsdecode(os.fsencode(format_entry(entry))), "list") == [entry]


def test_sha256sum_escapes_names_in_the_same_way(tmp_path: Path) -> None:
    name = "back\\slash\nline"
    (tmp_path / name).write_bytes(b"")
    done = subprocess.run(["sha256sum", name], cwd=tmp_path, capture_output=True, check=True)
    (entry,) = parse_list(done.stdout.decode(), "list")
    assert entry.path == name
    assert format_entry(entry) == done.stdout.decode().removesuffix("\n")


def test_a_line_that_is_none_is_told_with_its_number() -> None:
    with pytest.raises(InputError, match=r"^list:2: must be a digest"):
        parse_list(f"{'0' * 64}  a\nnonsense", "list")
