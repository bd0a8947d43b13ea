"""A sharded set written by the workers of a Dask cluster, a task for each shard.

The scheduler gives the tasks to the workers and gives one again whose worker is lost. A shard that
the lost worker had published is found there and left. Client and workers see the same folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from msgspec import structs

from xavinit.errors import MissingLibraryError, OutputError, RefusedError, XavinitError
from xavinit.output import Drawing, Share, Work, finish_set, mark_home, write_shards
from xavinit.places import join, lists, split
from xavinit.plan import STREAM, Plan
from xavinit.stores import is_url

_RETRIES = 3  # of a shard, such as after a disk that was full for a while
_LONGEST_WAIT = 30  # seconds for the scheduler


@contextlib.contextmanager
def open_client(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address, such as `tcp://host:8786`."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingLibraryError("this needs Dask: pip install 'xavinit[dask]'") from error
    try:
        client = Client(address, timeout=_LONGEST_WAIT, set_as_default=False)
    except (OSError, ValueError) as error:  # none there; no address
        reason = " ".join(str(error).split())[:200]
        raise OutputError(f"cannot reach a Dask scheduler at {address}: {reason}") from error
    with client:
        yield client


def write_on_dask(
    client: Any,
    plan: Plan,
    share: Share,
    work: Work,
    path: str,
    jobs: int | None,
    advance: Callable[[int], None],
) -> Work:
    """Write what is left of a set; `jobs` threads a task. Returns what was written."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    folder = path if is_url(path) else os.path.abspath(path)
    check_workers(client, folder, share)
    numbers = {file.name: number for number, file in enumerate(share.layout.shards)}
    bare = structs.replace(plan, tensors=(), canonical="", order=(), warnings=())
    # The share is the result of a task, so that each worker gets it once, and again if it is lost.
    held = client.submit(_hold, share, pure=False)
    tasks = {
        client.submit(
            write_shard,
            held,
            numbers[file.name],
            bare,
            folder,
            jobs or 1,
            describe(),
            key=f"xavinit-{file.name}-{os.urandom(8).hex()}",
            pure=False,
            retries=_RETRIES,
        ): file
        for file in work.files
    }
    written = []
    try:
        for task in as_completed(tasks, loop=client.loop):
            file = tasks[task]
            try:
                if task.result():
                    written.append(file)
            except XavinitError:
                raise
            except KilledWorker as error:
                place = join(path, file.name)
                raise OutputError(
                    f"cannot write {place}: every worker that tried was lost"
                ) from error
            except Exception as error:  # whatever else a cluster raises
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                raise OutputError(f"cannot write {path}: {reason}") from error
            advance(sum(region.tensor.nbytes for region in file.regions))
    finally:
        client.cancel([*tasks, held])
    is_complete = finish_set(share, path, Drawing(bare, 1))
    if not is_complete:
        raise OutputError(
            f"cannot write {path}: the workers have written all shards, and they are not all seen "
            "here",
            hint="run it again with --resume: what is there is left",
        )
    return Work(tuple(written), is_complete)


def _hold(share: Share) -> Share:
    return share


def write_shard(
    share: Share, number: int, plan: Plan, path: str, jobs: int, expected: tuple[str, str]
) -> bool:
    """What a worker does: write the shard of this number, unless it is there."""
    if describe() != expected:  # it came after the others were asked
        raise RefusedError(_explain_other("a worker", describe(), expected))
    work = Work((share.layout.shards[number],), is_complete=False)
    return bool(write_shards(share, work, path, Drawing(plan, jobs), lambda _: None))


def check_workers(client: Any, folder: str, share: Share) -> None:
    """Refuse workers that would write something else, or elsewhere; before anything is written."""
    found = _ask(client, describe)
    if not found:
        raise OutputError("the Dask cluster has no workers")
    for worker, told in found.items():
        if isinstance(told, Exception):
            reason = " ".join(str(told).split())[:200]
            raise RefusedError(f"the worker {worker} cannot use xavinit: {reason}")
        if tuple(told) != describe():
            raise RefusedError(_explain_other(f"the worker {worker}", told, describe()))
    _check_folder(client, folder, share)


def _ask(client: Any, question: Callable[..., Any], *arguments: object) -> dict[str, Any]:
    """What each worker answers, or the exception that it raises.

    One that is lost at this moment answers nothing: the scheduler will do without it.
    """
    found = client.run(question, *arguments, on_error="return")
    return {name: told for name, told in sorted(found.items()) if not isinstance(told, OSError)}


def _explain_other(who: str, told: Sequence[str], expected: Sequence[str]) -> str:
    return f"{who} has xavinit {' with the stream '.join(told)}; this is {' with '.join(expected)}"


def describe() -> tuple[str, str]:
    """What must be the same everywhere."""
    try:
        return version("xavinit"), STREAM
    except PackageNotFoundError:  # sources on Python's path
        return "of no version", STREAM


def _check_folder(client: Any, folder: str, share: Share) -> None:
    """Do all workers see the folder, or the one that it will be in; or the store?"""
    with mark_home(folder, share) as marker:
        found = _ask(client, sees, marker)
    for worker, told in found.items():
        if told is not True:
            place, _ = split(marker)
            what = place if is_url(marker) else f"the folder {place}"
            reason = f": {told}" if isinstance(told, str) else ""
            raise RefusedError(f"the worker {worker} does not see {what} that is here{reason}")


def sees(marker: str) -> bool | str:
    """Is it there; or why a store does not tell."""
    try:
        return lists(marker)
    except (OSError, XavinitError) as error:
        return " ".join(str(error).split())[:200]
