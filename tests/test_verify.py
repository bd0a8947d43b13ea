"""`verify`: a file is what a spec makes, or it is told what differs."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from test_samples import FOLDER, SAMPLES

import xavinit

NETWORK: dict[str, Any] = {
    "seed": 3,
    "layers": [
        {"name": "conv", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
        {"name": "fc", "type": "dense", "in": 72, "out": 10},
    ],
}
RAW: dict[str, Any] = {
    "tensors": {
        "w": [30, 20],
        "b": {"shape": [7], "init": "ones", "dtype": "int32"},
        "s": {"shape": [], "init": "zeros"},
        "e": {"shape": [0, 3], "init": "zeros"},
        "m": {"shape": [5], "init": "ones", "dtype": "bool"},
    }
}


def list_lines(verdict: xavinit.Verdict, folder: Path) -> list[str]:
    """The lines of a verdict, without the test's own folder."""
    return [line.replace(f"{folder}{os.sep}", "") for line in verdict.list_lines()]


def rewrite_header(path: Path, change: Any) -> None:
    """Change the JSON of a safetensors header; the tensors' bytes stay."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


# --- What is right --------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_right_in_every_format(name: str, framework: str, tmp_path: Path) -> None:
    spec = FOLDER / f"{name}.yaml"
    dims = {"w": 8} if name.startswith("resnet") else SAMPLES[name].dims
    options: dict[str, Any] = {"framework": framework, "dims": dims}
    plan = xavinit.make_plan(spec, **options)
    forms: dict[str, dict[str, Any]] = {
        "w.safetensors": {},
        "w.h5": {},
        "npy": {"format": "npy", "dtype": "float16"},
        "set": {"max_shard_size": max(plan.nbytes // 3, 1)},
    }
    if framework == "keras" and all(tensor.module for tensor in plan.tensors):
        forms["w.weights.h5"] = {}
    for file, form in forms.items():
        path = tmp_path / file
        if file == "npy" and "bfloat16" in {t.dtype.name for t in plan.tensors}:
            plan = xavinit.make_plan(spec, **options, dtype="float16")
            if "bfloat16" in {t.dtype.name for t in plan.tensors}:
                continue
        xavinit.generate(spec, path, **options, **form)
        form.pop("format", None)
        for jobs in (1, 7):
            verdict = xavinit.verify(path, spec, jobs=jobs, **options, **form)
            assert list_lines(verdict, tmp_path) == []
            assert verdict
    assert xavinit.verify(path).is_own_spec


def test_a_network_is_right_in_kerass_own_file_in_every_dtype(tmp_path: Path) -> None:
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        path = tmp_path / f"{dtype}.weights.h5"
        xavinit.generate(NETWORK, path, framework="keras", dtype=dtype)
        verdict = xavinit.verify(path, NETWORK, framework="keras", dtype=dtype)
        assert (verdict.is_same, verdict.format, verdict.scope) == (
            True,
            "keras",
            "tensors_and_attributes",
        )


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_many_pieces_are_told_the_same_by_any_number_of_threads(jobs: int, tmp_path: Path) -> None:
    spec = {"tensors": {"a": [1100, 1024], "b": [700, 1024]}}
    path = tmp_path / "w.safetensors"
    xavinit.generate(spec, path)
    assert xavinit.verify(path, spec, jobs=jobs).is_same
    array = np.memmap(path, "<f4", "r+", offset=path.stat().st_size - 1800 * 1024 * 4)
    drawn = xavinit.draw(spec)["a"].reshape(-1)
    places = [1_000_000, 299_999, 300_000, 700_000]
    for place in places:
        array[place] = place
    array.flush()
    (fault,) = xavinit.verify(path, spec, jobs=jobs).faults
    assert fault.index == (299_999 // 1024, 299_999 % 1024)
    assert (fault.different, fault.size) == (4, 1100 * 1024)
    assert (fault.got, fault.expected) == ("299999.0", repr(float(str(drawn[299_999]))))


def test_the_verdict_counts_what_the_spec_makes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(RAW, path, seed=9)
    verdict = xavinit.verify(path)
    assert (verdict.tensors, verdict.parameters, verdict.nbytes) == (5, 613, 30 * 20 * 4 + 28 + 9)
    assert (verdict.seed, verdict.stream, verdict.format) == (9, "xavinit-1", "safetensors")
    assert verdict.spec_digest == xavinit.verify(path, RAW, seed=9).spec_digest
    assert verdict.spec_digest != xavinit.verify(path, RAW).spec_digest
    assert not xavinit.verify(path, RAW, seed=9).is_own_spec


def test_the_suffix_decides_nothing(tmp_path: Path) -> None:
    for name, form in {"w.safetensors": "safetensors", "w.h5": "hdf5"}.items():
        xavinit.generate(RAW, tmp_path / name)
        shutil.copy(tmp_path / name, tmp_path / "odd.npy")
        verdict = xavinit.verify(tmp_path / "odd.npy", RAW)
        assert (verdict.is_same, verdict.format) == (True, form)


def test_another_librarys_file_is_compared_by_its_tensors(tmp_path: Path) -> None:
    arrays = xavinit.draw(NETWORK)
    np.savez(tmp_path / "w.npz", **arrays)
    verdict = xavinit.verify(tmp_path / "w.npz", NETWORK)
    assert (verdict.is_same, verdict.scope) == (True, "tensors")
    arrays["fc.bias"][3] = -0.0
    np.savez(tmp_path / "w.npz", **arrays)
    verdict = xavinit.verify(tmp_path / "w.npz", NETWORK)
    assert list_lines(verdict, tmp_path) == ["w.npz: fc.bias[3]: expected 0.0, got -0.0"]


# --- What differs ---------------------------------------------------------------------------------


def test_another_seed_is_told_first(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate({"tensors": {"w": [2, 3]}}, path, seed=1)
    verdict = xavinit.verify(path, {"tensors": {"w": [2, 3]}}, seed=2)
    drawn = (xavinit.draw({"tensors": {"w": [2, 3]}}, seed=n)["w"][0, 0] for n in (2, 1))
    there, here = map(str, drawn)
    assert list_lines(verdict, tmp_path) == [
        "w.safetensors: metadata xavinit: seed: expected 2, got 1",
        f"w.safetensors: w[0, 0]: expected {there}, got {here} (and 5 more of 6)",
    ]


def test_other_tensors_are_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    mine = {"tensors": {"a": [2, 3], "b": [4, 4], "c": [2, 2]}}
    theirs = {"tensors": {"b": [4, 5], "c": {"shape": [2, 2], "dtype": "float16"}, "d": [1, 1]}}
    xavinit.generate(theirs, path)
    assert list_lines(xavinit.verify(path, mine), tmp_path) == [
        "w.safetensors: a is missing",
        "w.safetensors: b: expected shape [4, 4], got [4, 5]",
        "w.safetensors: c: expected dtype float32, got float16",
        "w.safetensors: d is unexpected",
        "w.safetensors: metadata xavinit: spec.tensors.a: expected [2, 3], got nothing",
        "w.safetensors: metadata xavinit: spec.tensors.b[1]: expected 4, got 5",
        "w.safetensors: metadata xavinit: spec.tensors.c: "
        'expected [2, 2], got {"dtype": "float16", "shape": [2, 2]}',
        "w.safetensors: metadata xavinit: spec.tensors.d: expected nothing, got [1, 1]",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda header: header["__metadata__"].pop("format"),
            'metadata format: expected "pt", got nothing',
        ),
        (
            lambda header: header["__metadata__"].update(more="x"),
            'metadata more: expected nothing, got "x"',
        ),
    ],
)
def test_a_header_of_the_same_tensors(change: Any, line: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate({"tensors": {"w": [2, 3]}}, path)
    rewrite_header(path, change)
    verdict = xavinit.verify(path, {"tensors": {"w": [2, 3]}})
    assert list_lines(verdict, tmp_path) == [f"w.safetensors: {line}"]


def test_a_header_that_says_the_same_in_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate({"tensors": {"w": [2, 3]}}, path)
    content = path.read_bytes()
    place = content.index(b'"shape":[2,3]')
    padded = content.replace(b'"shape":[2,3]', b'"shape":[2 ,3]').replace(b"}   ", b"}  ", 1)
    path.write_bytes(padded)
    assert len(padded) == len(content)
    verdict = xavinit.verify(path, {"tensors": {"w": [2, 3]}})
    assert list_lines(verdict, tmp_path) == [
        f"w.safetensors: the bytes differ at {place + 10}: expected 0x2c, got 0x20"
    ]


def test_tensors_in_another_order_are_compared_where_they_are(tmp_path: Path) -> None:
    """Written by the safetensors library, whose metadata xavinit's own are not."""
    from safetensors.numpy import save_file

    arrays = xavinit.draw({"tensors": {"w": [2, 3], "v": [2, 3]}})
    arrays["v"][1, 2] = 7
    save_file(arrays, tmp_path / "w.safetensors")
    verdict = xavinit.verify(tmp_path / "w.safetensors", {"tensors": {"w": [2, 3], "v": [2, 3]}})
    assert [fault.kind for fault in verdict.faults] == ["metadata", "metadata", "values"]
    assert (verdict.faults[2].tensor, verdict.faults[2].got) == ("v", "7.0")


def test_a_file_that_is_cut_is_a_difference_with_a_spec_and_an_error_without(
    tmp_path: Path,
) -> None:
    for name in ("w.safetensors", "w.h5"):
        path = tmp_path / name
        xavinit.generate(RAW, path)
        os.truncate(path, path.stat().st_size - 1)
        (fault,) = xavinit.verify(path, RAW).faults
        assert fault.kind == "unsound_file"
        with pytest.raises(xavinit.InputError):
            xavinit.verify(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(xavinit.InputError) as caught:
        xavinit.verify(tmp_path / "none.h5", RAW)
    assert str(caught.value) == f"cannot read {tmp_path}/none.h5: No such file or directory"


def test_a_file_without_a_spec_needs_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.zeros(2))
    with pytest.raises(xavinit.UsageError, match=r"w\.npz carries no spec of xavinit") as caught:
        xavinit.verify(tmp_path / "w.npz")
    assert "--spec" in str(caught.value.hint)


def test_kerass_faults_bear_the_specs_names(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    xavinit.generate(NETWORK, path, framework="keras", dtype="bfloat16")
    with h5py.File(path, "r+") as file:
        file["layers/conv2d/vars"].attrs["name"] = "other"
        file["layers/dense/vars/0"].attrs["more"] = "x"
        del file["layers/dense/vars/1"]
        file["layers/conv2d/vars/1"][()] = np.void(b"\x80\x3f")
    verdict = xavinit.verify(path, NETWORK, framework="keras", dtype="bfloat16")
    assert list_lines(verdict, tmp_path) == [
        "w.weights.h5: fc/bias (layers/dense/vars/1) is missing",
        'w.weights.h5: attribute name of layers/conv2d/vars: expected "conv", got "other"',
        'w.weights.h5: attribute more of layers/dense/vars/0: expected nothing, got "x"',
        "w.weights.h5: conv/bias (layers/conv2d/vars/1)[0]: expected 0.0, got 1.0 "
        "(and 7 more of 8)",
    ]
