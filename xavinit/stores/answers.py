"""What a store's refusal means, in our own words: nothing of a request is quoted.

Libraries' messages hold URLs with signatures, headers and parts of keys; a store's own may repeat
what was signed. So a message bears the status, the store's code, and at most its first sentence.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from xavinit.errors import XavinitError
from xavinit.stores.retrying import BusyError
from xavinit.stores.store import NoBucketError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]*", re.IGNORECASE)
_SECRET = re.compile(
    r"(?:\b(?:sig|signature|credential|authorization|token|password|secret|\w*key)\b\s*[:=]\s*"
    r"|\b(?:bearer|sharedkey|AWS4-HMAC-SHA256)\s+)[^\s,;&<>]+.*",
    re.IGNORECASE,
)
_USER = re.compile(r"([a-z][a-z0-9+.-]*://)?\S*@", re.IGNORECASE)  # with a password, perhaps
_MOST_READ = 10_000  # characters of a text that are looked at
_LONGEST = 200  # characters of a store's own words

_BUSY_CODES = {
    "RequestTimeout",
    "OperationAborted",
    "ConditionalRequestConflict",
    "SlowDown",
    "InternalError",
    "ServerBusy",
    "OperationTimedOut",
    "TooManyRequests",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"}


def clean(text: str) -> str:
    """The first line of a text, without URLs' queries, and cut where a secret may follow.

    >>> clean("cannot GET https://me:pw@host/a?sig=abc now\\nAuthorization: Bearer xyz")
    'cannot GET https://host/a now'
    >>> clean("bad header: Authorization: AWS4-HMAC-SHA256 Credential=AKID/2026, Signature=1")
    'bad header: …'
    """
    line = next((line.strip() for line in text[:_MOST_READ].splitlines() if line.strip()), "")
    line = _URL.sub(_strip_url, _USER.sub(r"\1", line))
    line = _SECRET.sub("…", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _strip_url(match: re.Match[str]) -> str:
    scheme, _, rest = match[0].partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{slash}{path}"


@contextlib.contextmanager
def understanding() -> Iterator[None]:
    """An answer that is not formed as it must be is the store's fault, or that of what is between.

    Errors of ours go through.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, XavinitError):
            raise
        raise OSError("the store gives an answer that cannot be understood") from None


def explain(status: int, code: str = "", message: str = "") -> OSError:
    """The error for an answer that is not success: its status, the store's code and words.

    >>> explain(503, "SlowDown", "Please reduce your request rate.")
    BusyError('the store answers 503 SlowDown: Please reduce your request rate.')
    """
    code = re.sub(r"[^A-Za-z0-9_.-]", "", code)[:60]
    if code in _NO_BUCKET:
        return NoBucketError()
    if code in _EXPIRED:
        return PermissionError("the credentials have expired")
    if status == 404:
        return FileNotFoundError("no such object")
    message = clean(message)
    fact = f"the store answers {status}"
    fact += f" {code}" if code and code != str(status) else ""
    fact += f": {message}" if message and message != code else ""
    if status in (401, 403):
        return PermissionError(f"access denied: {fact}")
    if status in (408, 429) or status >= 500 or code in _BUSY_CODES:
        return BusyError(fact)
    if status in (301, 307) or code == "AuthorizationHeaderMalformed":
        return OSError(f"{fact} (the bucket may be in another region)")
    return OSError(fact)
