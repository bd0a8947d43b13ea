"""A text as a file, published whole or not at all: a page, a spec."""

from __future__ import annotations

from xavinit.errors import OutputError
from xavinit.output import disk
from xavinit.output.files import write_block
from xavinit.output.publish import check_target, publish_file
from xavinit.wording import explain_os_error


def check_text_target(path: str, *, force: bool) -> None:
    """Refuse, before any work, what `write_text` would refuse after it."""
    check_target(path, folder=False, force=force, is_ours=lambda _: False)


def write_text(path: str, text: str, *, force: bool) -> None:
    """Write a text in UTF-8 to a file, which appears whole or not at all.

    Raises `RefusedError` where the file exists, unless `force`, and `OutputError` where it cannot
    be written.
    """
    content = memoryview(text.encode())
    try:
        with publish_file(path, force=force) as temporary:
            handle = disk.open_file(temporary)
            try:
                write_block(handle, content, 0)
                disk.sync(handle)
            finally:
                disk.close(handle)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error
