"""The process around the command line: signals, errors to exit codes.

0 done · 1 internal error · 2 usage · 3 spec · 4 input or output · 6 refused (exists)
130, 141, 143 interrupted, closed pipe, terminated
"""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from xavinit.cli import cli
from xavinit.console import ClosedPipeError, open_standard_streams, say
from xavinit.errors import OutputError, SpecError, XavinitError, escape

_LITTLE = 16 << 20  # bytes; less than any run needs


class TerminatedError(SystemExit):
    """SIGTERM or SIGHUP. A plain exit, so that every `finally` on the way cleans up."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def main() -> NoReturn:
    """Run the command line and exit."""
    # A run makes no garbage in cycles to speak of, and no linear algebra: without looking for the
    # one, and without threads for the other, a small run is a sixth shorter.
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Integers have limits of our own; a lower one of PYTHONINTMAXSTRDIGITS would fail anywhere.
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    open_standard_streams()
    catch_signals()
    # No more is flushed than run_command did: after a signal, a reader that has stalled would
    # hold up the end. And taking the interpreter down in order would free a few thousand objects
    # of imported libraries one by one: a tenth of the time of a small run.
    os._exit(run_command())


def catch_signals() -> None:
    """Have signals raise exceptions; those that the caller ignores, as nohup does, stay so."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, raise_signal)
    sys.unraisablehook = raise_again


def raise_signal(number: int, frame: FrameType | None) -> None:
    """The handler: raise what the signal means, or raise it later, where Python would drop it."""
    while frame is not None:
        if frame.f_code is raise_again.__code__:
            send_later(number)
            return
        frame = frame.f_back
    raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError(number)


def raise_again(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal once more whose exception Python dropped.

    It does so, with a traceback, where the signal came while a destructor or callback ran, of which
    the loading of modules has many.
    """
    if isinstance(lost.exc_value, KeyboardInterrupt):
        send_later(signal.SIGINT)
    elif isinstance(lost.exc_value, TerminatedError):
        send_later(lost.exc_value.number)
    else:
        sys.__unraisablehook__(lost)


def send_later(number: int) -> None:
    """Send the main thread a signal when the callback that it is in is likely over."""
    import threading

    def send() -> None:
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, number)  # wakes it, too
        else:
            signal.raise_signal(number)

    timer = threading.Timer(0.01, send)
    timer.daemon = True
    timer.start()


def run_command() -> int:
    """Run the command of `sys.argv`; say what went wrong, and return the exit code."""
    try:
        code = run_click()
        sys.stdout.flush()  # here, so that a full disk or a closed pipe is told below
        return code
    except click.ClickException as error:
        say(format_click_error(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except TerminatedError as error:
        return 128 + error.number
    except (BrokenPipeError, ClosedPipeError):
        return 141  # the reader has gone; whatever is still buffered has nowhere to go either
    except Exception as error:
        if "--debug" in sys.argv:
            say_traceback(error)
        message, code = explain_error(error)
        say(message)
        return code


def run_click() -> int:
    try:
        return cli.main(prog_name="xavinit", standalone_mode=False) or 0
    except TerminatedError:
        raise
    except SystemExit as error:  # click's completion ends so
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def format_click_error(error: click.ClickException) -> str:
    """What click would print of an error, without the control characters of an argument."""
    text = io.StringIO()
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show(text)
    else:
        message = escape(error.format_message())
        click.UsageError(message, getattr(error, "ctx", None)).show(text)
    return text.getvalue().removesuffix("\n")


def say_traceback(error: Exception) -> None:
    import traceback

    for part in traceback.format_exception(error):
        # A place is two lines or three; what an error says is one, whatever it quotes.
        lines = part.splitlines() if part.startswith("  File ") else [part.strip("\n")]
        for line in lines:
            say(escape(line))


def explain_error(error: Exception) -> tuple[str, int]:
    """What to say of an error, and its exit code."""
    if isinstance(error, SpecError):
        return str(error), error.exit_code
    if isinstance(error, XavinitError):
        return f"xavinit: {error}", error.exit_code
    if is_out_of_memory(error):
        return "xavinit: not enough memory: try fewer threads, -j 1", OutputError.exit_code
    if isinstance(error, OSError):  # of Python's own work, such as too many files while it imports
        reason = os.strerror(error.errno) if error.errno else str(error)
        place = f"{error.filename}: " if error.filename else ""
        return f"xavinit: {escape(f'{place}{reason}')}", OutputError.exit_code
    kind = type(error).__name__
    return f"xavinit: internal error: {kind}: {escape(str(error))} (--debug shows where)", 1


def is_out_of_memory(error: Exception) -> bool:
    """Is the error for lack of memory, under whatever name?"""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # A library that cannot be loaded, a thread that cannot start, and at times Python's own
    # compiler tell of other errors. Where there is no memory, that is the likelier reason.
    try:
        bytearray(_LITTLE)
    except MemoryError:
        return True
    return False
