"""Standard input is read in order: safetensors and a single `.npy`, to the real end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError
from xavinit.formats import Index, Reader, load_index

SPEC: dict[str, Any] = {
    "tensors": {"b": [40, 30], "a": [7], "c": {"shape": [3], "dtype": "float16", "init": "ones"}}
}
SPEC["tensors"]["a"] = {"shape": [7], "init": "ones"}


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts a pipe in the place of standard input; returns what writes to it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        yield os.fdopen(writing, "wb", buffering=0)
        sys.stdin.detach()


def feed(pipe: Any, content: bytes, *, step: int = 1 << 20, wait: float = 0) -> threading.Thread:
    """Write in steps, from another thread, and close the pipe."""

    def write() -> None:
        with pipe:
            for start in range(0, len(content), step):
                time.sleep(wait)
                pipe.write(content[start : start + step])

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def make(tmp_path: Path, spec: Any = SPEC, name: str = "w.safetensors") -> bytes:
    xavinit.generate(spec, tmp_path / name)
    return (tmp_path / name).read_bytes()


def read_all(index: Index) -> dict[str, bytes]:
    with Reader() as reader:
        return {t.name: bytes(reader.read(t, 0, t.size)) for t in index.tensors}


@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_safetensors_through_a_pipe(tmp_path: Path, pipe: Any, step: int) -> None:
    content = make(tmp_path)
    thread = feed(pipe, content, step=step)
    index = load_index("-")
    assert (index.format, index.path, index.is_pipe) == ("safetensors", "<stdin>", True)
    assert [tensor.name for tensor in index.tensors] == ["a", "b", "c"]  # as they lie there
    assert read_all(index) == read_all(load_index(str(tmp_path / "w.safetensors")))
    assert index.parse_recipe() is not None
    thread.join()


def test_a_pipe_that_does_not_block_is_read_to_its_real_end(tmp_path: Path, pipe: Any) -> None:
    content = make(tmp_path)
    os.set_blocking(sys.stdin.fileno(), False)
    thread = feed(pipe, content, step=len(content) // 4, wait=0.02)
    assert read_all(load_index("-")) == read_all(load_index(str(tmp_path / "w.safetensors")))
    thread.join()


def test_tensors_may_be_left_out_but_not_gone_back_to(tmp_path: Path, pipe: Any) -> None:
    thread = feed(pipe, make(tmp_path))
    first, second, third = load_index("-").tensors
    with Reader() as reader:
        reader.read(second, 600, 1200)
        with pytest.raises(ValueError, match=r"a pipe at byte [0-9]+ does not go back to"):
            reader.read(first, 0, 7)
        assert reader.read(third, 0, 3) == np.ones(3, "<f2").tobytes()
    thread.join()


@pytest.mark.parametrize("code", ["<f4", ">f4"])
def test_npy_through_a_pipe(pipe: Any, code: str) -> None:
    array = np.arange(6000, dtype=code).reshape(2, 3000)
    file = io.BytesIO()
    np.save(file, array)
    thread = feed(pipe, file.getvalue(), step=7000)
    index = load_index("-")
    (tensor,) = index.tensors
    assert (index.format, tensor.name, tensor.shape) == ("npy", "stdin", (2, 3000))
    assert read_all(index) == {"stdin": array.astype("<f4").tobytes()}
    thread.join()


def save(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def digest_piped(pipe: Any, content: bytes) -> str:
    thread = feed(pipe, content)
    try:
        return xavinit.digest("-")
    finally:
        thread.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "<stdin> is empty"),
        (b"tensors: {}", "<stdin> is a text, not a weights file"),
        (b"\x89HDF\r\n\x1a\n", "<stdin> is an HDF5 file, which cannot be read in order: name the"),
        (b"PK\x03\x04", "files are, which cannot be read in order: name the file"),
        (b"\x80\x02N.", "<stdin> is a pickle, as old .pt files are, which is not read"),
        (save(np.asfortranarray(np.ones((2, 3)))), "<stdin> is an array in Fortran order, which"),
        (save(np.ones(9))[:-1], '<stdin> is cut short at tensor "stdin"'),
        (save(np.ones(9)) + b".", "<stdin> is longer than its header says"),
        (save(np.ones(0)) + b".", "<stdin> is longer than its header says"),
        (save(np.array([None])), '<stdin> is of dtype "object", unknown to xavinit'),
        (b"\x10\0\0\0\0\0\0\0{}", "its header is cut short"),
        (b"\xff\xff\xff\xff\0\0\0\0{}", "its header must be at most 100,000,000 bytes"),
        (b"\x02\0\0\0\0\0\0\0{}.", "<stdin> is longer than its header says"),
    ],
)
def test_what_is_not_read_from_a_pipe(pipe: Any, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        digest_piped(pipe, content)
    assert message in caught.value.describe()


def test_the_digest_of_a_pipe_whose_tensors_are_in_the_order_of_names(
    tmp_path: Path, pipe: Any
) -> None:
    spec = {"tensors": {"b": [40, 30], "a": [7, 2]}}
    content = make(tmp_path, spec)
    assert digest_piped(pipe, content) == xavinit.digest(tmp_path / "w.safetensors")


def test_the_digest_of_a_pipe_in_another_order_is_refused(tmp_path: Path, pipe: Any) -> None:
    spec = {"tensors": {"a": {"shape": [2, 2], "dtype": "float16"}, "b": [2, 2]}}
    with pytest.raises(InputError, match="standard input are not in the order of their names"):
        digest_piped(pipe, make(tmp_path, spec))


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="cannot read <stdin>: it is closed"):
        load_index("-")


def test_safetensors_are_read_without_numpy(tmp_path: Path) -> None:
    content = make(tmp_path)
    program = (
        "import sys; from xavinit.formats import Reader, load_index\n"
        "for path in ('w.safetensors', '-'):\n"
        "    with Reader() as reader:\n"
        "        for t in load_index(path).tensors:\n"
        "            reader.read(t, 0, t.size)\n"
        "assert not {'numpy', 'h5py', 'zipfile', 'pickletools'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, input=content, check=True)
