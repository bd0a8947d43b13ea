"""Stores that fail: requests are tried again, and nothing half-made is left, whatever is lost."""

from __future__ import annotations

import _thread
import contextlib
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from store_proxy import Proxy, Rule, fail_first
from store_servers import Server
from test_stores_servers import CONTENT, PART, fetch, finish, send

from xavinit.stopping import StoppedError, obey
from xavinit.stores import Store

pytestmark = [pytest.mark.cluster, pytest.mark.store_faults]

FAULTS = ["500", "503", "reset", "lost"]


def is_start(server: Server, method: str, path: str) -> bool:
    return method == "POST" and (path.endswith("?uploads") or "uploadType=resumable" in path)


def is_part(server: Server, method: str, path: str) -> bool:
    if server.scheme == "gs":  # among them the last one, which completes
        return method == "PUT" and "upload_id=" in path
    return method == "PUT" and ("comp=block&" in path or "partNumber=" in path)


def is_completion(server: Server, method: str, path: str) -> bool:
    return "comp=blocklist" in path or (method == "POST" and "uploadId=" in path)


STEPS = {"start": is_start, "part": is_part, "completion": is_completion}


def skip_unless_there(server: Server, step: str) -> None:
    """Not every service's uploads have all steps."""
    if step == "start" and server.scheme == "az":
        pytest.skip("Azure's uploads begin with their first block")
    if step == "completion" and server.scheme == "gs":
        pytest.skip("Google's last part completes the object")


def fail_step(server: Server, step: str, fault: str, count: int) -> Rule:
    """The first requests of a step of an upload fail."""
    left = [count]

    def choose(method: str, path: str) -> str | None:
        if left[0] and STEPS[step](server, method, path):
            left[0] -= 1
            return fault
        return None

    return choose


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS)
def test_an_upload_survives_faults(
    store: Store, server: Server, proxy: Proxy, fault: str, step: str, is_new: bool
) -> None:
    """Also those after which nobody knows whether the request was carried out."""
    skip_unless_there(server, step)
    if (step, fault, server.name) == ("start", "lost", "moto"):
        pytest.skip("moto dates all uploads 2010: one that was lost cannot be told from others")
    if (step, fault, server.name) == ("part", "lost", "gcs"):
        pytest.skip("the emulator takes bytes that it has a second time: a test of its own")
    key = f"survives-{step}-{fault}-{is_new}"
    proxy.rule = fail_step(server, step, fault, 2)
    send(store, key, is_new=is_new)
    assert proxy.faults == 2
    assert fetch(store, key) == CONTENT
    assert server.list_unfinished() == []


def test_an_emulator_that_takes_bytes_a_second_time(
    server: Server, store: Store, proxy: Proxy
) -> None:
    """Google's service is asked what has arrived; the emulator's wrong object does not stay."""
    if server.name != "gcs":
        pytest.skip("fake-gcs-server alone")
    proxy.rule = fail_step(server, "part", "lost", 1)
    with pytest.raises(OSError, match=r"^the store has made an object of other bytes than those"):
        send(store, "twice", is_new=True)
    assert store.find("twice") is None


@pytest.mark.parametrize("fault", FAULTS)
def test_small_requests_survive_faults(
    store: Store, server: Server, proxy: Proxy, fault: str
) -> None:
    key = f"small-{fault}"
    put, find = ("POST", "GET") if server.scheme == "gs" else ("PUT", "HEAD")
    proxy.rule = fail_first(2, fault, put)
    store.put(key, b"abc", is_new=True)
    proxy.rule = fail_first(2, fault, find)
    found = store.find(key)
    assert found is not None
    block = bytearray(3)
    proxy.rule = fail_first(2, fault, "GET")
    store.read(key, 0, memoryview(block), found.tag)
    assert block == b"abc"
    proxy.rule = fail_first(2, fault, "GET")
    assert key in store.list_names("")
    proxy.rule = fail_first(2, fault)
    store.delete(key)
    assert proxy.faults == 10
    assert store.find(key) is None


def test_a_lost_answer_does_not_hide_another_object(store: Store, proxy: Proxy) -> None:
    """A conditional put that is tried again finds one: ours, or one with another content."""
    store.put("hidden", b"theirs", is_new=False)
    proxy.rule = fail_first(2, "lost", "PUT")
    with pytest.raises(FileExistsError, match="there is such an object"):
        store.put("hidden", b"ours", is_new=True)
    assert fetch(store, "hidden") == b"theirs"


def test_a_read_goes_on_where_it_was_cut(store: Store, proxy: Proxy) -> None:
    send(store, "cut", is_new=False)
    proxy.rule = fail_first(3, "half", "GET")
    assert fetch(store, "cut") == CONTENT
    assert proxy.faults == 3


@pytest.mark.parametrize("fault", ["500", "503", "reset"])
@pytest.mark.parametrize("step", ["part", "completion"])
def test_a_store_that_fails_for_good(
    store: Store,
    server: Server,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    step: str,
) -> None:
    """The upload is given up, and forgotten by the store."""
    skip_unless_there(server, step)
    key = f"fails-{step}-{fault}"
    proxy.rule = fail_step(server, step, fault, 1000)
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "2")
    with pytest.raises(TimeoutError, match=r"\(after .* in \d+ s\)$") as caught:
        send(store, key, is_new=False)
    said = f"answers {fault}|the connection failed|does not answer"  # the last by a slow machine
    assert re.search(said, str(caught.value))
    monkeypatch.delenv("XAVINIT_STORE_PATIENCE")
    proxy.rule = lambda method, path: None
    assert store.find(key) is None
    assert server.list_unfinished() == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than this for an answer. It comes before `store`, which takes its limits."""
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "5")


@pytest.mark.parametrize("step", ["part", "completion"])
@pytest.mark.usefixtures("impatient")
def test_a_store_that_stalls_for_good(
    store: Store, server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    skip_unless_there(server, step)
    key = f"stalls-{step}"
    proxy.rule = fail_step(server, step, "stall", 1000)
    with pytest.raises(TimeoutError, match=r"\(after .* in \d+ s\)$"):
        send(store, key, is_new=False)
    monkeypatch.delenv("XAVINIT_STORE_PATIENCE")
    proxy.rule = lambda method, path: None
    assert store.find(key) is None
    assert server.list_unfinished() == []


def test_a_store_that_is_not_there(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "2")
    proxy.rule = lambda method, path: "reset"
    for request in (lambda: store.find("x"), lambda: store.list_names("x")):
        with pytest.raises(TimeoutError, match=r"\(after .* in \d+ s\)$"):
            request()


def interrupt(work: Callable[[], object], proxy: Proxy, how: str) -> BaseException | None:
    """Run work until a request of it stalls, and interrupt it then; what it raises."""
    raised: list[BaseException] = []
    if how == "Ctrl-C":
        watcher = threading.Thread(
            target=lambda: proxy.stalled.wait(60) and _thread.interrupt_main()
        )
        watcher.start()
        try:
            work()
        except KeyboardInterrupt as error:
            raised.append(error)
        watcher.join()
        return raised[0] if raised else None
    stop = threading.Event()

    def run() -> None:
        obey(stop)
        try:
            work()
        except StoppedError as error:
            raised.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    assert proxy.stalled.wait(60)
    stop.set()
    worker.join(60)  # far less than the two minutes after which the store is given up
    return raised[0] if raised else None


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["Ctrl-C", "a crew that stops"])
def test_an_interrupt_ends_an_upload_to_a_store_that_stalls(
    store: Store, server: Server, proxy: Proxy, how: str, step: str
) -> None:
    skip_unless_there(server, step)
    key = f"interrupted-{step}-{how}"
    proxy.rule = fail_step(server, step, "stall", 1000)
    upload = store.start_upload(key, is_new=True)
    assert interrupt(lambda: finish(upload), proxy, how) is not None
    # One whose beginning is not answered at all may come later: that is told.
    is_lost = step == "start" and server.scheme == "s3"
    with pytest.raises(OSError) if is_lost else contextlib.nullcontext():  # noqa: PT011
        upload.abort(15)
    assert server.list_unfinished() == []
    proxy.rule = lambda method, path: None
    assert store.find(key) is None
    send(store, key, is_new=True)
    assert fetch(store, key) == CONTENT


@pytest.mark.parametrize("how", ["Ctrl-C", "a crew that stops"])
def test_an_interrupt_ends_a_read_from_a_store_that_stalls(
    store: Store, proxy: Proxy, how: str
) -> None:
    store.put("stalls", b"abc", is_new=False)
    proxy.rule = lambda method, path: "stall" if method == "GET" else None
    assert interrupt(lambda: fetch(store, "stalls"), proxy, how) is not None


def test_an_upload_that_is_begun_too_late_is_aborted(
    store: Store, server: Server, proxy: Proxy
) -> None:
    """The answer to its beginning comes after the interrupt."""
    if server.scheme != "s3":
        pytest.skip("S3 alone tells what was begun")

    def choose(method: str, path: str) -> str | None:
        if is_start(server, method, path):
            _thread.interrupt_main()
        return None

    def begin() -> None:
        send(store, "late", is_new=True)
        threading.Event().wait(60)  # the interrupt may come after the answer

    proxy.rule = choose
    with pytest.raises(KeyboardInterrupt):
        begin()
    assert server.list_unfinished() == []


def test_an_upload_that_a_thread_began_that_was_stopped_is_aborted(
    store: Store, server: Server, proxy: Proxy
) -> None:
    """The answer to its beginning comes when that thread has gone; then the store is busy."""
    if server.scheme != "s3":
        pytest.skip("S3 alone tells what was begun")
    stop, gone = threading.Event(), threading.Event()
    refused: list[str] = []
    upload = store.start_upload("stopped", is_new=True)

    def choose(method: str, path: str) -> str | None:
        if method == "DELETE" and len(refused) < 3:
            refused.append(path)
            return "503"
        return None

    real = proxy.pass_on

    def pass_on(handler: Any, body: bytes) -> Any:
        answer = real(handler, body)
        if is_start(server, handler.command, handler.path):
            stop.set()
            gone.wait(60)
        return answer

    def work() -> None:
        obey(stop)
        with contextlib.suppress(StoppedError):
            upload.put_part(1, memoryview(CONTENT)[:PART])

    proxy.rule, proxy.pass_on = choose, pass_on
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    gone.set()
    upload.abort(15)
    assert len(refused) == 3
    assert server.list_unfinished() == []


def test_an_abort_that_cannot_be_seen_is_one(store: Store, server: Server, proxy: Proxy) -> None:
    """To list parts is another right than to abort, and not every server offers it."""
    if server.scheme != "s3":
        pytest.skip("S3 alone lists parts")
    for status in ("403", "501"):
        upload = store.start_upload("unseen", is_new=True)
        upload.put_part(1, memoryview(CONTENT)[:PART])
        proxy.rule = lambda method, path, status=status: status if method == "GET" else None
        upload.abort(15)
        assert proxy.faults
        proxy.rule = lambda method, path: None
        assert server.list_unfinished() == []


@pytest.mark.parametrize(
    "write", [lambda store: store.put("x", b"1", is_new=True), lambda s: send(s, "x", is_new=True)]
)
def test_a_server_without_a_request(
    store: Store, server: Server, proxy: Proxy, write: Callable[[Store], None]
) -> None:
    """It answers 501, also without the condition."""
    if server.scheme != "s3":
        pytest.skip("the others have one server each, which offers all")
    proxy.rule = lambda method, path: "501" if method in ("PUT", "POST") else None
    with pytest.raises(OSError, match=r"^the store does not implement this: "):
        write(store)
    assert server.list_unfinished() == []


def test_the_parts_of_other_runs_are_left_alone(store: Store, server: Server, proxy: Proxy) -> None:
    """An abort forgets one upload, also where another is on its way to the same object."""
    first, second = (store.start_upload("both", is_new=new) for new in (True, False))
    for number, start in enumerate(range(0, len(CONTENT), PART), 1):
        first.put_part(number, memoryview(CONTENT)[start : start + PART])
        second.put_part(number, memoryview(CONTENT)[start : start + PART])
    first.complete()
    second.abort(15)
    assert fetch(store, "both") == CONTENT
    assert server.list_unfinished() == []
