"""Requests by boto3's client, with errors as stores have them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import botocore.exceptions as faults
import urllib3.exceptions
from botocore import UNSIGNED
from botocore.parsers import ResponseParserError

from xavinit.stores.answers import clean, explain
from xavinit.stores.bounds import BoundedAnswer, TooLongError
from xavinit.stores.retrying import BusyError
from xavinit.stores.store import NotOfferedError


def ask(client: Any, name: str, **arguments: Any) -> Any:
    """Make a request by the client's method of a name; errors become those of stores.

    `FileExistsError` where a condition does not hold.
    """
    try:
        return getattr(client, name)(**arguments)
    except faults.ClientError as error:
        answer: dict[str, Any] = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(answer.get("Error", {}).get("Code", ""))
        if status == 412 or code == "PreconditionFailed":
            raise FileExistsError("there is such an object") from None
        if status == 501 or code == "NotImplemented":
            raise NotOfferedError(f"the store does not implement this: {name}") from None
        meaning = explain(status, code, str(answer["Error"].get("Message", "")))
        # Some servers call it a bad request.
        if type(meaning) in (OSError, PermissionError) and is_anonymous(client):
            meaning = type(meaning)(f"{meaning} (no credentials are found)")
        raise meaning from None
    except ResponseParserError:
        raise BusyError("the store's answer is not of S3's language") from None
    except _FAULTS as error:
        raise explain_fault(error) from None
    except (KeyError, TypeError, ValueError, RecursionError):  # of boto3's own work with an answer
        raise OSError("the store gives an answer that cannot be understood") from None


@contextlib.contextmanager
def forgo(condition: dict[str, str]) -> Iterator[None]:
    """The block makes a request; where the server takes no condition, the next try has none."""
    try:
        yield
    except NotOfferedError:
        if not condition:
            raise
        condition.clear()
        raise BusyError("the store takes no condition") from None


# botocore reads the body of a refused request for an object without its own errors.
_FAULTS = faults.BotoCoreError, faults.HTTPClientError, urllib3.exceptions.HTTPError, OSError


class BoundedSession:
    """botocore's connections, with answers that are bounded, all but objects."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def send(self, request: Any) -> Any:
        is_read_whole, request.stream_output = not request.stream_output, True
        answer = self._session.send(request)
        is_refusal = answer.status_code >= 300
        if is_refusal or is_read_whole:
            answer.raw = BoundedAnswer(answer.raw, is_refusal=is_refusal)
            _ = answer.content  # is kept
        return answer


def is_anonymous(client: Any) -> bool:
    """Are requests made without credentials, because there are none?"""
    return client.meta.config.signature_version is UNSIGNED


_BUSY = {
    faults.EndpointConnectionError: "cannot reach the store",
    faults.ConnectTimeoutError: "cannot reach the store",
    faults.ReadTimeoutError: "the store does not answer",
    faults.ResponseStreamingError: "the connection failed",
    faults.IncompleteReadError: "the connection failed",
    faults.HTTPClientError: "the connection failed",  # among them one that takes no more bytes
}


def explain_fault(error: Exception) -> OSError:
    """The error for a request that has no answer."""
    if isinstance(error, TooLongError):
        return error
    if isinstance(error, faults.ProxyConnectionError):
        return OSError("cannot reach the proxy that the environment names")
    if isinstance(error, faults.ParamValidationError):
        return OSError("the name of the bucket, or of the object, is not one that s3:// takes")
    if isinstance(error, faults.SSLError):
        return OSError("the store's certificate is not accepted")
    if isinstance(error, faults.NoCredentialsError | faults.PartialCredentialsError):
        return PermissionError("no credentials for s3:// are found")
    for kind, fact in _BUSY.items():
        if isinstance(error, kind):
            return BusyError(fact)
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return BusyError("the store does not answer")
    if isinstance(error, OSError | urllib3.exceptions.HTTPError):
        return BusyError("the connection failed")
    return OSError(clean(str(error)))
