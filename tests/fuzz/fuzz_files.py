"""A coverage-guided fuzz target for the readers of weights files.

`make fuzz-files` runs it for a minute; FUZZ_SECONDS sets how long. The first byte of an input
chooses the reader (or FUZZ_READER, its number), the rest is the file. What is found lies in
tests/fuzz/found: cut it down, give it a name that says what it is, and move it to
tests/fuzz/files, which the quick tests run.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import xavinit
from xavinit.errors import InputError, escape
from xavinit.formats import FORMATS, archives, keras_archive, npz, parse_format, pipes, pytorch
from xavinit.verbs.digest import digest

for name in FORMATS:  # loaded on demand otherwise, after the code has been rewritten
    parse_format(name)
LOADED = (npz, pipes, pytorch)

LONGEST = 1 << 16  # bytes; faults are found in short files
SECONDS = 5  # more for such a file is a fault too

SPEC = {"tensors": {name: {"shape": [2], "init": "ones"} for name in "ab"}}


def make_folder() -> Path:
    """A folder for one file at a time, in memory where the system has such a place."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    return Path(tempfile.mkdtemp(prefix="xavinit-fuzz-", dir=place))


FOLDER = make_folder()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def read_file(content: bytes, name: str) -> None:
    path = FOLDER / name
    path.write_bytes(content)
    digest(path)


def read_manifest(content: bytes) -> None:
    """A manifest, beside two sound files."""
    folder = FOLDER / "plain"
    if not folder.exists():
        xavinit.generate(SPEC, folder, format="npy")
    (folder / "manifest.json").write_bytes(content)
    digest(folder)


def read_set(content: bytes) -> None:
    """An index, beside two sound shards."""
    folder = FOLDER / "set"
    if not folder.exists():
        xavinit.generate(SPEC, folder, max_shard_size=8)
    (folder / "model.safetensors.index.json").write_bytes(content)
    digest(folder)


def read_archive(members: dict[str, bytes], name: str) -> None:
    with zipfile.ZipFile(FOLDER / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    digest(FOLDER / name)


def read_pickle(content: bytes) -> None:
    """The `data.pkl` of a PyTorch file, beside two storages."""
    storages = {f"a/data/{key}": bytes(range(48)) for key in range(2)}
    read_archive({"a/data.pkl": content, **storages}, "w.pt")


def read_weights(content: bytes) -> None:
    """The HDF5 file in an archive of Keras's."""
    read_archive({"metadata.json": b"{}", keras_archive.WEIGHTS: content}, "m.keras")


def read_pipe(content: bytes) -> None:
    standard, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(content))
    try:
        digest("-")
    finally:
        sys.stdin = standard


READERS: list[Callable[[bytes], None]] = [
    lambda content: read_file(content, "w.safetensors"),
    lambda content: read_file(content, "w.npy"),
    lambda content: read_file(content, "w.h5"),
    lambda content: read_file(content, "w.weights.h5"),
    read_manifest,
    read_set,
    lambda content: read_file(content, "archive"),
    read_pickle,
    read_weights,
    read_pipe,
]


def check_message(error: InputError) -> None:
    lines = str(error).split("\n")
    assert len(lines) == 1 + (error.hint is not None), lines
    assert all(line == escape(line) for line in lines), lines


def check(data: bytes) -> None:
    """Nothing but a digest, or an `InputError` of one line and a hint, may come of any file."""
    chosen = os.environ.get("FUZZ_READER")
    if chosen:
        data = bytes([int(chosen)]) + data
    if not data or len(data) > LONGEST:
        return
    started = time.monotonic()
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except InputError as error:
        check_message(error)
    assert time.monotonic() - started < SECONDS


if __name__ == "__main__":
    import atheris

    archives.ALWAYS_EXPANDED = 1 << 24  # more takes longer than a fault
    # The readers were imported above; their code is rewritten now, to count what an input reaches.
    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
