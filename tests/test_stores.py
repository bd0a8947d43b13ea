"""Stores without a server: URLs, messages, tries, and libraries that are not installed."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from memory_store import MemoryStore, use_memory_stores

import xavinit
from xavinit.errors import AddressError, MissingLibraryError, UsageError
from xavinit.process import run_command
from xavinit.stopping import StoppedError, obey
from xavinit.stores import Url, bounds, is_url, open_store, opening, parse_url, retrying
from xavinit.stores.answers import clean, explain
from xavinit.stores.bodies import Body
from xavinit.stores.bounds import (
    MOST_PAGES,
    MOST_REFUSED,
    BoundedAnswer,
    Pages,
    TooLongError,
    check_range,
)
from xavinit.stores.endpoints import check_endpoints
from xavinit.stores.recognizing import is_same_content
from xavinit.stores.retrying import BusyError, persist
from xavinit.stores.store import ChangedError, NoBucketError
from xavinit.stores.waiting import Requests

# --- URLs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://b/w.safetensors", Url("s3", "b", "w.safetensors")),
        ("gs://b/a/b c/", Url("gs", "b", "a/b c/")),
        ("az://container", Url("az", "container", "")),
        ("az://container/", Url("az", "container", "")),
        ("az://container/p/q/", Url("az", "container", "p/q/")),
        ("s3://b/p//q\\w/..", Url("s3", "b", "p//q\\w/..")),
        ("s3://b/a?b#c%20", Url("s3", "b", "a?b#c%20")),  # a key may hold all of these
    ],
)
def test_a_url_is_a_bucket_and_a_key(text: str, url: Url) -> None:
    assert is_url(text)
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("folder", "key"),
    [("s3://b", "w"), ("s3://b/", "w"), ("s3://b/p", "p/w"), ("s3://b/p//", "p//w")],
)
def test_a_name_in_a_folder_is_found_by_it(folder: str, key: str) -> None:
    """The one way for what reads and what writes; two slashes are a name of their own."""
    url = parse_url(folder).join("w")
    assert url == Url("s3", "b", key)
    assert url.split() == (folder.removesuffix("/"), "w")


@pytest.mark.parametrize("folder", ["s3://b/p", "s3://b/p/", "s3://b/p//", "s3://b"])
@pytest.mark.parametrize("options", [{"format": "npy"}, {"max_shard_size": "1kB"}])
def test_what_is_written_is_read_by_the_same_name(
    folder: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_memory_stores(monkeypatch)
    xavinit.generate({"tensors": {"w.{3}": [10, 20]}}, folder, **options)
    assert xavinit.verify(folder).is_same
    xavinit.generate({"tensors": {"w.{3}": [10, 20]}}, folder, force=True, **options)


@pytest.mark.parametrize(
    "path",
    ["w.safetensors", "./s3://b/w", "/s3:/b", "s3:b", "x:/b", "odd:/b", "two words://b", "-"],
)
def test_every_other_name_is_a_file(path: str) -> None:
    assert not is_url(path)


@pytest.mark.parametrize(
    ("path", "got", "hint"),
    [
        ("S3://b/w", "S3://", "write s3://b/w"),
        ("s3:/b/w", "s3:/", "write s3://b/w"),
        ("s3a://b/w", "s3a://", "write s3://b/w"),
        ("gcs://b/w", "gcs://", "write gs://b/w"),
        ("abfss://c/w", "abfss://", "write az://c/w"),
        ("abfs://c@me.dfs.core.windows.net/p/w", "abfs://", "write az://c/p/w"),
        ("https://b.s3.eu-west-1.amazonaws.com/p/w?sig=x", "https://", "write s3://b/p/w"),
        ("https://s3.amazonaws.com/b/p/w", "https://", "write s3://b/p/w"),
        ("https://storage.googleapis.com/b/p/w", "https://", "write gs://b/p/w"),
        ("https://me.blob.core.windows.net/c/w?sig=x", "https://", "write az://c/w"),
        ("https://host/w", "https://", "download it, or name the object in its store"),
        ("file:///tmp/w", "file://", "write the path alone: /tmp/w"),
        ("ftp://b/w", "ftp://", None),
    ],
)
def test_an_address_of_another_kind_is_refused(path: str, got: str, hint: str | None) -> None:
    with pytest.raises(AddressError) as caught:
        is_url(path)
    assert caught.value.describe() == (
        f"the address of an object begins with s3://, gs:// or az://; got {got}"
    )
    assert caught.value.hint == hint


def test_a_folder_of_such_a_name_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AddressError):
        xavinit.generate({"tensors": {"w": [2, 3]}}, "gcs://b/w.safetensors")
    (tmp_path / "gcs:" / "b").mkdir(parents=True)
    xavinit.generate({"tensors": {"w": [2, 3]}}, "gcs://b/w.safetensors")
    assert (tmp_path / "gcs:" / "b" / "w.safetensors").exists()
    assert xavinit.verify("gcs://b/w.safetensors").is_same


@pytest.mark.parametrize(
    "verb", ["inspect", "verify", "digest", "derive", "plan", "check", "generate"]
)
def test_every_verb_refuses_an_address_of_another_kind(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["xavinit", verb, "gcs://b/w.safetensors"])
    assert run_command() == 2
    assert capsys.readouterr().err == (
        "xavinit: the address of an object begins with s3://, gs:// or az://; got gcs://\n"
        "  hint: write gs://b/w.safetensors\n"
    )


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["derive", "w.safetensors", "-o"], "a YAML file is"),
        (["new", "mlp", "-o"], "a YAML file is"),
        (["inspect", "w.safetensors", "--html"], "a page is"),
        (["derive", "config.json", "--tiny", "-o"], "config.json and spec.yaml are"),
    ],
)
def test_what_is_written_to_a_disk_alone(
    arguments: list[str],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["xavinit", *arguments, "s3://b/out"])
    assert run_command() == 2
    told = capsys.readouterr().err
    assert told.startswith(f"xavinit: {what} written to a disk")
    assert "not to a store; got s3://b/out\n  hint: name a f" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://b/..", 'an object must not be called . or ..; got "s3://b/.."'),
        ("s3:///w", 'the URL of an object needs a bucket; got "s3:///w"'),
        ("ftp://b/w", '"ftp://b/w" is not the URL of an object'),
        ("s3://b c/w", 'the name of a bucket has no spaces; got "b c"'),
        (
            "s3://me:SECRET@b/w",
            "the URL of an object takes no user or password: they are in variables",
        ),
        ("s3://b/\udcff", 'the URL of an object must be UTF-8; got "s3://b/\\udcff"'),
        ("gs://b/..", 'an object must not be called . or ..; got "gs://b/.."'),
        *(
            (
                f"az://c/{key}",
                "a name of az:// has no backslash, no control character, and between its slashes "
                f'neither nothing nor . or ..; got "az://c/{shown}"',
            )
            for key, shown in [
                ("/w", "/w"),
                ("p//w", "p//w"),
                ("p/../w", "p/../w"),
                ("p\\w", "p\\\\w"),
                ("p\tw", "p\\tw"),
            ]
        ),
        ("gs://b/\udcff.h5", r'the URL of an object must be UTF-8; got "gs://b/\udcff.h5"'),
    ],
)
def test_what_names_no_object(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(text)
    assert caught.value.describe() == message


@pytest.mark.parametrize("key", ["a\\b", "/a", "a//b", "a/../b", ".", "a\nb"])
def test_a_name_that_azures_library_takes_for_another(key: str) -> None:
    with pytest.raises(UsageError, match=r"^a(n object must| name of az:// has no)"):
        parse_url(f"az://c/{key}")
    if key != ".":
        assert parse_url(f"s3://c/{key}").key == key
    assert parse_url("az://c/a/b/").key == "a/b/"


def test_a_key_that_is_not_utf_8() -> None:
    with pytest.raises(UsageError, match=r"^the URL of an object must be UTF-8; got "):
        parse_url("s3://b/\udcff.safetensors")


# --- Opening ---------------------------------------------------------------------------------


def test_a_bucket_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = use_memory_stores(monkeypatch)
    store = open_store(parse_url("s3://b/x"))
    assert store is open_store(parse_url("s3://b/y"))
    assert store is not open_store(parse_url("gs://b/y"))
    assert set(stores) == {("s3", "b"), ("gs", "b")}


@pytest.mark.parametrize(
    ("scheme", "library"), [("s3", "boto3"), ("az", "azure"), ("gs", "requests")]
)
def test_a_library_that_is_not_installed(
    scheme: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_open", {})
    for name in list(sys.modules):
        if name.startswith(f"xavinit.stores.{scheme}"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("boto3", "azure", "requests"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingLibraryError) as caught:
        open_store(parse_url(f"{scheme}://b/x"))
    message = f"{scheme}:// needs {library}"
    assert caught.value.describe().startswith(message)
    assert caught.value.describe().endswith(": pip install 'xavinit[cloud]'")


# --- Messages --------------------------------------------------------------------------------

SECRETS = [
    "GET https://a.blob.core.windows.net/c/b?sv=2024&sig=SECRET%3D failed",
    "https://user:SECRET@host/path is refused",
    "Authorization: AWS4-HMAC-SHA256 Credential=SECRET/2026/us-east-1, Signature=SECRET",
    "header authorization: Bearer SECRET is bad",
    "first line\nx-amz-security-token: SECRET",
    "AccountName=a;AccountKey=SECRET==;EndpointSuffix=x",
    "aws_secret_access_key = SECRET",
    "signature 'x' differs; token=SECRET",
    "Authorization SharedKey account:SECRET",
    "Invalid endpoint: user:SECRET@127.0.0.1:1",
    "Custom endpoint `http://user:SECRET/SECRET@127.0.0.1:1` was not a valid URI",
    "cannot GET http://user:SECRET?SECRET#SECRET@host/a",
    'Failed to connect to proxy URL: "http://socks5://user:SECRET@127.0.0.1:1"',
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_in_a_message(text: str) -> None:
    for message in (clean(text), str(explain(400, "Bad", text)), str(explain(403, "X", text))):
        assert "SECRET" not in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((404,), FileNotFoundError, "no such object"),
        ((404, "NoSuchBucket"), NoBucketError, "no such bucket"),
        ((404, "ContainerNotFound"), NoBucketError, "no such bucket"),
        (
            (403, "Denied", "No."),
            PermissionError,
            "access denied: the store answers 403 Denied: No.",
        ),
        ((400, "ExpiredToken"), PermissionError, "the credentials have expired"),
        ((500,), BusyError, "the store answers 500"),
        ((503, "SlowDown", "Slow."), BusyError, "the store answers 503 SlowDown: Slow."),
        ((429,), BusyError, "the store answers 429"),
        ((400, "RequestTimeout"), BusyError, "the store answers 400 RequestTimeout"),
        ((416, "InvalidRange"), OSError, "the store answers 416 InvalidRange"),
        (
            (301, "PermanentRedirect"),
            OSError,
            "the store answers 301 PermanentRedirect (the bucket may be in another region)",
        ),
    ],
)
def test_what_an_answer_means(answer: tuple[int, str], kind: type, message: str) -> None:
    error = explain(*answer)
    assert type(error) is kind
    assert str(error) == message


# --- Addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["https://host", "http://127.0.0.1:9000/account", "http://[::1]:9000/", "http://u:p@host:1"],
)
def test_the_address_of_a_server(address: str) -> None:
    check_endpoints("A", "B", environment={"B": address})


@pytest.mark.parametrize(
    "address",
    [
        "host:9000",
        "user:SECRET@127.0.0.1:1",
        "http://user:SECRET/pw9@127.0.0.1:1",
        "http://user:SE?CRET@127.0.0.1:1",
        "http://user:SE#CRET@127.0.0.1:1",
        "http://us er:SECRET@ho st",
        "socks5://user:SECRET@host",
        "http://",
    ],
)
def test_what_is_no_address_is_not_quoted(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_endpoints("A", environment={"A": address})
    message = "A must be a server's address, such as https://host:9000"
    assert caught.value.describe() == message


# --- Answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["bytes 5-9/10", "bytes 5-9/*", " bytes 5-9/10 "])
def test_a_range_that_was_asked_for(place: str) -> None:
    check_range(5, 10, place, 5)


def test_a_whole_object_needs_no_range() -> None:
    check_range(0, 10, None, 10)


@pytest.mark.parametrize(
    ("start", "place", "nbytes"),
    [
        (5, "bytes 0-4/10", 5),
        (5, "bytes 5-9/10", 4),
        (5, "bytes 5-8/10", 5),
        (5, "bytes 5-9", 5),
        (5, "", 5),
        (5, None, 5),
        (0, None, 9),
        (0, "bytes 1-10/20", 10),
    ],
)
def test_a_range_that_is_another(start: int, place: str | None, nbytes: int) -> None:
    with pytest.raises(ChangedError, match=r"^the store answers with other bytes than those asked"):
        check_range(start, 10, place, nbytes)


def test_a_list_has_an_end() -> None:
    pages = Pages()
    for number in range(MOST_PAGES):
        pages.check(str(number))
    with pytest.raises(OSError, match=r"^the store lists the same names again and again$"):
        pages.check("another")
    pages = Pages()
    pages.check("a")
    with pytest.raises(OSError, match=r"^the store lists the same names again and again$"):
        pages.check("a")


class Endless:
    """An answer of urllib3's without an end."""

    status = 500

    def __init__(self) -> None:
        self.is_closed = False
        self.taken = 0

    def stream(self, size: int) -> Iterator[bytes]:
        while not self.is_closed:
            self.taken += size
            yield b"x" * size

    def close(self) -> None:
        self.is_closed = True


def test_a_refusal_without_an_end_is_cut() -> None:
    endless = Endless()
    answer = BoundedAnswer(endless, is_refusal=True)
    assert b"".join(answer.stream(10_000)) == b"x" * MOST_REFUSED
    assert answer.status == 500
    assert endless.taken == 70_000


def test_an_answer_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_TOLD", 25_000)
    endless = Endless()
    with pytest.raises(TooLongError, match=r"^the store's answer is too long$"):
        b"".join(BoundedAnswer(endless, is_refusal=False).stream(10_000))
    assert endless.taken == 30_000
    assert endless.is_closed


# --- Tries -----------------------------------------------------------------------------------


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which last no time; the clock goes on by them."""
    done: list[float] = []
    monkeypatch.setattr(retrying, "pause", done.append)
    monkeypatch.setattr(retrying.time, "monotonic", lambda: sum(done))
    monkeypatch.setattr(retrying.random, "uniform", lambda low, high: high)
    return done


def test_a_request_is_tried_again_with_longer_and_longer_pauses(pauses: list[float]) -> None:
    def request(failures: int) -> int:
        if failures < 9:
            raise BusyError("busy")
        return failures

    assert persist(request) == 9
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_patience_has_an_end(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", "5")

    def request(failures: int) -> None:
        raise BusyError("the store answers 503")

    with pytest.raises(TimeoutError) as caught:
        persist(request)
    assert str(caught.value) == "the store answers 503 (after 6 tries in 3 s)"
    assert sum(pauses) < 5


def test_other_errors_are_raised_at_once(pauses: list[float]) -> None:
    def request(failures: int) -> None:
        raise PermissionError("access denied")

    with pytest.raises(PermissionError, match="access denied"):
        persist(request)
    assert pauses == []


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_bad_patience(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAVINIT_STORE_PATIENCE", text)
    with pytest.raises(UsageError) as caught:
        persist(lambda failures: None)
    message = f'XAVINIT_STORE_PATIENCE must be a number of seconds; got "{text}"'
    assert caught.value.describe() == message


def test_a_thread_that_is_to_stop_leaves_its_request() -> None:
    stop, answer = threading.Event(), threading.Event()
    raised = []

    def work() -> None:
        obey(stop)
        try:
            Requests().run(answer.wait)  # no answer comes
        except StoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    stop.set()
    thread.join()
    answer.set()
    assert len(raised) == 1


def test_a_request_may_take_too_long() -> None:
    answer = threading.Event()
    with pytest.raises(TimeoutError, match="the store does not answer"):
        Requests().run(answer.wait, limit=0)
    answer.set()


def test_what_a_request_raises_is_the_callers() -> None:
    def request() -> None:
        raise PermissionError("access denied")

    with pytest.raises(PermissionError, match="access denied"):
        Requests().run(request)


# --- Bodies ----------------------------------------------------------------------------------


def test_a_body_is_read_as_a_file_is() -> None:
    content = random.Random(1).randbytes(1 << 20)
    body = Body(memoryview(content))
    pieces = []
    while piece := body.read(16384):
        pieces.append(bytes(piece))
    assert len(pieces) == 4  # libraries may get more than they ask for
    assert b"".join(pieces) == content
    assert body.tell() == len(body) == len(content)
    assert body.seek(0) == 0
    assert bytes(body.read()) == content


def test_a_body_that_is_stopped_fails() -> None:
    body = Body(memoryview(b"abc"))
    body.stop()
    with pytest.raises(OSError, match="stopped"):
        body.read(1)


def test_the_same_content() -> None:
    store = MemoryStore()
    store.objects["a"] = b"abc"
    assert is_same_content(store, "a", b"abc")
    assert not is_same_content(store, "a", b"abd")
    assert not is_same_content(store, "a", b"ab")
    assert not is_same_content(store, "b", b"abc")
