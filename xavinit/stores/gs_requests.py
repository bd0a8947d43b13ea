"""Requests to Google's service, with errors as stores have them."""

from __future__ import annotations

import os
import re
from typing import Any

import requests
import requests.adapters
import requests.exceptions as faults
from google.auth import default
from google.auth import exceptions as auth_faults
from google.auth.transport.requests import AuthorizedSession

from xavinit.stores.answers import clean, explain
from xavinit.stores.bounds import TooLongError, bound
from xavinit.stores.endpoints import check_endpoint
from xavinit.stores.retrying import BusyError, get_connect_timeout, get_timeout
from xavinit.stores.store import NoBucketError

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_CONNECTIONS = 64  # kept open, one for each thread
RESUME = 308  # the status of a chunk that is not the last
_CANCELED = 499  # of a request to a session that was deleted
# An object that is missing has another sentence, which quotes the names of bucket and object.
_NO_BUCKET = re.compile(r'(?:^|"message":\s*")The specified bucket does not exist')


class CanceledError(OSError):
    """An upload was ended, by us."""


def find_service() -> str:
    """The service's URL: Google's, or of an emulator that the environment names."""
    host = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not host:
        return "https://storage.googleapis.com"
    host = host if "://" in host else f"http://{host}"
    check_endpoint("STORAGE_EMULATOR_HOST", host)
    return host


def is_emulated() -> bool:
    """Is the service fake-gcs-server, or another emulator?

    That one takes the question how much of an upload has arrived for its end.
    """
    return bool(os.environ.get("STORAGE_EMULATOR_HOST"))


def open_session() -> Any:
    """What makes requests, with the environment's credentials; without, where there are none."""
    session = requests.Session()
    if not os.environ.get("STORAGE_EMULATOR_HOST"):
        try:
            session = AuthorizedSession(default(scopes=[_SCOPE])[0])
        except auth_faults.DefaultCredentialsError:
            pass  # public buckets can be read
        except auth_faults.GoogleAuthError as error:
            raise OSError(clean(str(error))) from None
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.hooks["response"].append(bound)
    session.headers["Accept-Encoding"] = "identity"  # bytes as they are stored
    return session


def ask(session: Any, method: str, url: str, **options: Any) -> Any:
    """The answer to a request, where it is success; `FileExistsError` where a condition fails.

    Of an upload, an answer may say how many bytes the service has: its status is `RESUME`.
    """
    timeout = (get_connect_timeout(), get_timeout())
    try:
        answer = session.request(method, url, timeout=timeout, allow_redirects=False, **options)
        if answer.ok and answer.status_code != RESUME:
            return answer
        if method == "PUT" and answer.status_code == RESUME and "Location" not in answer.headers:
            return answer  # of an upload; without a Range, nothing of it has been kept
        text = answer.text
    except (faults.RequestException, auth_faults.GoogleAuthError, OSError) as error:
        raise explain_fault(error) from None
    if answer.status_code == 412:
        raise FileExistsError("there is such an object")
    if answer.status_code == 404 and _NO_BUCKET.search(text):
        raise NoBucketError
    if answer.status_code == _CANCELED:
        raise CanceledError("the upload was canceled")
    meaning = explain(answer.status_code, answer.reason or "")
    if isinstance(meaning, PermissionError) and not isinstance(session, AuthorizedSession):
        meaning = PermissionError(f"{meaning} (no credentials are found)")
    raise meaning


def get_size(answer: Any) -> int | None:
    """The size of the object that an answer tells of; None where it tells of none."""
    try:
        return int(answer.json()["size"])
    except (ValueError, KeyError, TypeError):  # a page of what stands between, perhaps
        return None


def explain_fault(error: Exception) -> OSError:
    """The error for a request that has no answer."""
    if isinstance(error, auth_faults.TransportError):
        return BusyError("cannot reach the service that gives credentials")
    if isinstance(error, auth_faults.GoogleAuthError):
        return PermissionError(f"access denied: {clean(str(error))}")
    if isinstance(error, TooLongError):
        return error
    if isinstance(error, faults.InvalidURL | faults.InvalidSchema | faults.MissingSchema):
        return OSError("the address of the store, or of a proxy to it, cannot be used")
    if isinstance(error, faults.ProxyError):
        return BusyError("cannot reach the proxy that the environment names")
    if isinstance(error, faults.SSLError):
        return OSError("the store's certificate is not accepted")
    if isinstance(error, faults.ReadTimeout):
        return BusyError("the store does not answer")
    if isinstance(error, faults.ConnectTimeout):
        return BusyError("cannot reach the store")
    if isinstance(error, faults.ConnectionError | faults.ChunkedEncodingError | OSError):
        return BusyError("cannot reach the store, or the connection failed")
    return OSError(clean(str(error)))
