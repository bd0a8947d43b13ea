"""A sharded set that several runs write into one place, each its own files.

The place is a folder, or a prefix in a store. The runs ask each other nothing. Each file is
published by itself, whole; one that stands with its header and size is done, whoever wrote it. Each
run ends with a look at the place, and one that finds all files there publishes the index, which
makes them a set. So runs may come in any order, at once or twice, and die at any moment: the next
one goes on where they stopped.

What stands there and is not of this set is refused. With `force` each run replaces its own files
alone. Before one goes, the index goes, so that it never stands over files of two sets; where no
name is the same, the old set stands until the new one is whole. What other sets left under other
names goes last, by the run that finds the new one whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError
from xavinit.formats import FileLayout, Layout, Part, State, divide
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.homes import Home, find_home
from xavinit.output.publish import refuse
from xavinit.stores import is_url
from xavinit.wording import explain_os_error


class Share(Struct, frozen=True):
    """What one of several runs has to do with a set."""

    part: Part
    layout: Layout
    files: tuple[FileLayout, ...]  # this run's
    force: bool
    resume: bool  # are files that were cut short written again?
    # Is it all of a set, for which no part was asked? One that stands complete is then refused, or
    # with `force` undone before the first byte.
    is_whole: bool = False


class Work(Struct, frozen=True):
    """What is left of a share, files that are not there as they must be; or what was done."""

    files: tuple[FileLayout, ...]
    is_complete: bool  # is the whole set there?

    @property
    def nbytes(self) -> int:
        """The bytes of the files' tensors."""
        return sum(count_bytes(file.regions) for file in self.files)


def take_share(
    layout: Layout, part: Part, *, force: bool, resume: bool, is_whole: bool = False
) -> Share:
    """The share of a part: its files follow from the layout alone. Copies are the whole's."""
    own = divide([file.nbytes for file in layout.shards], part.count)[part.number - 1]
    files = (*layout.files[: len(layout.copies)], *(layout.shards[place] for place in own))
    return Share(part, layout, files, force, resume, is_whole)


def find_work(share: Share, path: str) -> Work:
    """What is left to do; `RefusedError`, before any work, for what must not be replaced."""
    with _telling(path):
        home = find_home(path, share.layout, force=share.force)
        foreign = _find_foreign(share, home)
        states = home.look(share.layout.files)
        if share.is_whole and not share.force:
            _check_none(share, home, states)
        _check_states(share, home, states, foreign)
    todo = tuple(file for file in share.files if states[file.name] != "whole")
    return Work(todo, _is_complete(states) and not foreign)


def list_standing(share: Share, path: str) -> list[str]:
    """The names that stand there and are such a set's, this or another."""
    with _telling(path):
        return find_home(path, share.layout, force=False).list_set()


def write_share(share: Share, work: Work, path: str, drawing: Drawing, advance: Advance) -> Work:
    """Write what is left, and the index if the set is whole then; return what was written."""
    if share.is_whole and share.force and not work.is_complete:
        with _telling(path):
            _remove_index(share, find_home(path, share.layout, force=True))
    written = write_shards(share, work, path, drawing, advance)
    return Work(written, finish_set(share, path, drawing))


def write_shards(
    share: Share, work: Work, path: str, drawing: Drawing, advance: Advance
) -> tuple[FileLayout, ...]:
    """Write the files that are left, but for those that have come to stand there by now."""
    written: list[FileLayout] = []
    left = len(work.files)
    with _telling(path, lambda: _tell_rest(share, len(share.files) - left)):
        home = find_home(path, share.layout, force=share.force)
        home.prepare()
        for file in work.files:
            if _write_file(share, file, home, drawing, advance):
                written.append(file)
            else:  # another run was faster
                advance(count_bytes(file.regions))
            left -= 1
    return tuple(written)


def finish_set(share: Share, path: str, drawing: Drawing) -> bool:
    """Publish the index if all files of tensors are there; return whether the set is."""
    with _telling(path, lambda: _tell_rest(share, len(share.files))):
        return _finish(share, find_home(path, share.layout, force=share.force), drawing)


@contextlib.contextmanager
def mark_home(path: str, share: Share) -> Iterator[str]:
    """Within the block, something of a random name stands where the set is or will be."""
    with _telling(path), find_home(path, share.layout, force=False).mark() as marker:
        yield marker


@contextlib.contextmanager
def _telling(path: str, tell: Callable[[], str] | None = None) -> Iterator[None]:
    """Tell of an error of the system's in the words of an output; of a store, what to do, too."""
    try:
        yield
    except OSError as error:
        hint = tell() if tell is not None and is_url(path) else None
        reason = f"cannot write {path}: {explain_os_error(error)}"
        raise OutputError(reason, hint=hint) from error


def _tell_rest(share: Share, done: int) -> str:
    return (
        f"{done:,} of {len(share.files):,} files are there, each of them whole; the same command "
        "writes the rest"
    )


def _is_complete(states: Mapping[str, State]) -> bool:
    return all(state == "whole" for state in states.values())


def _find_foreign(share: Share, home: Home) -> list[str]:
    """Names of another set: such names, but not of this one."""
    ours = {file.name for file in share.layout.files}
    return [name for name in home.list_set() if name not in ours]


def _check_none(share: Share, home: Home, states: Mapping[str, State]) -> None:
    """Refuse a set that stands there, whichever: its index does, or its only file."""
    makes = share.layout.index_name
    if makes not in states:  # a single file, which has no index
        (file,) = share.layout.shards
        makes = file.name
    if states[makes] != "missing":
        raise refuse(home.name(makes))


def _check_states(
    share: Share, home: Home, states: Mapping[str, State], foreign: list[str]
) -> None:
    """Refuse what stands there and is not of this set, also where it is another part's."""
    if share.force:
        return
    copies = [name for name in share.layout.copies if states.get(name) not in _SAME]
    if copies:
        raise RefusedError(f"{home.name(copies[0])} is another file; use --force to replace it")
    other = [*foreign, *(name for name, state in states.items() if state == "other")]
    if other:
        raise RefusedError(
            f"{home.name(other[0])} is not of this spec, seed, stream and size of shards; "
            "use --force to replace it"
        )
    own = {file.name for file in share.files} | {share.layout.index_name}
    short = [name for name, state in states.items() if state == "short" and name in own]
    if short and not share.resume:
        raise RefusedError(f"{home.name(short[0])} is cut short; use --resume to write it again")


_SAME = (None, "missing", "whole")  # of a copy: it is not looked at, or nothing else is there


def _write_file(
    share: Share, file: FileLayout, home: Home, drawing: Drawing, advance: Advance
) -> bool:
    """Publish one file of tensors, unless it has come to stand there by now."""
    state = home.look([file])[file.name]
    if state == "whole":
        return False
    _check_states(share, home, {file.name: state}, [])
    if state == "missing":
        return home.publish(file, drawing, advance)
    _remove_index(share, home)
    done = home.publish(file, drawing, advance)
    _remove_index(share, home)  # of a run that had counted the old file
    return done


def _remove_index(share: Share, home: Home) -> None:
    home.remove([share.layout.index_name])


def _finish(share: Share, home: Home, drawing: Drawing) -> bool:
    states = home.look(share.layout.files)
    foreign = _find_foreign(share, home)
    _check_states(share, home, states, foreign)
    if any(states[file.name] != "whole" for file in share.layout.shards):
        return False
    index = share.layout.index
    if index is not None and states[index.name] != "whole":
        home.publish(index, drawing, lambda _: None)
        states = home.look(share.layout.files)
        if not _is_complete(states):  # a file was replaced just now
            _remove_index(share, home)
            _check_states(share, home, states, [])
            return False
    home.remove(foreign)
    return True
