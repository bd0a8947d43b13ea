"""The process around the command line: signals, and the exit code for each error.

0 done · 1 internal error · 2 usage · 3 spec · 4 input or output · 5 verification
6 refused (exists) · 130, 141, 143 interrupted, closed pipe, terminated
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from xavinit.cli import cli
from xavinit.console import (
    STANDARD_OUTPUTS,
    ClosedPipeError,
    StandardOutputError,
    open_standard_streams,
    print_text,
    say,
    say_error,
)
from xavinit.errors import OutputError, UsageError, XavinitError, escape
from xavinit.failures import error_to_json

_LITTLE = 16 << 20  # bytes; less than any run needs


class TerminatedError(SystemExit):
    """SIGTERM or SIGHUP. A plain exit, so that every `finally` on the way cleans up."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def main() -> NoReturn:
    """Run the command line and exit."""
    # A run has no linear algebra, for which NumPy would start threads.
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
    except (KeyboardInterrupt, click.Abort) as error:
        say_notes(error)
        return 130
    except TerminatedError as error:
        say_notes(error)
        return 128 + error.number
    except (BrokenPipeError, ClosedPipeError):
        return 141  # the reader has gone; whatever is still buffered has nowhere to go either
    except Exception as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            say(str(error))  # the page of help
            return UsageError.exit_code
        if "--debug" in sys.argv:
            say_traceback(error)
        return tell_error(*explain_error(error))


def say_notes(error: BaseException) -> None:
    """Say what a run that was interrupted leaves behind. Click has an exception of its own."""
    for one in (error, error.__cause__):
        for note in getattr(one, "__notes__", ()):
            say(escape(f"xavinit: {note}"))


def tell_error(error: XavinitError, code: int) -> int:
    """Tell of an error: on standard output where `--json` is asked for, else to a person."""
    if asks_for_json() and not isinstance(error, StandardOutputError):
        try:
            print_text(error_to_json(error, code))
            sys.stdout.flush()
        except ClosedPipeError:
            return 141
        except StandardOutputError as other:
            say_error(other)
        return code
    say_error(error)
    return code


def run_click() -> int:
    try:
        return cli.main(prog_name="xavinit", standalone_mode=False) or 0
    except TerminatedError:
        raise
    except SystemExit as error:  # click's completion ends so
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def asks_for_json() -> bool:
    """Does the command line, which may not have been understood, hold `--json`?"""
    arguments = sys.argv[1:]
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    for option, value in itertools.pairwise(["", *arguments]):
        given = [value.removeprefix(name) for name in ("--output=", "-o") if value.startswith(name)]
        if option in ("-o", "--output"):
            given = [value]
        if any(name in STANDARD_OUTPUTS for name in given):
            return False  # which is for weights alone
    return "--json" in arguments


def explain_click_error(error: click.ClickException) -> UsageError:
    """The same in our own style: what is wrong, and where to look or what was meant."""
    message = error.format_message().rstrip(".")
    if isinstance(error, click.MissingParameter):
        message = " ".join(message.split())  # click puts each choice on a line of its own
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    context = getattr(error, "ctx", None)
    hint = None
    if isinstance(error, click.NoSuchOption):
        message = f"no such option {error.option_name}"
        hint = suggest_option(error.option_name, context)
    elif isinstance(error, click.UsageError) and message.startswith("no such command"):
        name = context.args[0] if context and context.args else message.split("'")[1]
        message = f"no such command {name}"
        from xavinit.wording import suggest

        hint = suggest(name, cli.commands, "command")
    elif context is not None and not is_bad_value(error):
        hint = " ".join(context.command.collect_usage_pieces(context))
        hint = f"usage: {context.command_path} {hint}"
    if hint is None and context is not None and not is_bad_value(error):
        hint = f"{context.command_path} -h shows what there is"
    return UsageError(message, hint=hint)


def is_bad_value(error: click.ClickException) -> bool:
    """Is it about a value that is given, of an option or argument that is known?"""
    kind = click.BadParameter
    return isinstance(error, kind) and not isinstance(error, click.MissingParameter)


def suggest_option(name: str, context: click.Context | None) -> str | None:
    """The hint where an option is that of all commands, or spelled nearly so."""
    if name == "--version":
        return "xavinit --version"
    from xavinit.wording import suggest

    parameters = context.command.get_params(context) if context else []
    return suggest(name, [opt for one in parameters for opt in one.opts if len(opt) > 2], "option")


def say_traceback(error: Exception) -> None:
    import traceback

    for part in traceback.format_exception(error):
        # A place is two lines or three; what an error says is one, whatever it quotes.
        lines = part.splitlines() if part.startswith("  File ") else [part.strip("\n")]
        for line in lines:
            say(escape(line))


def explain_error(error: Exception) -> tuple[XavinitError, int]:
    """What to say of an error, and its exit code."""
    if isinstance(error, XavinitError):
        return error, error.exit_code
    if isinstance(error, click.ClickException):
        return explain_click_error(error), error.exit_code
    code = OutputError.exit_code
    if is_out_of_memory(error):
        return XavinitError("not enough memory: try fewer threads, -j 1"), code
    if isinstance(error, OSError):  # of Python's own work, such as too many files while it imports
        reason = os.strerror(error.errno) if error.errno else str(error)
        place = f"{error.filename}: " if error.filename else ""
        return XavinitError(f"{place}{reason}"), code
    if (broken := find_broken_library(error)) is not None:
        return XavinitError(f"cannot load {broken.name}: {broken}"), code
    kind = type(error).__name__
    return XavinitError(f"internal error: {kind}: {error} (--debug shows where)"), 1


def find_broken_library(error: BaseException) -> ImportError | None:
    """The failure to load a file that is there, which NumPy tells of in a page of its own.

    Of its own library, Python says that it has no such module where it cannot look at the file.
    """
    cause: BaseException | None = error
    while isinstance(cause, ImportError):
        if cause.path and not cause.path.endswith(".py"):  # which lacks a name: a mistake of ours
            return cause
        if cause.name and cause.name.partition(".")[0] in sys.stdlib_module_names:
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


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
