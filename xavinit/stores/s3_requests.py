"""Requests by boto3's client, with errors as stores have them."""

from __future__ import annotations

from typing import Any

import botocore.exceptions as faults
from botocore import UNSIGNED

from xavinit.stores.answers import clean, explain
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
    except (faults.BotoCoreError, faults.HTTPClientError, OSError) as error:
        raise explain_fault(error) from None


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
    if isinstance(error, faults.SSLError | faults.ProxyConnectionError):
        return OSError(clean(str(error)))
    if isinstance(error, faults.NoCredentialsError | faults.PartialCredentialsError):
        return PermissionError("no credentials for s3:// are found")
    for kind, fact in _BUSY.items():
        if isinstance(error, kind):
            return BusyError(fact)
    if isinstance(error, OSError):
        return BusyError("the connection failed")
    return OSError(clean(str(error)))
