"""Uploads that are given up: all at once, by one moment, and what may be left is told."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click
import pytest
from memory_store import MemoryStore, MemoryUpload, use_memory_stores

import xavinit
from xavinit import process
from xavinit.errors import OutputError
from xavinit.output import aborts, sending
from xavinit.output.aborts import abort_all
from xavinit.stores.waiting import pause

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"a.{4}": [40, 40]}}
COUNT = 4


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Each tensor is an object of one part, sent by a thread of its own."""
    monkeypatch.setattr(sending, "PART", 1 << 20)
    monkeypatch.setattr(sending, "SMALL", 1024)
    return use_memory_stores(monkeypatch)["s3", "b"]


def write_until_all_are_begun(store: MemoryStore, error: BaseException | None) -> None:
    """Begin all uploads; then one of their parts fails, or the process gets a signal.

    The other parts are on their way until their threads are told to stop.
    """
    begun = threading.Barrier(COUNT, timeout=60)

    def fail(call: str, key: str, nbytes: int) -> None:
        if call != "part":
            return
        if begun.wait() == 0:
            if error is not None:
                raise error
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        for _ in range(60):  # at most; then nobody has told it
            pause(1)

    store.fault = fail
    xavinit.generate(SPEC, "s3://b/p", format="npy", jobs=1)


def test_all_are_aborted_at_once(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each abort waits for the others."""
    uploads = {str(number): MemoryUpload(store, "k", is_new=True) for number in range(COUNT)}
    together = threading.Barrier(COUNT, timeout=60)
    aborted: list[float] = []

    def abort(self: MemoryUpload, seconds: float) -> None:
        together.wait()
        aborted.append(seconds)

    monkeypatch.setattr(MemoryUpload, "abort", abort)
    assert abort_all(uploads) == {}
    assert len(aborted) == COUNT
    assert max(aborted) <= aborts.PATIENCE == 15


def test_a_store_that_is_silent_is_told(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No abort ends; none is waited for longer than all of them may take."""
    ended = threading.Event()
    monkeypatch.setattr(aborts, "PATIENCE", 0.05)
    monkeypatch.setattr(MemoryUpload, "abort", lambda self, seconds: ended.wait())
    uploads = {name: MemoryUpload(store, name, is_new=True) for name in ("a", "b")}
    left = abort_all(uploads)
    ended.set()
    assert aborts.tell_left(left) == (
        "2 unfinished uploads may be left, such as that of a (the store does not answer)"
    )


def test_an_abort_that_fails_is_tried_once_more(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = MemoryUpload(store, "k", is_new=True)
    tries: list[float] = []

    def abort(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 1:
            raise OSError("busy")

    monkeypatch.setattr(upload, "abort", abort)
    assert abort_all({"k": upload}) == {}
    assert len(tries) == 2


def test_a_mistake_of_ours_is_no_fault_of_the_store(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryUpload, "abort", lambda self, seconds: {}["x"])
    with pytest.raises(KeyError):
        abort_all({"k": MemoryUpload(store, "k", is_new=True)})


def refuse_aborts(self: MemoryUpload, seconds: float) -> None:
    raise OSError("the store answers 400")


def test_after_a_fault_the_message_tells_what_may_be_left(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryUpload, "abort", refuse_aborts)
    with pytest.raises(OutputError) as told:
        write_until_all_are_begun(store, OSError("the store is full"))
    assert str(told.value).startswith(
        "cannot write s3://b/p: the store is full; "
        "4 unfinished uploads may be left, such as that of p/a."
    )


def test_after_a_signal_a_note_tells_what_may_be_left(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryUpload, "abort", refuse_aborts)
    with pytest.raises(KeyboardInterrupt) as raised:
        write_until_all_are_begun(store, None)
    (note,) = raised.value.__notes__
    assert note.startswith("4 unfinished uploads may be left, such as that of p/a.")
    assert note.endswith(" (the store answers 400)")


@pytest.mark.parametrize("kind", ["Ctrl-C", "click", "SIGTERM"])
def test_the_command_line_prints_the_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    def run() -> int:
        error = process.TerminatedError(15) if kind == "SIGTERM" else KeyboardInterrupt()
        error.add_note("an unfinished upload may be left")
        if kind == "click":
            raise click.Abort from error
        raise error

    monkeypatch.setattr(process, "run_click", run)
    assert process.run_command() == (143 if kind == "SIGTERM" else 130)
    assert capsys.readouterr().err == "xavinit: an unfinished upload may be left\n"
