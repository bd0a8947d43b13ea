"""Which account az:// means: the usual variables of the environment, for both libraries alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.stores.endpoints import check_endpoint

_EMULATOR = "devstoreaccount1"
# Published with the emulator, for everybody.
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


class Account(Struct, frozen=True):
    """An account, and how one shows that one may use it. It is never printed."""

    name: str
    endpoint: str  # a URL, without a query
    key: str = ""
    sas: str = ""  # a shared access signature, without a question mark

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    def get_obstore_options(self, credential: Any) -> dict[str, Any]:
        """Arguments of `AzureStore`."""
        options: dict[str, Any] = {"account_name": self.name, "endpoint": self.endpoint}
        if self.key:
            return {**options, "account_key": self.key}
        if self.sas:
            return {**options, "sas_key": self.sas}
        return {**options, "credential_provider": credential}

    def get_client_options(self, credential: Any) -> dict[str, Any]:
        """Arguments of azure-storage-blob's `BlobServiceClient`."""
        if self.key:
            credential = {"account_name": self.name, "account_key": self.key}
        elif self.sas:
            credential = self.sas
        return {"account_url": self.endpoint, "credential": credential}


def find_account(environment: Mapping[str, str] = os.environ) -> Account:
    """The account of the environment; `UsageError` where it names none.

    >>> find_account({"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": "c2VjcmV0"})
    Account('acme')
    """

    def take(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    endpoint = take("AZURE_STORAGE_ENDPOINT").rstrip("/")
    if endpoint:
        check_endpoint("AZURE_STORAGE_ENDPOINT", endpoint)
    text = take("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        return _parse_connection(text)
    name = take("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
    if not name:
        raise UsageError(
            "az:// needs an account: AZURE_STORAGE_ACCOUNT_NAME in the environment,"
            " or AZURE_STORAGE_CONNECTION_STRING"
        )
    return Account(
        name,
        endpoint or f"https://{name}.blob.core.windows.net",
        take("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY"),
        take("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY").lstrip("?"),
    )


def _parse_connection(text: str) -> Account:
    """The account of a connection string: pairs with semicolons between."""
    pairs = dict(pair.partition("=")[::2] for pair in text.strip().split(";") if pair)
    if pairs.get("UseDevelopmentStorage") == "true":
        return Account(_EMULATOR, f"http://127.0.0.1:10000/{_EMULATOR}", _EMULATOR_KEY)
    name = pairs.get("AccountName", "")
    endpoint = pairs.get("BlobEndpoint", "").rstrip("/")
    if not name and not endpoint:
        raise UsageError("AZURE_STORAGE_CONNECTION_STRING has neither AccountName nor BlobEndpoint")
    if not name:
        name = endpoint.partition("://")[2].partition("/")[0].partition(".")[0]
    if not endpoint:
        suffix = pairs.get("EndpointSuffix", "core.windows.net")
        endpoint = f"{pairs.get('DefaultEndpointsProtocol', 'https')}://{name}.blob.{suffix}"
    check_endpoint("the endpoint of AZURE_STORAGE_CONNECTION_STRING", endpoint)
    return Account(
        name,
        endpoint,
        pairs.get("AccountKey", ""),
        pairs.get("SharedAccessSignature", "").lstrip("?"),
    )
