"""The process around the command line: standard streams, signals, errors to exit codes.

0 done · 1 internal error · 2 usage · 3 spec · 4 input or output · 6 refused (exists)
130, 141, 143 interrupted, closed pipe, terminated
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import NoReturn

import click

from xavinit.cli import ClosedPipeError, cli, say
from xavinit.errors import OutputError, SpecError, XavinitError, escape


def main() -> NoReturn:
    """Run the command line and exit."""
    # A run makes no garbage in cycles to speak of, and no linear algebra: without looking for the
    # one, and without threads for the other, a small run is a sixth shorter.
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_standard_streams()
    # A plain exit, so that every `finally` on the way cleans up; under nohup, SIGHUP stays ignored.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    code = run_command()
    with contextlib.suppress(OSError):  # told already, by run_command's own flush
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # All is written and closed. Taking the interpreter down in order would free a few thousand
    # objects of imported libraries one by one: a tenth of the time of a small run.
    os._exit(code)


def open_standard_streams() -> None:
    """Put something in the place of a closed standard stream, lest a file of ours gets its number.

    What is written to a closed standard output fails; messages to a closed standard error vanish.
    """
    for handle, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def run_command() -> int:
    """Run the command of `sys.argv`; say what went wrong, and return the exit code."""
    try:
        code = cli.main(prog_name="xavinit", standalone_mode=False)
        sys.stdout.flush()  # here, so that a full disk or a closed pipe is told below
        return code or 0
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except (BrokenPipeError, ClosedPipeError):
        # The reader has gone; whatever is still buffered has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if "--debug" in sys.argv:
            import traceback

            traceback.print_exc()
        message, code = explain_error(error)
        say(message)
        return code


def explain_error(error: Exception) -> tuple[str, int]:
    """What to say of an error, and its exit code."""
    if isinstance(error, SpecError):
        return str(error), error.exit_code
    if isinstance(error, XavinitError):
        lines = [escape(line) for line in str(error).split("\n  hint: ")]
        return "xavinit: " + "\n  hint: ".join(lines), error.exit_code
    if isinstance(error, MemoryError):
        return "xavinit: not enough memory: try fewer threads, -j 1", OutputError.exit_code
    if isinstance(error, OSError):  # only of the command line's own output
        from xavinit.wording import explain_os_error

        message = f"cannot write to standard output: {explain_os_error(error)}"
        return f"xavinit: {message}", OutputError.exit_code
    kind = type(error).__name__
    return f"xavinit: internal error: {kind}: {error} (--debug shows where)", 1
