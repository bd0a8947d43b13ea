"""A bucket by obstore: all that is one request. Uploads in parts are each store's own.

obstore's uploads cannot be conditional, and its last step leaves the parts where it fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import obstore
from obstore import exceptions as faults

from xavinit.stores.answers import clean, explain
from xavinit.stores.recognizing import is_same_content
from xavinit.stores.retrying import BusyError, get_connect_timeout, get_timeout, persist
from xavinit.stores.store import ChangedError, Found, NoBucketError
from xavinit.stores.waiting import Requests

T = TypeVar("T")

_PIECE = 1 << 20  # bytes copied at a time, at the least

_STATUS = re.compile(r"status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>\s*([^<]*?)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]*?)\s*</Message>")


def get_options() -> dict[str, Any]:
    """What every store of obstore's is made with."""
    timeout = timedelta(seconds=get_timeout())
    return {
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        "client_options": {
            "connect_timeout": timedelta(seconds=get_connect_timeout()),
            "read_timeout": timeout,
            "timeout": timedelta(hours=1),  # of a whole request, which may be a slow one
            "allow_http": True,
        },
    }


class ObstoreBucket:
    """A bucket of any store that obstore knows."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        self._requests = Requests()

    def _ask(self, call: Callable[..., T], key: str, **options: Any) -> T:
        """Make one request, without a second try."""
        if key.startswith("/") or key.endswith("/"):  # which obstore takes for another key
            raise FileNotFoundError("no such object: a key that begins or ends with a slash")
        return self._requests.run(lambda: ask(call, self._bucket, key, **options))

    def find(self, key: str) -> Found | None:
        if not key:
            return None
        try:
            found: Any = persist(lambda failures: self._ask(obstore.head, key))
        except FileNotFoundError:
            return None
        return Found(found["size"], found["e_tag"] or "")

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        if len(block):
            done = [0]
            call = partial(self._read_on, start=start, block=block, tag=tag, done=done)
            persist(lambda failures: self._ask(call, key))

    def _read_on(
        self, bucket: Any, key: str, start: int, block: memoryview, tag: str, done: list[int]
    ) -> None:
        """Fill a block from where the last try ended."""
        options: Any = {"range": (start + done[0], start + len(block)), "if_match": tag}
        answer = obstore.get(bucket, key, options=options)
        if answer.meta["e_tag"] != tag:
            raise ChangedError("the object has changed")
        for piece in answer.stream(min_chunk_size=_PIECE):
            content = memoryview(piece)
            if len(content) > len(block) - done[0]:
                raise ChangedError("the store answers with other bytes than those asked for")
            block[done[0] : done[0] + len(content)] = content
            done[0] += len(content)
        if done[0] < len(block):
            raise ChangedError("the object is too short")

    def list_names(self, prefix: str) -> list[str]:
        # obstore lists folders; of one, the names that begin with the rest are taken.
        folder, slash, rest = prefix.rpartition("/")
        found: Any = persist(lambda failures: self._ask(obstore.list_with_delimiter, folder))
        names = {entry["path"] for entry in found["objects"]}
        names |= {f"{name}/" for name in found["common_prefixes"]}
        names = {name.removeprefix(folder + slash) for name in names}
        return sorted(
            name.removeprefix(rest) for name in names if name.startswith(rest) and name != rest
        )

    def put(self, key: str, content: bytes, *, is_new: bool) -> None:
        mode = "create" if is_new else "overwrite"

        def request(failures: int) -> None:
            try:
                self._ask(obstore.put, key, file=content, mode=mode, use_multipart=False)
            except FileExistsError:
                if not failures or not is_same_content(self, key, content):
                    raise

        persist(request)

    def delete(self, key: str) -> None:
        try:
            persist(lambda failures: self._ask(obstore.delete, key))
        except NoBucketError:
            raise
        except FileNotFoundError:
            return  # as it is to be


def ask(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a function of obstore's; errors become those of stores."""
    try:
        return call(*arguments, **options)
    except faults.AlreadyExistsError:
        raise FileExistsError("there is such an object") from None
    except faults.PreconditionError:
        raise ChangedError("the object has changed") from None
    except (faults.BaseError, FileNotFoundError, ValueError) as error:
        raise explain_fault(error) from None


def explain_fault(error: Exception) -> OSError:
    """The error for one of obstore's, whose text is all that it tells."""
    text = str(error).partition("Debug source")[0]
    status, code, message = (kind.search(text) for kind in (_STATUS, _CODE, _MESSAGE))
    if status is not None:
        number = int(status[1] or status[2])
        return explain(number, code[1] if code else "", message[1] if message else "")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError("no such object")
    if isinstance(error, faults.PermissionDeniedError | faults.UnauthenticatedError):
        return PermissionError("access denied")
    if "timed out" in text:
        return BusyError("the store does not answer")
    if "error sending request" in text:
        return BusyError("cannot reach the store, or the connection failed")
    if "HTTP error" in text or "error decoding response body" in text:
        return BusyError("the connection failed")
    return OSError(clean(text))
