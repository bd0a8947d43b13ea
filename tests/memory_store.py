"""A store in memory, for tests without a server: the bytes, every request, and faults.

`use_memory_stores(monkeypatch)` lets every URL name one: of it, `stores["s3", "bucket"]`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import pytest

from xavinit.stores import ChangedError, Found, opening


class MemoryStore:
    """One bucket.

    `objects` may be changed by a test at any time. `requests` are all that were made: the call's
    name, the key, and the bytes that were sent or asked for. `unfinished` are the uploads that
    were neither completed nor aborted. `fault` is called before each request, with the same three
    things; what it raises, the request raises, and nothing else happens.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.unfinished: list[MemoryUpload] = []
        self.fault: Callable[[str, str, int], None] = lambda call, key, nbytes: None
        self.lock = threading.RLock()

    def count(self, call: str) -> int:
        """How many requests of a name were made."""
        return sum(request[0] == call for request in self.requests)

    def note(self, call: str, key: str, nbytes: int = 0) -> None:
        with self.lock:
            self.requests.append((call, key, nbytes))
        self.fault(call, key, nbytes)

    def find(self, key: str) -> Found | None:
        self.note("find", key)
        content = self.objects.get(key)
        return None if content is None else Found(len(content), tag_of(content))

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        self.note("read", key, len(block))
        if key not in self.objects:
            raise FileNotFoundError("no such object")
        content = self.objects[key]
        if tag_of(content) != tag:
            raise ChangedError("the object has changed")
        if start + len(block) > len(content):
            raise ChangedError("the object is too short")
        block[:] = content[start : start + len(block)]

    def list_names(self, prefix: str) -> list[str]:
        self.note("list", prefix)
        rests = [key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)]
        return sorted({rest[: rest.find("/") + 1] or rest for rest in rests})

    def put(self, key: str, content: bytes, *, is_new: bool) -> None:
        self.note("put", key, len(content))
        with self.lock:
            if is_new and key in self.objects:
                raise FileExistsError("there is such an object")
            self.objects[key] = bytes(content)

    def start_upload(self, key: str, *, is_new: bool) -> MemoryUpload:
        return MemoryUpload(self, key, is_new=is_new)

    def delete(self, key: str) -> None:
        self.note("delete", key)
        self.objects.pop(key, None)


class MemoryUpload:
    """An object that is being sent to a `MemoryStore`, begun with the first part."""

    def __init__(self, store: MemoryStore, key: str, *, is_new: bool) -> None:
        self.store = store
        self.key = key
        self.is_new = is_new
        self.is_begun = False
        self.lock = threading.Lock()
        self.parts: dict[int, bytes] = {}

    def put_part(self, number: int, content: memoryview) -> None:
        with self.lock:
            if not self.is_begun:
                self.store.note("start", self.key)
                with self.store.lock:
                    self.store.unfinished.append(self)
                self.is_begun = True
        self.store.note("part", self.key, len(content))
        assert self in self.store.unfinished, "a part after the end"
        assert 1 <= number <= 10_000
        self.parts[number] = bytes(content)

    def complete(self) -> None:
        self.store.note("complete", self.key)
        assert sorted(self.parts) == list(range(1, len(self.parts) + 1)), "a part is missing"
        *first, _ = [len(self.parts[number]) for number in sorted(self.parts)]
        assert len(set(first)) <= 1, "parts of different sizes"
        with self.store.lock:
            if self.is_new and self.key in self.store.objects:
                raise FileExistsError("there is such an object")
            self.store.unfinished.remove(self)
            content = b"".join(self.parts[number] for number in sorted(self.parts))
            self.store.objects[self.key] = content

    def abort(self, seconds: float) -> None:
        if not self.is_begun:
            return
        self.store.note("abort", self.key)
        with self.store.lock:
            if self in self.store.unfinished:
                self.store.unfinished.remove(self)


class MemoryStores(dict[tuple[str, str], MemoryStore]):
    """The buckets by scheme and name, each made when it is first looked up."""

    def __missing__(self, place: tuple[str, str]) -> MemoryStore:
        self[place] = MemoryStore()
        return self[place]


def tag_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def use_memory_stores(monkeypatch: pytest.MonkeyPatch) -> MemoryStores:
    """Let every URL name a bucket in memory, until the test ends."""
    stores = MemoryStores()
    monkeypatch.setattr(opening, "_open", {})
    monkeypatch.setattr(opening, "make_store", lambda scheme, bucket: stores[scheme, bucket])
    return stores
