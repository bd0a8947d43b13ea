"""What fuzzing found, and what it starts from: every input ends in a plan or a message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(HERE))

from fuzz_readers import READERS, check  # noqa: E402  # its folder is no package

CORPUS = sorted((HERE / "corpus").iterdir())


def test_every_reader_has_an_input() -> None:
    assert {path.read_bytes()[0] % len(READERS) for path in CORPUS} == set(range(len(READERS)))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_an_input_ends_in_a_plan_or_a_message(path: Path) -> None:
    check(path.read_bytes())
