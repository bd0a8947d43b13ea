"""What a format lays out: order, gaps and alignment, the same in a file and in a pipe."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit import cli
from xavinit.choices import FormatName
from xavinit.dtypes import DTYPES
from xavinit.formats import FORMATS, FileLayout, Gap, Layout, Region, find_suffix, name_output
from xavinit.formats.layout import lay_out_file, place_regions
from xavinit.formats.metadata import make_metadata
from xavinit.formats.safetensors import CODES, encode_metadata, make_header
from xavinit.output import Drawing, write_path, write_pipe
from xavinit.plan import TensorPlan

SIZES = [[5, 3], [0, 4], [7], [], [300, 999], [1, 1], [0]]
INIT = {"type": "uniform", "bound": 1.0}
SPEC: dict[str, Any] = {
    "tensors": {f"w{n}": {"shape": shape, "init": INIT} for n, shape in enumerate(SIZES)}
}


def write_both(file: FileLayout, tmp_path: Path) -> tuple[bytes, bytes]:
    """The bytes of a layout in a file and in a pipe."""
    layout, plan, pipe = Layout((file,), file.nbytes), xavinit.make_plan(SPEC), io.BytesIO()
    path = str(tmp_path / "out")
    write_path(layout, path, Drawing(plan, 2), force=True, advance=lambda _: None)
    write_pipe(layout, pipe, Drawing(plan, 2), lambda _: None)
    return (tmp_path / "out").read_bytes(), pipe.getvalue()


@pytest.mark.parametrize("alignment", [1, 8, 32, 4096, 3 << 20])
@pytest.mark.parametrize("count", [1, 4, len(SIZES)])
def test_alignment_is_the_same_in_a_file_and_in_a_pipe(
    tmp_path: Path, alignment: int, count: int
) -> None:
    plan, arrays = xavinit.make_plan(SPEC), xavinit.draw(SPEC)
    file = lay_out_file("", b"h", plan.tensors[:count], alignment, shared=b"ea", tail=b"d")
    on_disk, piped = write_both(file, tmp_path)
    expected = b"head"
    for tensor in plan.tensors[:count]:
        expected += bytes(-len(expected) % alignment) + arrays[tensor.name].tobytes()
    assert on_disk == expected
    assert piped == expected
    assert file.nbytes == len(expected)


def test_zeros_at_the_end_and_before_any_head(tmp_path: Path) -> None:
    (tensor,) = xavinit.make_plan({"tensors": {"w": [2, 2]}}).tensors
    file = FileLayout("", b"", (Region(tensor, 10),), 40)
    assert file.find_gaps() == [Gap(0, 10), Gap(26, 14)]
    on_disk, piped = write_both(file, tmp_path)
    assert on_disk == piped
    assert on_disk[:10] + on_disk[26:] == bytes(24)


@pytest.mark.parametrize(
    ("offsets", "nbytes"),
    [([3, 20], 100), ([4, 19], 100), ([20, 4], 100), ([4, 4], 100), ([4, 20], 35)],
    ids=["in the head", "overlapping", "descending", "twice", "past the end"],
)
def test_regions_that_overlap_or_descend_are_the_formats_fault(
    tmp_path: Path, offsets: list[int], nbytes: int
) -> None:
    tensors = xavinit.make_plan({"tensors": {"a": [2, 2], "b": [2, 2]}}).tensors
    regions = tuple(Region(t, offset) for t, offset in zip(tensors, offsets, strict=True))
    file = FileLayout("", b"head", regions, nbytes)
    with pytest.raises(ValueError, match=r"a region at .* whose bytes end at"):
        write_both(file, tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=3).map(tuple), max_size=9),
    st.integers(0, 99),
    st.integers(1, 64),
)
def test_regions_are_aligned_and_close(
    shapes: list[tuple[int, ...]], start: int, alignment: int
) -> None:
    tensors = [TensorPlan("w", shape, DTYPES["uint8"], None, None, "w") for shape in shapes]
    regions = place_regions(tensors, start, alignment)
    assert [region.tensor for region in regions] == tensors
    for region in regions:
        assert region.offset % alignment == 0
        assert 0 <= region.offset - start < alignment
        start = region.offset + region.tensor.nbytes


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(
    st.dictionaries(names, st.tuples(st.lists(st.integers(0, 2**40), max_size=4))),
    st.dictionaries(names, names),
    st.sampled_from(sorted(DTYPES)),
)
def test_a_header_is_what_json_would_make_of_it(
    shapes: dict[str, tuple[list[int]]], metadata: dict[str, str], dtype: str
) -> None:
    shapes.pop("__metadata__", None)
    tensors = [
        TensorPlan(name, tuple(shape), DTYPES[dtype], None, None, name)
        for name, (shape,) in shapes.items()
    ]
    entries: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for tensor in tensors:
        stop = start + tensor.nbytes
        entries[tensor.name] = {
            "dtype": CODES[dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    made = b"".join(make_header(tensors, encode_metadata(metadata)))
    assert made[8:].rstrip(b" ") == header
    assert int.from_bytes(made[:8], "little") == len(made) - 8 == len(header) + -len(header) % 8


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_metadata_is_what_json_would_make_of_it(framework: str) -> None:
    spec = {
        "seed": 2**64 - 1,
        "framework": framework,
        "dims": {"d": 3},
        "rules": [{"match": "*", "init": {"type": "normal", "std": 1e-07}}],
        "tensors": {'"quoted"\\ \x7f\n☃': ["d", 4]},
    }
    plan = xavinit.make_plan(spec)
    content = {"seed": plan.seed, "spec": json.loads(plan.canonical), "stream": plan.stream}
    assert make_metadata(plan) == json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def test_the_lists_of_formats_agree() -> None:
    assert set(FORMATS) == set(get_args(FormatName)) == set(cli.FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_without_a_name_gets_the_suffix_of_its_format(name: str) -> None:
    assert find_suffix(name_output("stem", name, is_folder=False)) == name
    assert name_output("a.b", name, is_folder=True) == "a_b"
    assert name_output("stem", None, is_folder=False) == "stem.safetensors"
