"""s3:// by boto3, which knows the usual environment: credentials, profiles, region, endpoint.

Not by obstore: its uploads cannot be conditional, and it refuses an answer to a range request whose
status is 200, which rclone's server gives.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import Any

import boto3
import botocore
import botocore.exceptions as faults
from botocore.config import Config
from urllib3.exceptions import HTTPError

from xavinit.stores.answers import understanding
from xavinit.stores.bounds import Pages, check_range
from xavinit.stores.endpoints import check_endpoints
from xavinit.stores.recognizing import is_same_content
from xavinit.stores.retrying import BusyError, get_connect_timeout, get_timeout, persist
from xavinit.stores.s3_requests import BoundedSession, ask, explain_fault, forgo
from xavinit.stores.s3_upload import S3Upload
from xavinit.stores.store import ChangedError, Found, NoBucketError, make_found
from xavinit.stores.waiting import Requests

_CONNECTIONS = 64  # kept open, one for each thread
_PIECE = 1 << 20  # bytes read at a time


def make_store(bucket: str) -> S3Store:
    check_endpoints("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    options: dict[str, Any] = {
        "retries": {"total_max_attempts": 1},
        "connect_timeout": get_connect_timeout(),
        "read_timeout": get_timeout(),
        "max_pool_connections": _CONNECTIONS,
        # Not every server knows the checksums that are newer than S3 itself.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    try:
        session = boto3.Session()
        if session.get_credentials() is None:  # public buckets can be read
            options["signature_version"] = botocore.UNSIGNED
        client = session.client("s3", _find_region(), config=Config(**options))
        client._endpoint.http_session = BoundedSession(client._endpoint.http_session)
    except faults.ProfileNotFound:
        raise OSError("AWS's settings have no such profile as the environment names") from None
    except (faults.BotoCoreError, ValueError) as error:
        # Not its words: they may quote an address with a password.
        kind = type(error).__name__
        raise OSError(f"AWS's settings or environment cannot be used ({kind})") from None
    return S3Store(client, bucket)


def _find_region() -> str | None:
    """The region by the name that all other libraries of Amazon's read; boto3 knows the rest."""
    is_known = os.environ.get("AWS_DEFAULT_REGION")
    return None if is_known else os.environ.get("AWS_REGION") or None


class S3Store:
    """A bucket of S3, or of another store that speaks its language."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._requests = Requests()

    def _ask(self, name: str, **arguments: Any) -> Any:
        """Make a request by the client's method of a name."""
        return ask(self._client, name, Bucket=self._bucket, **arguments)

    def find(self, key: str) -> Found | None:
        if not key:
            return None

        def request(failures: int) -> Any:
            return self._requests.run(lambda: self._ask("head_object", Key=key))

        try:
            answer = persist(request)
        except FileNotFoundError:
            return None
        with understanding():
            return make_found(answer["ContentLength"], answer["ETag"])

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        if len(block):
            done = [0]
            call = partial(self._read_on, key, start, block, tag, done)
            persist(lambda failures: self._requests.run(call))

    def _read_on(self, key: str, start: int, block: memoryview, tag: str, done: list[int]) -> None:
        """Fill a block from where the last try ended."""
        first, end = start + done[0], start + len(block)
        place = f"bytes={first}-{end - 1}"
        try:
            answer = self._ask("get_object", Key=key, Range=place, IfMatch=tag)
        except FileExistsError:
            raise ChangedError("the object has changed") from None
        with contextlib.closing(answer["Body"]) as body:
            if answer.get("ETag") != tag:  # not every server looks at the condition
                raise ChangedError("the object has changed")
            check_range(first, end, answer.get("ContentRange"), answer.get("ContentLength", -1))
            try:
                while done[0] < len(block):
                    piece = body.read(min(_PIECE, len(block) - done[0]))
                    if not piece:
                        raise BusyError("the connection failed")
                    block[done[0] : done[0] + len(piece)] = piece
                    done[0] += len(piece)
            except (faults.BotoCoreError, faults.HTTPClientError, HTTPError) as error:
                raise explain_fault(error) from None

    def list_names(self, prefix: str) -> list[str]:
        names: set[str] = set()
        more: dict[str, str] = {}
        pages = Pages()
        while True:
            page = dict(more)

            def request(failures: int, page: dict[str, str] = page) -> Any:
                return self._requests.run(
                    lambda: self._ask("list_objects_v2", Prefix=prefix, Delimiter="/", **page)
                )

            answer = persist(request)
            names |= {entry["Key"] for entry in answer.get("Contents", [])}
            names |= {entry["Prefix"] for entry in answer.get("CommonPrefixes", [])}
            token = answer.get("NextContinuationToken")
            if not token:
                return sorted(name.removeprefix(prefix) for name in names if name != prefix)
            pages.check(token)
            more = {"ContinuationToken": token}

    def put(self, key: str, content: bytes, *, is_new: bool) -> None:
        # Not every server looks at the condition of the request itself.
        if is_new and self.find(key) is not None:
            raise FileExistsError("there is such an object")
        condition = {"IfNoneMatch": "*"} if is_new else {}

        def request(failures: int) -> None:
            try:
                with forgo(condition):
                    answer = self._requests.run(
                        lambda: self._ask("put_object", Key=key, Body=content, **condition)
                    )
                # What stands between may answer with a page of its own.
                if not answer.get("ETag") and not is_same_content(self, key, content):
                    raise BusyError("the store does not say that the object is there")
            except FileExistsError:
                if not failures or not is_same_content(self, key, content):
                    raise

        persist(request)

    def start_upload(self, key: str, *, is_new: bool) -> S3Upload:
        return S3Upload(self._client, self._bucket, key, self, is_new=is_new)

    def delete(self, key: str) -> None:
        def request(failures: int) -> None:
            self._requests.run(lambda: self._ask("delete_object", Key=key))

        try:
            persist(request)
        except NoBucketError:
            raise
        except FileNotFoundError:
            return  # as it is to be
