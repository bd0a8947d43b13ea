"""az:// by obstore, and uploads by azure-storage-blob: blocks that are staged, then committed.

Staged blocks are no object; the service forgets them a week after the last one. A commit is one
request, and conditional.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from functools import partial
from importlib import import_module
from typing import Any

import azure.core.exceptions as faults
import requests
from azure.core import MatchConditions
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobBlock, BlobServiceClient
from obstore.exceptions import BaseError
from obstore.store import AzureStore

from xavinit.stores.answers import clean, explain
from xavinit.stores.az_account import find_account
from xavinit.stores.bodies import Body
from xavinit.stores.bounds import bound
from xavinit.stores.obstore_bucket import ObstoreBucket, get_options
from xavinit.stores.recognizing import TOKEN_NAME, make_token
from xavinit.stores.retrying import (
    BusyError,
    get_connect_timeout,
    get_timeout,
    persist,
    persist_until,
)
from xavinit.stores.store import OvertakenError
from xavinit.stores.waiting import Requests

_GRACE = 3.0  # seconds that requests on their way get to end before an abort
_LOOK = 15.0  # seconds that a look takes which says whether a lost commit was done


def make_store(bucket: str) -> AzStore:
    account = find_account()
    timeouts = {"connection_timeout": get_connect_timeout(), "read_timeout": get_timeout()}
    credential = client_credential = None
    if not account.key and not account.sas:
        client_credential = import_module("azure.identity").DefaultAzureCredential()
        provider = import_module("obstore.auth.azure").AzureCredentialProvider
        credential = provider(client_credential)
    options = {**get_options(), **account.get_obstore_options(credential)}
    try:
        store = AzureStore(bucket, **options)
        session = requests.Session()
        session.hooks["response"].append(bound)
        client = BlobServiceClient(
            **account.get_client_options(client_credential),
            retry_total=0,
            transport=RequestsTransport(session=session, session_owner=False, **timeouts),
        )
        container = client.get_container_client(bucket)
    except (faults.AzureError, BaseError, ValueError) as error:
        raise OSError(f"the account of az:// cannot be used: {clean(str(error))}") from None
    return AzStore(store, container)


class AzStore(ObstoreBucket):
    """A container of Azure's Blob Storage."""

    def __init__(self, bucket: Any, container: Any) -> None:
        super().__init__(bucket)
        self._container = container

    def start_upload(self, key: str, *, is_new: bool) -> AzUpload:
        return AzUpload(self._container.get_blob_client(key), is_new=is_new)


class AzUpload:
    """An object that is being sent. Nothing needs to be told to the store before the first part."""

    def __init__(self, blob: Any, *, is_new: bool) -> None:
        self._blob = blob
        self._is_new = is_new
        self._token = make_token()
        self._requests = Requests()
        self._is_begun = False
        self._numbers: set[int] = set()
        self._bodies: dict[int, Body] = {}  # on their way, by number
        self._lock = threading.Lock()

    def _name_block(self, number: int) -> str:
        """The block's name: of this upload alone, and for all uploads of one length."""
        return base64.b64encode(f"{self._token}-{number:06}".encode()).decode()

    def put_part(self, number: int, content: memoryview) -> None:
        def request(failures: int) -> None:
            body = Body(content)
            with self._lock:
                self._bodies[number] = body
            self._requests.run(
                lambda: ask(
                    self._blob.stage_block, self._name_block(number), body, length=len(body)
                )
            )
            with self._lock:
                del self._bodies[number]

        self._is_begun = True
        persist(request)
        with self._lock:
            self._numbers.add(number)

    def complete(self) -> None:
        blocks = [BlobBlock(self._name_block(number)) for number in sorted(self._numbers)]
        condition = {"match_condition": MatchConditions.IfMissing} if self._is_new else {}

        def commit() -> None:
            ask(
                self._blob.commit_block_list,
                blocks,
                metadata={TOKEN_NAME: self._token},
                **condition,
            )

        def request(failures: int) -> None:
            try:
                self._requests.run(commit)
            except BusyError:
                raise
            except OvertakenError:
                if failures and self._is_complete():
                    return
                # Where another run commits an object, the service drops all blocks of its name.
                if self._is_new and self._find_committed(time.monotonic() + _LOOK) is not None:
                    raise FileExistsError("there is such an object") from None
                raise
            except OSError:  # it exists, or the blocks are no longer there
                if not failures or not self._is_complete():
                    raise

        persist(request)

    def _is_complete(self) -> bool:
        """Does the object that stands there come from this upload?"""
        found = self._find_committed(time.monotonic() + _LOOK)
        return found is not None and (found.metadata or {}).get(TOKEN_NAME) == self._token

    def _find_committed(self, end: float) -> Any:
        """What stands under the key; None where there is nothing."""
        try:
            return persist_until(partial(ask, self._blob.get_blob_properties), end)
        except FileNotFoundError:
            return None

    def abort(self, seconds: float) -> None:
        """Drop the blocks where nothing stands under the key; else the service does it.

        To delete is the one way to drop them that makes no object, and it would delete an object
        that stands there.
        """
        if not self._is_begun:
            return
        end = time.monotonic() + seconds
        with self._lock:
            for body in self._bodies.values():
                body.stop()
        self._requests.join(min(_GRACE, seconds / 3))
        if self._find_committed(end) is not None:
            return
        delete = partial(ask, self._blob.delete_blob, match_condition=MatchConditions.IfMissing)
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            persist_until(delete, end)


def ask(call: Any, *arguments: Any, **options: Any) -> Any:
    """Make a request by azure-storage-blob; errors become those of stores."""
    try:
        return call(*arguments, **options)
    except faults.IncompleteReadError:  # a kind of the next, with no status
        raise BusyError("the connection failed") from None
    except faults.HttpResponseError as error:
        code = getattr(error, "error_code", None)
        code = str(getattr(code, "value", code) or "")
        status = error.status_code or 0
        if code == "BlobAlreadyExists" or status == 412:
            raise FileExistsError("there is such an object") from None
        if code == "InvalidBlockList":
            raise OvertakenError("another run has made the object meanwhile") from None
        if not status:
            raise BusyError("the connection failed") from None
        raise explain(status, code, str(error.reason or "")) from None
    except (faults.ServiceRequestTimeoutError, faults.ServiceResponseTimeoutError):
        raise BusyError("the store does not answer") from None
    except faults.ServiceRequestError:
        raise BusyError("cannot reach the store, or the connection failed") from None
    except faults.ServiceResponseError:
        raise BusyError("the connection failed") from None
    except faults.AzureError as error:
        raise OSError(clean(str(error))) from None
