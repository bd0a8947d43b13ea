"""A folder of files as objects under a prefix, whole when the last of them, the manifest, stands.

The files do not tell of which spec and seed they are. So a claim is put there first: a small
object with the digest of the manifest to come. A run that finds its own claim goes on, and leaves
the files that are there: two such runs write the same bytes, so they may also run at once. Any
other finds that the prefix is taken. The claim goes when the manifest stands.

With `force` the claim also lists the files that stood there before; then the manifest goes, the
files are written, the manifest is put, and files that it does not name go. A run that goes on
writes again whatever the claim lists, since that may still be the old one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError, UsageError
from xavinit.formats import FileLayout, Layout
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.prefixes import Prefix
from xavinit.output.publish import refuse
from xavinit.wording import explain_os_error

CLAIM = ".xavinit-claim.json"

# The files that a manifest lists; None where it is not one of ours.
ListFiles = Callable[[bytes], list[str] | None]


class Claim(Struct, frozen=True):
    """What the object says: whose the prefix is, and what may be deleted there."""

    recipe: str  # SHA-256 of the manifest
    files: tuple[str, ...]
    replaces: tuple[str, ...] = ()  # of an earlier output


class ClaimedWork(Struct, frozen=True):
    """What is left to do under a prefix."""

    claim: Claim
    is_claimed: bool  # does the claim stand already?
    may_replace: bool  # may it replace another?
    undo: bool  # does the manifest of an earlier output stand?
    files: tuple[FileLayout, ...]  # to be written, but for the manifest
    is_complete: bool = False  # does our manifest stand, and only the claim must go?

    @property
    def nbytes(self) -> int:
        """The bytes of the files' tensors."""
        return sum(count_bytes(file.regions) for file in self.files)


def find_claimed_work(
    layout: Layout, path: str, drawing: Drawing, list_files: ListFiles, *, force: bool
) -> ClaimedWork:
    """What is left to do; `RefusedError`, before any work, for what must not be replaced."""
    if drawing.stream.is_ordered:
        raise UsageError(
            f"the stream {drawing.stream.name} is one sequence: it cannot be drawn into several "
            "objects",
            hint="name a folder on a disk, and copy it",
        )
    with _telling(path):
        return _find_work(layout, path, list_files, force=force)


def _find_work(layout: Layout, path: str, list_files: ListFiles, *, force: bool) -> ClaimedWork:
    prefix = Prefix(path, layout)
    *files, manifest = layout.files
    names = set(prefix.list_names())
    old = _read_claim(prefix) if CLAIM in names else None
    recipe = hashlib.sha256(manifest.head).hexdigest()
    is_ours = old is not None and old.recipe == recipe
    has_manifest = manifest.name in names
    if old is not None and is_ours and prefix.look([manifest])[manifest.name] == "whole":
        return ClaimedWork(old, True, False, False, (), is_complete=True)
    if not force and (has_manifest or (names and CLAIM not in names)):
        raise refuse(path)
    if not force and names and not is_ours:
        raise RefusedError(
            f"{path} holds the unfinished output of another run; use --force to replace it"
        )
    may_go = {CLAIM} if old is None else {CLAIM, *old.files, *old.replaces}
    if has_manifest:
        listed = list_files(prefix.read(manifest.name))
        may_go |= {manifest.name, *listed} if listed is not None else set()
    if names - may_go:
        raise RefusedError(f"{path} holds files that are not of an earlier run; it is not replaced")
    standing = names - {CLAIM, manifest.name}
    if old is not None and is_ours and not has_manifest:
        fresh = [f for f in files if f.name in standing and f.name not in old.replaces]
        states = prefix.look(fresh)
        todo = tuple(file for file in files if states.get(file.name) != "whole")
        return ClaimedWork(old, True, force, False, todo)
    claim = Claim(recipe, tuple(file.name for file in files), tuple(sorted(standing)))
    return ClaimedWork(claim, False, force, has_manifest, tuple(files))


def write_claimed(
    layout: Layout, path: str, work: ClaimedWork, drawing: Drawing, advance: Advance
) -> None:
    """Write what is left; the folder is there when its manifest is."""
    with _telling(path, "what is there of it is claimed: the same command goes on"):
        prefix = Prefix(path, layout)
        if not work.is_complete:
            _claim(prefix, path, layout, work)
            _send(prefix, path, layout, work, drawing, advance)
        named = {file.name for file in layout.files}
        prefix.remove([name for name in work.claim.replaces if name not in named])
        prefix.remove([CLAIM])


def _claim(prefix: Prefix, path: str, layout: Layout, work: ClaimedWork) -> None:
    """Put the claim, unless it stands; from then on the prefix is ours."""
    if work.is_claimed:
        return
    try:
        prefix.put(CLAIM, msgspec.json.encode(work.claim), is_new=not work.may_replace)
    except FileExistsError:  # by another run, just now; of the same recipe it does no harm
        if not _is_claimed(prefix, work.claim):
            raise refuse(path) from None
    # A whole run may have come and gone between the look and the claim.
    if not work.may_replace and layout.files[-1].name in prefix.list_names():
        prefix.remove([CLAIM])
        raise refuse(path)


def _send(
    prefix: Prefix,
    path: str,
    layout: Layout,
    work: ClaimedWork,
    drawing: Drawing,
    advance: Advance,
) -> None:
    *_, manifest = layout.files
    if work.undo:
        prefix.remove([manifest.name])
    prefix.send(work.files, drawing, advance, is_new=False)
    if not _is_claimed(prefix, work.claim):
        if prefix.look([manifest])[manifest.name] == "whole":
            return  # by another run of the same recipe, which has ended
        raise RefusedError(f"{path} was taken by another run meanwhile")
    try:
        prefix.send([manifest], drawing, lambda _: None, is_new=True)
    except FileExistsError:
        if prefix.look([manifest])[manifest.name] != "whole":
            raise refuse(path) from None


def _is_claimed(prefix: Prefix, claim: Claim) -> bool:
    found = _read_claim(prefix)
    return found is not None and found.recipe == claim.recipe


def _read_claim(prefix: Prefix) -> Claim | None:
    """The claim that stands there; None where there is none, or it is not one of ours."""
    try:
        return msgspec.json.decode(prefix.read(CLAIM), type=Claim)
    except (ValueError, RecursionError, msgspec.MsgspecError):  # the last was no ValueError once
        return None


@contextlib.contextmanager
def _telling(path: str, hint: str | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot write {path}: {explain_os_error(error)}"
        raise OutputError(reason, hint=hint) from error
