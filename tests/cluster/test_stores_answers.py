"""What stores make of answers that no server on loopback gives, by one that gives them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from store_servers import Server

from xavinit.errors import UsageError
from xavinit.stores import Store, open_store, parse_url
from xavinit.stores.opening import forget_stores

pytestmark = pytest.mark.cluster

Answer = tuple[int, dict[str, str], bytes]
Decide = Callable[[str, str, dict[str, str]], Answer]

PART = 300_000  # more than the chunk of an upload to gs://
NO_BUCKET = "The specified bucket does not exist."


class Script(ThreadingHTTPServer):
    """A server that answers as `decide` says: by the method, the path, and the headers."""

    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # no orderly end: a reset shall be one

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.decide: Decide = lambda method, path, headers: (404, {}, b"")

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Script

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = self.server.decide(self.command, self.path, dict(self.headers))
        self.send_response_only(status)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if int(headers["Content-Length"]) > len(body):  # reset the connection
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def open_on(script: Script, scheme: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    names = {"s3": "moto", "gs": "gcs", "az": "azurite"}
    for name, value in Server(names[scheme], script.port).get_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "2")
    forget_stores()
    yield open_store(parse_url(f"{scheme}://my-bucket/"))
    forget_stores()


@pytest.fixture
def google(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_on(script, "gs", monkeypatch) as store:
        yield store


@pytest.fixture
def amazon(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_on(script, "s3", monkeypatch) as store:
        yield store


def tell(message: str) -> bytes:
    """An error as Google's service words it."""
    return json.dumps({"error": {"code": 404, "message": message}}).encode()


def test_what_is_not_there_is_told_from_a_missing_bucket(google: Store, script: Script) -> None:
    """Whose name, and the object's, may hold any word."""
    for key in ("a", NO_BUCKET, f'"message": "{NO_BUCKET}'):
        body = tell(f"No such object: my-bucket/{key}")
        script.decide = lambda method, path, headers, body=body: (404, {}, body)
        google.delete(key)
        assert google.find(key) is None
    script.decide = lambda method, path, headers: (404, {}, tell(NO_BUCKET))
    with pytest.raises(FileNotFoundError, match=r"^no such bucket$"):
        google.delete("a")


class Session:
    """Google's service with one upload, which keeps what `keep` says of each chunk."""

    def __init__(self, script: Script, keep: Callable[[int, int], int]) -> None:
        self.kept = 0
        self.tries = 0
        self.size: int | None = None
        self._port = script.port
        self._keep = keep
        script.decide = self.decide

    def decide(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        if method == "POST":
            return 200, {"Location": f"http://127.0.0.1:{self._port}/session"}, b"{}"
        if method != "PUT":
            return 404, {}, tell("No such object: my-bucket/k")
        self.tries += 1
        place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers["Content-Range"])
        assert place is not None
        start, end = int(place[1]), int(place[2]) + 1
        assert start <= self.kept
        self.kept = max(self.kept, self._keep(self.tries, end))
        if place[3] == str(self.kept):
            size = self.kept if self.size is None else self.size
            return 200, {}, json.dumps({"size": str(size)}).encode()
        return 308, {"Range": f"bytes=0-{self.kept - 1}"} if self.kept else {}, b""


def upload(store: Store, *parts: int) -> None:
    one = store.start_upload("k", is_new=True)
    for number, nbytes in enumerate(parts, 1):
        one.put_part(number, memoryview(bytes(nbytes)))
    one.complete()


@pytest.mark.parametrize(
    "keep",
    [
        lambda tries, end: end,
        lambda tries, end: 0 if tries == 1 else end,  # 308 without a Range
        lambda tries, end: min(end, tries * 100_000),  # a part of each chunk, also of the last
    ],
)
def test_an_upload_goes_on_where_the_service_is(
    google: Store, script: Script, keep: Callable[[int, int], int]
) -> None:
    session = Session(script, keep)
    upload(google, PART, PART)
    assert session.kept == 2 * PART


def test_a_service_that_keeps_nothing_is_given_up(google: Store, script: Script) -> None:
    Session(script, lambda tries, end: 0)
    with pytest.raises(TimeoutError, match=r"^the store keeps no bytes of an upload \(after "):
        upload(google, PART, PART)


def test_an_object_of_another_size_is_told(google: Store, script: Script) -> None:
    Session(script, lambda tries, end: end).size = 2 * PART + 1
    with pytest.raises(OSError, match=r"^the store has made an object of other bytes than those"):
        upload(google, PART, PART)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_another_range_than_was_asked_for_is_refused(
    script: Script, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    told = {"ETag": '"tag"', "Content-Range": "bytes 0-2/100"}
    script.decide = lambda method, path, headers: (206, told, b"abc")
    with open_on(script, scheme, monkeypatch) as store:
        block = bytearray(3)
        store.read("k", 0, memoryview(block), '"tag"')
        assert block == b"abc"
        with pytest.raises(OSError, match=r"^the store answers with other bytes than those asked"):
            store.read("k", 5, memoryview(block), '"tag"')


def test_what_cannot_be_understood(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of HTML, or headers that are missing: no error of ours."""
    script.decide = lambda method, path, headers: (200, {}, b"<html>login</html>")
    requests: list[tuple[str, Callable[[Store], object]]] = [
        ("s3", lambda store: store.find("k")),
        ("s3", lambda store: upload(store, PART)),
        ("gs", lambda store: store.find("k")),
        ("gs", lambda store: store.list_names("k")),
        ("gs", lambda store: upload(store, PART)),
    ]
    for scheme, request in requests:
        with (
            open_on(script, scheme, monkeypatch) as store,
            pytest.raises(OSError, match=r"^the store gives an answer that cannot be understood$"),
        ):
            request(store)


@pytest.mark.parametrize("body", [b"", b"<html>login</html>"])
def test_a_completion_without_a_result_is_none(amazon: Store, script: Script, body: bytes) -> None:
    begun = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"

    def decide(method: str, path: str, headers: dict[str, str]) -> Answer:
        if path.endswith("?uploads"):
            return 200, {}, begun
        return (404, {}, b"") if method == "HEAD" else (200, {"ETag": '"1"'}, body)

    def without_tag(method: str, path: str, headers: dict[str, str]) -> Answer:
        status, told, answer = decide(method, path, headers)
        return status, {} if method == "POST" else told, answer

    script.decide = without_tag
    said = r"^the store does not say that the upload is complete|^the store answers 500"
    with pytest.raises(TimeoutError, match=said):
        upload(amazon, PART)


def test_names_that_go_round_in_a_circle(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = {
        "s3": b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>x</NextContinuationToken></ListBucketResult>",
        "gs": b'{"nextPageToken": "x"}',
    }
    for scheme, body in bodies.items():
        script.decide = lambda method, path, headers, body=body: (200, {}, body)
        with (
            open_on(script, scheme, monkeypatch) as store,
            pytest.raises(OSError, match="lists the same names again and again"),
        ):
            store.list_names("")


@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_a_bad_patience_is_a_mistake_of_use(
    script: Script, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with open_on(script, scheme, monkeypatch):
        forget_stores()
        monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "abc")
        with pytest.raises(UsageError, match=r'^XAVINIT_STORE_PATIENCE must be .*; got "abc"$'):
            open_store(parse_url(f"{scheme}://b/"))


def test_without_credentials_every_refusal_says_so(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers call it a bad request."""
    with open_on(script, "s3", monkeypatch):
        forget_stores()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        for status in (400, 403):
            script.decide = lambda method, path, headers, status=status: (status, {}, b"")
            with pytest.raises(OSError, match=rf"{status}.* \(no credentials are found\)$"):
                open_store(parse_url("s3://b/")).find("k")
        script.decide = lambda method, path, headers: (404, {}, b"")
        assert open_store(parse_url("s3://b/")).find("k") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "user:SECRET@127.0.0.1:1"),
        ("AWS_ENDPOINT_URL", "http://user:SECRET/SECRET@127.0.0.1:1"),
        ("AWS_ENDPOINT_URL", "http://us er:SEC RET@ho st"),
        ("AZURE_STORAGE_ENDPOINT", "user:SECRET@127.0.0.1:1"),
    ],
)
def test_no_endpoint_with_a_password_is_told(
    script: Script, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    scheme = "s3" if name.startswith("AWS") else "az"
    with open_on(script, scheme, monkeypatch):
        forget_stores()
        monkeypatch.setenv(name, value)
        with pytest.raises((OSError, UsageError)) as told:
            open_store(parse_url(f"{scheme}://b/")).find("k")
        assert "SEC" not in str(told.value)
        assert "https://" in str(told.value)


def test_a_refusal_whose_body_is_cut_is_tried_again(amazon: Store, script: Script) -> None:
    tries: list[str] = []

    def decide(method: str, path: str, headers: dict[str, str]) -> Answer:
        tries.append(method)
        if len(tries) == 1:
            return 503, {"Content-Length": "1000"}, b"<Error>"
        return 206, {"ETag": '"tag"', "Content-Range": "bytes 0-2/3"}, b"abc"

    script.decide = decide
    block = bytearray(3)
    amazon.read("k", 0, memoryview(block), '"tag"')
    assert block == b"abc"
    assert len(tries) == 2
