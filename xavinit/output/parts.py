"""A sharded set that several runs write into one folder, each its own files.

The runs ask each other nothing. Each file is published by itself, whole; one that stands with its
header and size is done, whoever wrote it. Each run ends with a look at the folder, and one that
finds all files there publishes the index, which makes them a set. So runs may come in any order,
at once or twice, and die at any moment: the next one goes on where they stopped.

What stands there and is not of this set is refused. With `force` each run replaces its own files
alone. Before one goes, the index goes, so that it never stands over files of two sets; where no
name is the same, the old set stands until the new one is whole. What other sets left under other
names goes last, by the run that finds the new one whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from msgspec import Struct

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError
from xavinit.formats import FileLayout, Layout, Part, State, divide, find_state
from xavinit.output import disk
from xavinit.output.access import Access, find_access
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.files import fill_files
from xavinit.output.publish import find_target, make_temporary_folder, publish_file, sync_folder
from xavinit.output.sets import find_old
from xavinit.wording import explain_os_error

Publish = Callable[[FileLayout], bool]


class Share(Struct, frozen=True):
    """What one of several runs has to do with a set."""

    part: Part
    layout: Layout
    files: tuple[FileLayout, ...]  # this run's
    force: bool
    resume: bool  # are files that were cut short written again?


class Work(Struct, frozen=True):
    """What is left of a share, files that are not there as they must be; or what was done."""

    files: tuple[FileLayout, ...]
    is_complete: bool  # is the whole set there?

    @property
    def nbytes(self) -> int:
        """The bytes of the files' tensors."""
        return sum(count_bytes(file.regions) for file in self.files)


def take_share(layout: Layout, part: Part, *, force: bool, resume: bool) -> Share:
    """The share of a part: its files follow from the layout alone."""
    own = divide([file.nbytes for file in layout.shards], part.count)[part.number - 1]
    return Share(part, layout, tuple(layout.shards[place] for place in own), force, resume)


def find_work(share: Share, path: str) -> Work:
    """What is left to do; `RefusedError`, before any work, for what must not be replaced."""
    foreign = _find_foreign(share, path)
    states = _look(share, path)
    _check_states(share, path, states, foreign)
    todo = tuple(file for file in share.files if states[file.name] != "whole")
    return Work(todo, _is_complete(states) and not foreign)


def write_share(share: Share, work: Work, path: str, drawing: Drawing, advance: Advance) -> Work:
    """Write what is left, and the index if the set is whole then; return what was written."""
    written = write_shards(share, work, path, drawing, advance)
    return Work(written, finish_set(share, path, drawing))


def write_shards(
    share: Share, work: Work, path: str, drawing: Drawing, advance: Advance
) -> tuple[FileLayout, ...]:
    """Write the files that are left, but for those that have come to stand there by now."""
    written = []
    with _telling(path):
        target = find_target(path)
        with contextlib.suppress(FileExistsError):
            disk.make_folder(target, 0o777)
            sync_folder(os.path.dirname(target))
        publish = _make_publish(share, path, drawing, advance)
        for file in work.files:
            if _write_file(share, file, path, publish):
                written.append(file)
            else:  # another run was faster
                advance(count_bytes(file.regions))
    return tuple(written)


def finish_set(share: Share, path: str, drawing: Drawing) -> bool:
    """Publish the index if all files of tensors are there; return whether the set is."""
    with _telling(path):
        return _finish(share, path, _make_publish(share, path, drawing, lambda _: None))


@contextlib.contextmanager
def mark_folder(path: str) -> Iterator[str]:
    """Within the block, an empty folder of a random name stands where the set is or will be."""
    with _telling(path):
        target = find_target(path)
        folder = target if os.path.isdir(target) else os.path.dirname(target)
        with make_temporary_folder(folder, is_private=False) as marker:
            yield marker


@contextlib.contextmanager
def _telling(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def _make_publish(share: Share, path: str, drawing: Drawing, advance: Advance) -> Publish:
    return partial(_publish, path, _find_usual_access(share, path), drawing, advance)


def _look(share: Share, path: str) -> dict[str, State]:
    """What stands at the name of each file of the set."""
    files = share.layout.files
    return {file.name: find_state(os.path.join(path, file.name), file) for file in files}


def _is_complete(states: Mapping[str, State]) -> bool:
    return all(state == "whole" for state in states.values())


def _find_present(share: Share, path: str) -> list[str]:
    """The names in the folder that are such a set's, its index first."""
    find_set = share.layout.find_set
    return [] if find_set is None else find_old(path, find_set)


def _find_foreign(share: Share, path: str) -> list[str]:
    """Names of another set: such names, but not of this one."""
    ours = {file.name for file in share.layout.files}
    return [name for name in _find_present(share, path) if name not in ours]


def _find_usual_access(share: Share, path: str) -> Access | None:
    """With `force`, what a file with a new name gets: the access of the set that is replaced."""
    present = _find_present(share, path) if share.force else []
    return find_access(os.path.join(path, present[0])) if present else None


def _check_states(share: Share, path: str, states: Mapping[str, State], foreign: list[str]) -> None:
    """Refuse what stands there and is not of this set, also where it is another part's."""
    if share.force:
        return
    other = [*foreign, *(name for name, state in states.items() if state == "other")]
    if other:
        raise RefusedError(
            f"{os.path.join(path, other[0])} is not of this spec, seed, stream and size of shards; "
            "use --force to replace it"
        )
    own = {file.name for file in share.files} | {share.layout.index_name}
    short = [name for name, state in states.items() if state == "short" and name in own]
    if short and not share.resume:
        raise RefusedError(
            f"{os.path.join(path, short[0])} is cut short; use --resume to write it again"
        )


def _write_file(share: Share, file: FileLayout, path: str, publish: Publish) -> bool:
    """Publish one file of tensors, unless it has come to stand there by now."""
    state = find_state(os.path.join(path, file.name), file)
    if state == "whole":
        return False
    _check_states(share, path, {file.name: state}, [])
    if state == "missing":
        return publish(file)
    _remove_index(share, path)
    done = publish(file)
    _remove_index(share, path)  # of a run that had counted the old file
    return done


def _publish(
    path: str, access: Access | None, drawing: Drawing, advance: Advance, file: FileLayout
) -> bool:
    """Publish a file; what is not as it must be goes. False where another run was faster."""
    place = os.path.join(path, file.name)
    if os.path.islink(place):
        disk.unlink(place)  # the link goes; what it leads to, such as a hub's blob, stays
    try:
        with publish_file(place, force=os.path.lexists(place), access=access) as temporary:
            fill_files([(file, temporary)], drawing, advance)
    except RefusedError:
        if find_state(place, file) != "whole":
            raise
        return False
    return True


def _remove_index(share: Share, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(os.path.join(path, share.layout.index_name))
        sync_folder(find_target(path))


def _finish(share: Share, path: str, publish: Publish) -> bool:
    states = _look(share, path)
    foreign = _find_foreign(share, path)
    _check_states(share, path, states, foreign)
    if any(states[file.name] != "whole" for file in share.layout.shards):
        return False
    index = share.layout.index
    if index is not None and states[index.name] != "whole":
        publish(index)
        states = _look(share, path)
        if not _is_complete(states):  # a file was replaced just now
            _remove_index(share, path)
            _check_states(share, path, states, [])
            return False
    for name in foreign:
        with contextlib.suppress(FileNotFoundError):  # another run removes them too
            disk.unlink(os.path.join(path, name))
    if foreign:
        sync_folder(find_target(path))
    return True
