"""A proxy before a server of objects that makes faults: refusals, resets, answers lost, silence."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What becomes of a request, by its method and its path with the query:
#   None        it is passed on, and its answer back
#   "500" …     it is refused with a status, and not passed on
#   "reset"     the connection is reset before the request is passed on
#   "lost"      it is passed on and carried out; then the connection is reset
#   "half"      half of the answer's body comes back; then the connection is reset
#   "stall"     nothing comes back, until the test ends
Rule = Callable[[str, str], str | None]

Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body

_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


class Proxy(ThreadingHTTPServer):
    """A proxy that runs. `rule` may be changed at any time; `seen` are the requests so far.

    `sent` counts the bytes of answers' bodies.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.rule: Rule = lambda method, path: None
        self.pass_on: Callable[[_Handler, bytes], Answer] = _Handler.pass_on  # what does so
        self.seen: list[tuple[str, str]] = []
        self.faults = 0
        self.sent = 0
        self.ended = threading.Event()
        self.stalled = threading.Event()  # a request is being kept waiting
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def choose(self, method: str, path: str) -> str | None:
        with self.lock:
            self.seen.append((method, path))
            fault = self.rule(method, path)
            self.faults += fault is not None
            return fault

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # no orderly end: a reset shall be one

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of the proxy's errors."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two writes
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _serve(self) -> None:
        fault = self.server.choose(self.command, self.path)
        if fault == "reset":
            return self._reset()
        if fault == "stall":
            self.server.stalled.set()
            self.server.ended.wait()
            return self._reset()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault is not None and fault.isdigit():
            return self._answer(int(fault), [], b"")
        status, headers, content = self.server.pass_on(self, body)
        if fault == "lost":
            return self._reset()
        if fault == "half":
            self._answer(status, headers, content, len(content) // 2)
            return self._reset()
        return self._answer(status, headers, content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def pass_on(self, body: bytes) -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        with contextlib.closing(link):
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            link.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                link.putheader(name, value)
            link.endheaders(body)
            answer = link.getresponse()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP]
            return answer.status, kept, answer.read()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, cut: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD" and status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            with self.server.lock:
                self.server.sent += len(content[:cut])
            self.wfile.write(content[:cut])


@contextlib.contextmanager
def start_proxy(target: int) -> Iterator[Proxy]:
    """A proxy to a port, until the block ends."""
    with Proxy(target) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.ended.set()
            proxy.shutdown()
            thread.join()


def fail_first(count: int, fault: str, method: str = "", part: str = "") -> Rule:
    """The first requests of a method, with a part in their path, fail."""
    left = [count]

    def choose(called: str, path: str) -> str | None:
        if left[0] and called.startswith(method) and part in path:
            left[0] -= 1
            return fault
        return None

    return choose
