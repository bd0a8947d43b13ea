"""What fuzzing found, and what it starts from: every input ends in an answer or a message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(HERE))

import fuzz_files  # noqa: E402  # its folder is no package
from fuzz_readers import READERS, check  # noqa: E402

CORPUS = sorted((HERE / "corpus").iterdir())
FILES = sorted((HERE / "files").iterdir())


def test_every_reader_has_an_input() -> None:
    assert {path.read_bytes()[0] % len(READERS) for path in CORPUS} == set(range(len(READERS)))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_an_input_ends_in_a_plan_or_a_message(path: Path) -> None:
    check(path.read_bytes())


def test_every_reader_of_files_has_one() -> None:
    chosen = {path.read_bytes()[0] for path in FILES}
    assert chosen == set(range(len(fuzz_files.READERS)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_ends_in_a_digest_or_a_message(path: Path) -> None:
    fuzz_files.check(path.read_bytes())
