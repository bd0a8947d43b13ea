"""What is said of a file that is no weights file of a kind that is read."""

from __future__ import annotations

from xavinit.errors import InputError
from xavinit.file_kinds import OLD_PICKLE, find_kind


def refuse_kind(path: str, head: bytes) -> InputError:
    """The error of a file that is no weights file, by its first bytes."""
    kind = find_kind(head)
    if kind == OLD_PICKLE:
        return InputError(
            f"{path} is {kind}, which is not read",
            hint="torch.save(torch.load(PATH, weights_only=True), OTHER) makes a file that is",
        )
    if kind:
        return InputError(f"{path} is {kind}, not a weights file that xavinit reads")
    if not head:
        return InputError(f"{path} is empty")
    if _is_text(head):
        return InputError(
            f"{path} is a text, not a weights file", hint="generate writes the weights of a spec"
        )
    return InputError(f"{path} is not a weights file of a kind that xavinit knows")


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")  # the last character may be cut
    is_whole = len(text.encode()) > len(head) - 4
    return is_whole and all(char.isprintable() or char in "\t\r\n" for char in text)
