"""A folder of files as objects under a prefix, whole when the last of them, the manifest, stands.

The files do not tell of which spec and seed they are. So a claim is put there first: a small
object with the digest of the manifest to come. A run that finds its own claim goes on, and leaves
the files that are there: two such runs write the same bytes, so they may also run at once. Any
other finds that the prefix is taken. The claim goes when the manifest stands.

With `force` the claim also lists the files that stood there before. Then the manifest goes, and of
those files all that have a name of ours; files that no name of ours replaces go last.

Nothing is ever written over a file: each is sent on condition that none stands there, so that the
late file of a run whose claim was taken replaces none. One that stands there all the same is drawn
again and compared. It is that of another run of the same recipe, or it goes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct, structs

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError, UsageError
from xavinit.formats import FileLayout, Layout
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.prefixes import Prefix
from xavinit.output.publish import refuse
from xavinit.wording import explain_os_error

CLAIM = ".xavinit-claim.json"
_MOST_TURNS = 20  # at files that other runs put there and take away again

# The files that a manifest lists; None where it is not one of ours.
ListFiles = Callable[[bytes], list[str] | None]


class Claim(Struct, frozen=True):
    """What the object says: whose the prefix is, and what may be deleted there."""

    recipe: str  # SHA-256 of the manifest
    files: tuple[str, ...]
    replaces: tuple[str, ...] = ()  # of an earlier output
    # Was it taken from a run that may still be under way, and send files late?
    is_contested: bool = False


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
    may_go = {CLAIM} if old is None else {CLAIM, *old.files, *old.replaces}
    if has_manifest:
        listed = list_files(prefix.read(manifest.name))
        may_go |= {manifest.name, *listed} if listed is not None else set()
    foreign = sorted(names - may_go)
    if foreign:  # first: with --force they are refused, too
        raise RefusedError(
            f"{prefix.name(foreign[0])} is not of an earlier run; it is not replaced",
            hint="use another prefix",
        )
    if not force and has_manifest:
        raise refuse(path)
    if not force and names and not is_ours:
        raise RefusedError(
            f"{path} holds the unfinished output of another run; use --force to replace it"
        )
    standing = names - {CLAIM, manifest.name}
    if old is not None and is_ours and not has_manifest:
        fresh = [f for f in files if f.name in standing and f.name not in old.replaces]
        states = {} if old.is_contested else prefix.look(fresh)
        todo = tuple(file for file in files if states.get(file.name) != "whole")
        return ClaimedWork(old, True, force, False, todo)
    is_contested = old is not None and (not is_ours or old.is_contested)
    names_to_come = tuple(file.name for file in files)
    claim = Claim(recipe, names_to_come, tuple(sorted(standing)), is_contested)
    return ClaimedWork(claim, False, force, has_manifest, tuple(files))


def write_claimed(
    layout: Layout, path: str, work: ClaimedWork, drawing: Drawing, advance: Advance
) -> None:
    """Write what is left; the folder is there when its manifest is."""
    with _telling(path, "what is there of it is claimed: the same command goes on"):
        prefix = Prefix(path, layout)
        if not work.is_complete:
            _claim(prefix, path, layout, work)
            _clear(prefix, path, layout, work)
            _send(prefix, path, layout, work, drawing, advance)
            _publish(prefix, path, layout, work, drawing)
        if _is_claimed(prefix, work.claim):  # else another run ends it, or has
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
    # A server that looks at no condition may have let another run's claim replace ours.
    if not _is_claimed(prefix, work.claim):
        raise _tell_taken(path)
    # A whole run may have come and gone between the look and the claim.
    if not work.may_replace and layout.files[-1].name in prefix.list_names():
        prefix.remove([CLAIM])
        raise refuse(path)


def _clear(prefix: Prefix, path: str, layout: Layout, work: ClaimedWork) -> None:
    """Remove the old output's manifest, and those of its files whose names are ours.

    The claim then says so: who goes on, or does the same at once, must not remove ours.
    """
    if work.undo:
        prefix.remove([layout.files[-1].name])
    if not work.claim.replaces:
        return
    found = _read_claim(prefix)
    if found is None or found.recipe != work.claim.recipe:
        raise _tell_taken(path)
    named = {file.name for file in layout.files}
    old = [name for name in found.replaces if name in named]
    if old:
        prefix.remove(old)
        rest = tuple(name for name in found.replaces if name not in named)
        if not _is_claimed(prefix, work.claim):
            raise _tell_taken(path)
        prefix.put(CLAIM, msgspec.json.encode(structs.replace(found, replaces=rest)), is_new=False)


def _send(
    prefix: Prefix,
    path: str,
    layout: Layout,
    work: ClaimedWork,
    drawing: Drawing,
    advance: Advance,
) -> None:
    """Send what is left, until all files stand there that must."""
    todo = list(work.files)
    for turn in range(_MOST_TURNS):
        standing = prefix.send_new(
            todo, drawing, _ignore if turn else advance, look=work.is_claimed or turn > 0
        )
        if standing and not _is_claimed(prefix, work.claim):
            return  # which is told at the end
        other = [f.name for f in todo if f.name in standing and not prefix.holds(f, drawing)]
        if other:
            if not _is_claimed(prefix, work.claim):
                return  # which is told at the end
            prefix.remove(other)
        names = set(prefix.list_names())
        todo = [file for file in layout.files[:-1] if file.name not in names]
        if not todo or not _is_claimed(prefix, work.claim):
            return
    raise _tell_taken(path)


def _publish(
    prefix: Prefix, path: str, layout: Layout, work: ClaimedWork, drawing: Drawing
) -> None:
    """Put the manifest; all files stand there, and the prefix is still ours."""
    *_, manifest = layout.files
    for _ in range(_MOST_TURNS):
        if not _is_claimed(prefix, work.claim):
            if prefix.look([manifest])[manifest.name] == "whole":
                return  # by another run of the same recipe, which has ended
            raise _tell_taken(path)
        try:
            prefix.send([manifest], drawing, _ignore, is_new=True)
        except FileExistsError:
            if prefix.look([manifest])[manifest.name] == "whole":
                return
            if not work.may_replace:
                raise refuse(path) from None
            prefix.remove([manifest.name])  # a late one, of a run whose claim was taken
        else:
            return
    raise _tell_taken(path)


def _tell_taken(path: str) -> RefusedError:
    return RefusedError(f"{path} was taken by another run meanwhile")


def _ignore(_: int) -> None:
    """The progress of what is not told, or written again."""


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
