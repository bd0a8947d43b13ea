"""Stores whose answers are not what was asked for: none of them is taken for success."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from store_proxy import Answer, Proxy, start_proxy
from store_servers import BUCKET, Server
from test_stores_servers import CONTENT, PART, fetch, finish, send

from xavinit.errors import UsageError
from xavinit.stopping import StoppedError, obey
from xavinit.stores import Store, open_store, parse_url
from xavinit.stores.opening import forget_stores

pytestmark = pytest.mark.cluster

Headers = list[tuple[str, str]]
Change = Callable[[Any, Answer], Answer]


def change_answers(proxy: Proxy, change: Change) -> None:
    """Change what the server answers on its way; the handler tells the request."""
    pass_on = proxy.pass_on
    proxy.pass_on = lambda handler, body: change(handler, pass_on(handler, body))


@pytest.fixture
def fake() -> Iterator[Proxy]:
    """A server whose answers a test makes: `pass_on`."""
    with start_proxy(0) as fake:
        yield fake


@pytest.fixture
def opened(fake: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Store]]:
    """The fake's bucket, by the library of a scheme."""

    def open_fake(name: str) -> Store:
        server = Server(name, fake.port)
        for variable, value in server.get_environment().items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "1")
        forget_stores()
        return open_store(parse_url(f"{server.scheme}://{BUCKET}/"))

    yield open_fake
    forget_stores()


# --- Reading ---------------------------------------------------------------------------------


def test_a_range_that_is_another_is_refused(store: Store, proxy: Proxy) -> None:
    """The answer is honest about its place, and as long as what was asked for."""
    store.put("range", b"0123456789", is_new=False)
    found = store.find("range")
    assert found is not None

    def change(handler: Any, answer: Answer) -> Answer:
        status, headers, _ = answer
        if handler.command == "GET" and status < 300:
            kept = [(k, v) for k, v in headers if k.lower() != "content-range"]
            return 206, [*kept, ("Content-Range", "bytes 0-3/10")], b"0123"
        return answer

    change_answers(proxy, change)
    with pytest.raises(OSError, match=r"other bytes than those asked for|Requested 4..8, got 0..4"):
        store.read("range", 4, memoryview(bytearray(4)), found.tag)


@pytest.mark.parametrize("name", ["moto", "gcs", "azurite"])
def test_a_refusal_whose_body_is_cut_off_is_tried_again(
    fake: Proxy, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Half of it comes, and a reset; then all of it."""
    block = bytearray(4)
    count = [0]

    def answer(handler: Any, body: bytes) -> Answer:
        count[0] += 1
        if count[0] < 3:
            return 503, [("Content-Type", "application/xml")], b"<Error>" + b" " * 5000
        headers = [("ETag", '"t"'), ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")]
        return 206, [*headers, ("Content-Range", "bytes 4-7/10")], b"4567"

    fake.pass_on = answer
    store = opened(name)
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "30")
    fake.rule = lambda method, path: None if count[0] else "half"
    store.read("k", 4, memoryview(block), '"t"')
    assert block == b"4567"
    assert count[0] == 3


def answer_pages(name: str) -> Answer:
    """A page of a list whose next page is always the same."""
    if name == "gcs":
        page = {"items": [{"name": "p/a"}], "nextPageToken": "same"}
        return 200, [("Content-Type", "application/json")], json.dumps(page).encode()
    return (
        200,
        [("Content-Type", "application/xml")],
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>same</NextContinuationToken></ListBucketResult>",
    )


@pytest.mark.parametrize("name", ["moto", "gcs"])
def test_a_list_without_an_end(fake: Proxy, opened: Callable[[str], Store], name: str) -> None:
    fake.pass_on = lambda handler, body: answer_pages(name)
    with pytest.raises(OSError, match=r"^the store lists the same names again and again$"):
        opened(name).list_names("p/")
    assert len(fake.seen) == 2


def list_names(store: Store) -> None:
    store.list_names("p/")


def read_some(store: Store) -> None:
    store.read("k", 0, memoryview(bytearray(4)), '"t"')


def put_part(store: Store) -> None:
    store.start_upload("k", is_new=False).put_part(1, memoryview(b"abc"))


@pytest.mark.parametrize("call", [list_names, read_some, put_part])
@pytest.mark.parametrize("name", ["moto", "gcs", "azurite"])
def test_a_refusal_is_not_read_to_its_end(
    fake: Proxy, opened: Callable[[str], Store], name: str, call: Callable[[Store], None]
) -> None:
    """64 KiB of 200 MB are; what the connection holds comes on top."""
    if name == "azurite" and call is not put_part:
        pytest.skip("read by obstore, which has no bound")
    sent = [0]

    def answer(handler: Any, body: bytes) -> Answer:
        handler.send_response_only(400)
        handler.send_header("Content-Length", str(200 << 20))
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(bytes(1 << 20))
                sent[0] += 1
        finally:
            handler.close_connection = True
        return 200, [], b""

    fake.pass_on = answer
    store = opened(name)
    with pytest.raises(OSError, match=r"^the store answers 400"):
        call(store)
    assert sent[0] < 100


# --- Uploads to S3 ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"hello"])
@pytest.mark.parametrize("is_done", [True, False])
def test_success_that_is_not_of_s3(
    server: Server, store: Store, proxy: Proxy, body: bytes, is_done: bool
) -> None:
    """Another server's answer to the completion: the object is looked at, and it is sent again."""
    if server.scheme != "s3":
        pytest.skip("of S3")
    left = [1]
    pass_on = proxy.pass_on

    def answer(handler: Any, content: bytes) -> Answer:
        if handler.command == "POST" and "uploadId=" in handler.path and left[0]:
            left[0] -= 1
            if is_done:
                pass_on(handler, content)
            return 200, [("Content-Type", "text/html")], body
        return pass_on(handler, content)

    proxy.pass_on = answer
    key = f"words-{len(body)}-{is_done}"
    send(store, key, is_new=True)
    assert not left[0]
    assert fetch(store, key) == CONTENT
    assert server.list_unfinished() == []


@pytest.mark.parametrize("is_done", [True, False])
def test_a_small_object_whose_success_is_another_servers(
    server: Server, store: Store, proxy: Proxy, is_done: bool
) -> None:
    if server.scheme == "az":
        pytest.skip("by obstore, which looks for the tag itself")
    left = [1]
    pass_on = proxy.pass_on

    def answer(handler: Any, content: bytes) -> Answer:
        if handler.command in ("PUT", "POST") and left[0]:
            left[0] -= 1
            if is_done:
                pass_on(handler, content)
            return 200, [("Content-Type", "text/html")], b"<html>log in</html>"
        return pass_on(handler, content)

    proxy.pass_on = answer
    key = f"small-words-{is_done}"
    store.put(key, b"abc", is_new=False)
    assert not left[0]
    assert fetch(store, key) == b"abc"


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"hello"])
def test_success_that_is_never_of_s3(
    server: Server, store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    if server.scheme != "s3":
        pytest.skip("of S3")
    pass_on = proxy.pass_on

    def answer(handler: Any, content: bytes) -> Answer:
        if handler.command == "POST" and "uploadId=" in handler.path:
            return 200, [], body
        return pass_on(handler, content)

    proxy.pass_on = answer
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "1")
    said = "the store does not say that the upload is complete|the store answers 500"
    with pytest.raises(TimeoutError, match=said):
        send(store, "never", is_new=False)
    assert store.find("never") is None


# --- Uploads to Google's service -------------------------------------------------------------


class Google:
    """One session of Google's service, as its manual describes it; the emulator keeps no place.

    `keep` says how many of a request's bytes are kept.
    """

    def __init__(self, fake: Proxy) -> None:
        self.fake = fake
        self.kept = bytearray()
        self.object: bytes | None = None
        self.keep: Callable[[int, int], int] = lambda number, nbytes: nbytes
        self.puts: list[str] = []
        self.deleted: list[str] = []
        self.size: int | None = None  # that is told of an object, where it is a lie
        fake.pass_on = self.answer

    def answer(self, handler: Any, body: bytes) -> Answer:
        if handler.command == "POST":
            return 200, [("Location", f"http://127.0.0.1:{self.fake.port}/session")], b"{}"
        if handler.command == "DELETE":
            self.deleted.append(handler.path)
            self.object = None
            return 204, [], b""
        if handler.command == "PUT":
            return self.take(handler.headers["Content-Range"], body)
        return (404, [], b"") if self.object is None else self.describe()

    def describe(self) -> Answer:
        nbytes = len(self.object or b"") if self.size is None else self.size
        return 200, [], json.dumps({"size": str(nbytes), "generation": "7"}).encode()

    def take(self, place: str, body: bytes) -> Answer:
        self.puts.append(place)
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", place)
        assert match is not None
        if self.object is not None:
            return self.describe()
        if match[1] is not None:
            start = int(match[1])
            assert start <= len(self.kept), "a gap"
            assert len(body) == int(match[2]) + 1 - start
            new = body[len(self.kept) - start :]  # bytes that are there already are skipped
            self.kept += new[: self.keep(len(self.puts), len(new))]
        if match[3] == str(len(self.kept)):
            self.object = bytes(self.kept)
            return self.describe()
        return 308, [("Range", f"bytes=0-{len(self.kept) - 1}")] if self.kept else [], b""


@pytest.fixture
def google(fake: Proxy, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch) -> Google:
    google = Google(fake)
    opened("gcs")
    monkeypatch.setattr("xavinit.stores.gs_upload.is_emulated", lambda: False)
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "30")
    return google


def open_google() -> Store:
    return open_store(parse_url(f"gs://{BUCKET}/"))


STEP = 256 << 10


@pytest.mark.parametrize("seed", range(4))
def test_google_keeps_less_than_was_sent(google: Google, seed: int) -> None:
    """Of any request, also of the last, and nothing at times."""
    generator = random.Random(seed)

    def keep(number: int, nbytes: int) -> int:
        return nbytes if number % 3 == 2 else generator.randrange(0, nbytes + 1, STEP)

    google.keep = keep
    send(open_google(), "k", is_new=True)
    assert google.object == CONTENT
    assert google.deleted == []


def test_google_keeps_nothing(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "1")
    google.keep = lambda number, nbytes: 0
    with pytest.raises(TimeoutError, match=r"^the store keeps no bytes of an upload"):
        send(open_google(), "k", is_new=True)
    assert google.object is None
    assert len(google.deleted) == 1  # the session


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", ["lost", "503", "reset"])
def test_google_is_asked_what_has_arrived(
    google: Google, fake: Proxy, fault: str, number: int
) -> None:
    """After the answer to any of the requests is lost, the upload goes on from what is told."""
    count = [0]

    def choose(method: str, path: str) -> str | None:
        count[0] += method == "PUT"
        return fault if method == "PUT" and count[0] == number else None

    fake.rule = choose
    send(open_google(), "k", is_new=True)
    assert fake.faults == (number <= count[0])
    assert google.object == CONTENT
    nbytes = sum(
        int(match[2]) + 1 - int(match[1])
        for match in (re.match(r"bytes (\d+)-(\d+)/", place) for place in google.puts)
        if match is not None
    )
    assert nbytes == len(CONTENT)  # no byte has been taken twice
    assert any(place.startswith("bytes */") for place in google.puts)


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + PART])
def test_google_makes_an_object_of_another_size(google: Google, size: int) -> None:
    """It is removed, unless another has replaced it."""
    google.size = size
    with pytest.raises(OSError, match=r"^the store has made an object of other bytes"):
        finish(open_google().start_upload("k", is_new=True))
    assert google.deleted == [f"/storage/v1/b/{BUCKET}/o/k?ifGenerationMatch=7"]


def test_a_session_whose_beginning_is_answered_late_is_canceled(
    google: Google, fake: Proxy
) -> None:
    """The run is stopped while it begins; the answer comes during the abort."""
    held, release, stop = threading.Event(), threading.Event(), threading.Event()
    answer = google.answer

    def hold(handler: Any, body: bytes) -> Answer:
        if handler.command == "POST":
            held.set()
            release.wait()
        return answer(handler, body)

    fake.pass_on = hold
    upload: Any = open_google().start_upload("k", is_new=True)
    stopped: list[StoppedError] = []

    def work() -> None:
        obey(stop)
        try:
            upload.put_part(1, memoryview(b"abc"))
        except StoppedError as error:
            stopped.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    held.wait()
    stop.set()
    thread.join()
    assert len(stopped) == 1
    waited: list[float] = []
    join = upload._requests.join

    def release_and_join(seconds: float) -> bool:
        waited.append(seconds)
        release.set()
        return bool(join(60))

    upload._requests.join = release_and_join
    upload.abort(15)
    assert waited == [5]
    assert google.deleted == ["/session"]


# --- Credentials -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "variable"),
    [
        ("s3", "AWS_ENDPOINT_URL"),
        ("s3", "AWS_ENDPOINT_URL_S3"),
        ("gs", "STORAGE_EMULATOR_HOST"),
        ("az", "AZURE_STORAGE_ENDPOINT"),
    ],
)
@pytest.mark.parametrize(
    "address", ["user:SEC@host", "http://user:SEC/pw@host", "http://a b:SEC@c"]
)
def test_an_address_that_is_none(
    monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str, address: str
) -> None:
    if scheme == "gs" and "://" not in address:
        address = "user:S/EC@host"  # a host alone is one, with http before it
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "a")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv(variable, address)
    forget_stores()
    with pytest.raises(UsageError, match=f"^{variable} must be a server's address") as caught:
        open_store(parse_url(f"{scheme}://{BUCKET}/"))
    assert "SEC" not in caught.value.describe()


@pytest.mark.parametrize("proxy_address", ["socks5://user:SEC@127.0.0.1:1", "ftp://user:SEC@a b"])
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_the_address_of_a_proxy_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, scheme: str, proxy_address: str
) -> None:
    """A proxy that no library can use; nothing is sent anywhere else."""
    name = {"s3": "moto", "gs": "gcs", "az": "azurite"}[scheme]
    for variable, value in Server(name, 1).get_environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "0.2")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy_address)
    forget_stores()
    with pytest.raises(OSError, match=r".") as caught:
        open_store(parse_url(f"{scheme}://{BUCKET}/")).find("k")
    forget_stores()
    assert "SEC" not in str(caught.value)
    assert "SEC" not in str(caught.value.__cause__)
