"""Objects as files: how many requests a reader makes, and of how many bytes."""

from __future__ import annotations

import random

import pytest
from memory_store import MemoryStore, tag_of

from xavinit.stores import ChangedError, RemoteFile
from xavinit.stores.remote_file import FIRST_AHEAD, MOST_AHEAD, MOST_HELD

CONTENT = random.Random(2).randbytes(3_000_000)


@pytest.fixture
def bucket() -> MemoryStore:
    store = MemoryStore()
    store.objects["w"] = CONTENT
    return store


def list_reads(store: MemoryStore) -> list[int]:
    return [nbytes for call, _, nbytes in store.requests if call == "read"]


def test_a_header_is_one_small_request(bucket: MemoryStore) -> None:
    with RemoteFile(bucket, "w") as file:
        assert file.nbytes == len(CONTENT)
        assert file.read(8) == CONTENT[:8]
        assert file.read(20_000) == CONTENT[8:20_008]
    assert list_reads(bucket) == [FIRST_AHEAD]


def test_reads_that_go_on_ask_for_more_and_more(bucket: MemoryStore) -> None:
    with RemoteFile(bucket, "w") as file:
        pieces = []
        while piece := file.read(1000):
            pieces.append(piece)
    assert b"".join(pieces) == CONTENT
    assert list_reads(bucket) == [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 968_384]
    assert sum(list_reads(bucket)) == len(CONTENT)


def test_reading_ahead_has_an_end() -> None:
    store = MemoryStore()
    store.objects["w"] = bytes(40 << 20)
    with RemoteFile(store, "w") as file:
        for _ in range(40):
            assert len(file.read(1 << 20)) == 1 << 20
    assert max(list_reads(store)) == MOST_AHEAD <= MOST_HELD


def test_a_large_read_is_not_copied(bucket: MemoryStore) -> None:
    with RemoteFile(bucket, "w") as file:
        file.seek(1_000_000)
        assert file.read(1_500_000) == CONTENT[1_000_000:2_500_000]
    assert list_reads(bucket) == [1_500_000]


def test_going_back_asks_for_nothing(bucket: MemoryStore) -> None:
    """As HDF5's library does, which looks at its first bytes again and again."""
    with RemoteFile(bucket, "w") as file:
        for place in (0, 2_000_000, 100, 2_000_050, 1_000_000, 30):
            file.seek(place)
            assert file.read(10) == CONTENT[place : place + 10]
    assert list_reads(bucket) == [FIRST_AHEAD] * 3


def test_any_reads_are_those_of_a_file(bucket: MemoryStore) -> None:
    generator = random.Random(4)
    with RemoteFile(bucket, "w") as file:
        for _ in range(300):
            place, nbytes = generator.randrange(3_100_000), generator.randrange(200_000)
            assert file.seek(place) == place
            assert file.read(nbytes) == CONTENT[place : place + nbytes]
            assert file.tell() == max(place, min(place + nbytes, len(CONTENT)))
        assert file.seek(-5, 2) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
        assert file.read() == b""
        with pytest.raises(ValueError, match="a place in a file must not be negative; got -1"):
            file.seek(-1)


def test_an_empty_object() -> None:
    store = MemoryStore()
    store.objects["w"] = b""
    with RemoteFile(store, "w") as file:
        assert file.read() == b""
    assert list_reads(store) == []


def test_an_object_that_changes_or_is_not_there(bucket: MemoryStore) -> None:
    with RemoteFile(bucket, "w") as file:
        file.read(10)
        bucket.objects["w"] = CONTENT[::-1]
        with pytest.raises(ChangedError, match="the object has changed"):
            file.read(100_000)
    with pytest.raises(FileNotFoundError, match="no such object"):
        RemoteFile(bucket, "x")


def test_every_read_bears_the_first_tag(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the object has been looked at again since, and found to be another."""
    tags: list[str] = []
    real = bucket.read

    def read(key: str, start: int, block: memoryview, tag: str) -> None:
        tags.append(tag)
        real(key, start, block, tag)

    monkeypatch.setattr(bucket, "read", read)
    with RemoteFile(bucket, "w") as file:
        file.read(10)
        file.seek(1_000_000)
        file.read(1_500_000)
        bucket.objects["w"] = CONTENT[::-1]
        assert bucket.find("w") is not None
        file.seek(2_900_000)
        with pytest.raises(ChangedError):
            file.read(10)
    assert tags == [tag_of(CONTENT)] * 3
