"""`xavinit inspect`: its table, its order, its histograms, its page and what it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import xavinit
from xavinit.errors import UsageError
from xavinit.reading import Histogram
from xavinit.report.inspection_table import (
    draw_line,
    format_figure,
    format_histogram,
    format_inspection,
    format_share,
    sort_inspection,
)

SPEC = {
    "seed": 3,
    "tensors": {
        "h.{11}.w": {"shape": [40, 30]},
        "b": {"shape": [30], "init": "zeros"},
        "n": {"shape": [4], "init": "ones", "dtype": "int64"},
    },
}


def run(*arguments: str, cwd: Path, text: bytes | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", "inspect", *arguments],
        cwd=cwd,
        input=text,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    xavinit.generate(SPEC, tmp_path / "w.safetensors")
    xavinit.generate(SPEC, tmp_path / "w.h5")
    odd = {
        "bad": np.array([1, np.nan, np.inf, -np.inf, -np.inf, 0, 0, 2], "f4"),
        "none": np.zeros((0, 3), "f2"),
        "one": np.array(7, "i2"),
    }
    safetensors.numpy.save_file(odd, tmp_path / "odd.safetensors", {"made by": "a\x1btest"})
    return tmp_path


def test_in_a_pipe_each_row_has_every_column(folder: Path) -> None:
    code, text, messages = run("odd.safetensors", cwd=folder)
    assert (code, messages) == (0, "")
    assert text == (
        "NAME  SHAPE   DTYPE    COUNT  MEAN     STD  MIN  MAX  ZEROS  NAN  -INF  +INF  LAW\n"
        "bad   8       float32      8  0.75  0.8292    0    2  25.0%    1     2     1  -\n"
        "none  0×3     float16      0     -       -    -    -      0    0     0     0  -\n"
        "one   scalar  int16        1     7       0    7    7      0    0     0     0  constant 7\n"
        "3 tensors, 9 parameters, 34 bytes (34 B)\n"
        "format    safetensors\n"
        "metadata  made by: a\\x1btest\n"
    )


def test_on_a_terminal_columns_without_news_are_left_out(folder: Path) -> None:
    found = xavinit.inspect(folder / "w.safetensors", match="h.0.*")
    head, *_ = format_inspection(found, width=200)
    assert head.split() == ["NAME", "SHAPE", "DTYPE", "COUNT", "MEAN", "STD", "MIN", "MAX", "LAW"]
    head, *_ = format_inspection(xavinit.inspect(folder / "odd.safetensors"), width=200)
    assert {"ZEROS", "NAN", "-INF", "+INF"} < set(head.split())


@pytest.mark.parametrize("width", [30, 80, 200])
@pytest.mark.parametrize("hist", [False, True])
def test_no_line_is_wider_than_the_terminal(folder: Path, width: int, hist: bool) -> None:
    for name in ("w.safetensors", "odd.safetensors"):
        found = xavinit.inspect(folder / name)
        for line in format_inspection(found, width=width, with_histograms=hist):
            assert len(line) <= width, line


def test_what_the_file_says_of_itself(folder: Path) -> None:
    _, text, _ = run("w.safetensors", cwd=folder)
    assert text.splitlines()[-5:] == [
        "13 tensors, 13,234 parameters, 52,952 bytes (53 kB)",
        "format    safetensors",
        "spec      carried; xavinit generate takes the file for it",
        "seed      3 (stream xavinit-1)",
        "metadata  format: pt",
    ]


def test_the_law_is_named(folder: Path) -> None:
    _, text, _ = run("w.h5", "--match", "h.3.w", cwd=folder)
    assert "glorot_uniform, fans 30 and 40" in text


def test_rows_are_sorted(folder: Path) -> None:
    def list_names(*options: str) -> list[str]:
        _, text, _ = run("w.safetensors", *options, cwd=folder)
        return [line.split()[0] for line in text.splitlines()[1:14]]

    assert list_names()[:4] == ["n", "b", "h.0.w", "h.1.w"]  # as in the file: int64 first
    assert list_names("--sort", "name")[:4] == ["b", "h.0.w", "h.1.w", "h.2.w"]
    assert list_names("--sort", "count")[-2:] == ["b", "n"]
    assert list_names("--sort", "count", "--ascending")[:2] == ["n", "b"]
    found = xavinit.inspect(folder / "w.safetensors")
    stds = [tensor.summary.std for tensor in sort_inspection(found, "std").tensors]
    assert stds == sorted(stds, reverse=True)  # type: ignore[type-var]  # all have one
    odd = xavinit.inspect(folder / "odd.safetensors")
    assert [t.name for t in sort_inspection(odd, "max").tensors] == ["one", "bad", "none"]
    least_first = sort_inspection(odd, "max", ascending=True).tensors
    assert [t.name for t in least_first] == ["bad", "one", "none"]
    _, text, _ = run("w.safetensors", "--sort", "name", "--json", cwd=folder)
    names = [tensor["name"] for tensor in json.loads(text)["tensors"]]
    assert names[:3] == ["b", "h.0.w", "h.1.w"]


def test_several_files_have_headings(folder: Path) -> None:
    _, text, _ = run("w.safetensors", "w.h5", "--match", "b", cwd=folder)
    headings = [line for line in text.splitlines() if line.startswith("==>")]
    assert headings == ["==> w.safetensors <==", "==> w.h5 <=="]
    code, text, _ = run("--json", "w.safetensors", "w.h5", cwd=folder)
    assert [json.loads(line)["format"] for line in text.splitlines()] == ["safetensors", "hdf5"]
    assert code == 0


def test_a_file_that_fails_does_not_hide_the_others(folder: Path) -> None:
    (folder / "text").write_text("tensors: {}")
    code, text, messages = run("none.h5", "w.h5", "text", "w.safetensors", cwd=folder)
    headings = [line for line in text.splitlines() if line.startswith("==>")]
    assert headings == ["==> w.h5 <==", "==> w.safetensors <=="]
    assert messages.startswith("xavinit: cannot read none.h5: No such file or directory\n")
    assert code == 4
    code, text, _ = run("none.h5", "w.h5", "--json", cwd=folder)
    first, second = map(json.loads, text.splitlines())
    assert (first["path"], first["exit_code"], code) == ("none.h5", 4, 4)
    assert second["path"] == "w.h5"
    code, text, messages = run("w.h5", "odd.safetensors", "--match", "one", cwd=folder)
    assert (code, messages) == (2, 'xavinit: no tensor of w.h5 matches "one"\n')
    assert "constant 7" in text


def test_a_part_of_a_file_is_told_to_be_one(folder: Path) -> None:
    _, text, _ = run("w.h5", "--match", "h.?.w", cwd=folder)
    assert "10 of 13 tensors (h.?.w), 12,000 parameters" in text
    found = xavinit.inspect(folder / "w.h5", match="h.?.w")
    assert (found.whole, len(found.tensors)) == (13, 10)


def test_an_inspection_in_python(folder: Path) -> None:
    found = xavinit.inspect(folder / "odd.safetensors")
    assert found["one"].summary.max == 7
    assert repr(found) == f"<Inspection of '{folder}/odd.safetensors' (safetensors): 3 tensors>"
    with pytest.raises(KeyError, match="two"):
        found["two"]
    page = found._repr_html_()
    assert page.count("<tr>") == 4
    assert "<td" in page
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page.split("<tr>")[2])
    assert cells[:8] == ["bad", "8", "float32", "8", "0.75", "0.8292", "0", "2"]
    assert cells[8:] == ["25.0%", "1", "2", "1", ""]


def test_standard_input(folder: Path) -> None:
    content = (folder / "w.safetensors").read_bytes()
    _, text, _ = run("-", cwd=folder, text=content)
    _, expected, _ = run("w.safetensors", cwd=folder)
    assert text == expected


def test_every_figure_is_the_same_for_any_number_of_threads(folder: Path) -> None:
    xavinit.generate({"tensors": {"w": [1500, 1000], "v": [900, 1000]}}, folder / "big.h5")
    one, three = (run("big.h5", "--json", "-j", jobs, cwd=folder) for jobs in ("1", "3"))
    assert one == three


def test_a_page(folder: Path) -> None:
    code, text, messages = run("w.h5", "--html", "w.html", cwd=folder)
    assert (code, text, messages) == (0, "", "wrote w.html\n")
    page = (folder / "w.html").read_text(encoding="utf-8")
    code, _, messages = run("w.h5", "--html", "w.html", cwd=folder)
    assert (code, messages) == (
        6,
        "xavinit: w.html exists; use --force to replace it\n",
    )
    assert run("w.h5", "--html", "w.html", "--force", "-q", cwd=folder)[0] == 0
    assert (folder / "w.html").read_text(encoding="utf-8") == page
    assert run("w.h5", "--html", "-", cwd=folder)[1] == page + "\n"


def test_the_page_never_replaces_what_it_shows(folder: Path) -> None:
    before = (folder / "w.h5").read_bytes()
    (folder / "link.html").symlink_to("w.h5")
    code, _, messages = run("w.h5", "--html", "link.html", "--force", cwd=folder)
    assert code == 6
    assert messages == "xavinit: link.html is the weights file itself; it is not replaced\n"
    assert (folder / "w.h5").read_bytes() == before


@pytest.mark.parametrize("name", ["w.safetensors", "set/model.safetensors.index.json", "notes"])
def test_a_page_replaces_nothing_but_a_page(folder: Path, name: str) -> None:
    """Not the shards of the set that it shows, nor its index, nor anything else."""
    xavinit.generate(SPEC, folder / "set", max_shard_size=5000)
    (folder / "notes").write_text("mine")
    before = (folder / name).read_bytes()
    code, _, messages = run("set", "--html", name, "--force", cwd=folder)
    assert code == 6
    assert messages == f"xavinit: {name} exists and is not a page; it is not replaced\n"
    assert (folder / name).read_bytes() == before
    (folder / "empty").touch()
    assert run("set", "--html", "empty", "--force", cwd=folder)[0] == 0


def test_a_page_goes_through_pipes_and_devices(folder: Path) -> None:
    _, page, _ = run("w.h5", "--html", "-", cwd=folder)
    assert run("w.h5", "--html", "/dev/stdout", cwd=folder)[1] == page
    assert run("w.h5", "--html", "/dev/null", "--force", cwd=folder)[0] == 0
    assert not Path("/dev/null").is_file()
    os.mkfifo(folder / "fifo")
    with subprocess.Popen(["cat", folder / "fifo"], stdout=subprocess.PIPE) as reader:
        assert run("w.h5", "--html", "fifo", cwd=folder)[0] == 0
        assert reader.communicate()[0].decode() + "\n" == page
    assert (folder / "fifo").is_fifo()
    code, _, messages = run("w.h5", "--html", "/dev/full", cwd=folder)
    assert (code, messages) == (
        4,
        "xavinit: cannot write /dev/full: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["w.h5", "w.h5", "--html", "x.html"], "--html makes the page of one file; got 2"),
        (["w.h5", "--html", "-", "--json"], "--json and the page cannot both go to standard"),
        (["w.h5", "--ascending"], "--ascending needs --sort with a column of figures"),
        (["w.h5", "--sort", "name", "--ascending"], "--ascending needs --sort with a column"),
        (["w.h5", "--force"], "--force replaces a page: it needs --html"),
        (["w.h5", "--match", "no.*"], 'no tensor of w.h5 matches "no.*"'),
        (["w.h5", "--match", "["], 'no tensor of w.h5 matches "["'),
        (["-", "-"], "standard input can be read once; got - twice"),
    ],
)
def test_options_that_do_not_go_together(folder: Path, arguments: list[str], message: str) -> None:
    code, text, messages = run(*arguments, cwd=folder)
    found = json.loads(text)["errors"][0]["message"] if "--json" in arguments else messages
    assert code == 2
    assert message in found


def test_a_glob_that_matches_nothing_hints_at_a_name(folder: Path) -> None:
    with pytest.raises(UsageError, match=r'matches "h\.1\.v"\n  hint: did you mean "h\.1\.w"\?'):
        xavinit.inspect(folder / "w.h5", match="h.1.v")


def test_a_histogram_of_blocks() -> None:
    histogram = Histogram((0.0, 1.0, 2.0, 3.0, 4.0), (0, 1, 32, 64))
    assert list(format_histogram(histogram, 80)) == [
        *["       █"] * 4,
        *["      ██"] * 3,
        "     ▁██",
        "    0  4",
    ]
    assert draw_line(histogram) == " ▁▄█"


def test_neighboring_bins_are_put_together() -> None:
    histogram = Histogram(tuple(float(i) for i in range(129)), (1,) * 128)
    *_, line, ends = format_histogram(histogram, 200)
    assert line == "    " + "█" * 128
    assert ends == "    0" + "128".rjust(127)
    *_, line, _ = format_histogram(histogram, 30)
    assert line == "    " + "█" * 26
    assert draw_line(histogram) == "█" * 21 + "▃"  # six bins a column; two are left for the last


def test_histograms_in_plain_characters(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", "inspect", "w.h5", "--match", "h.0.w", "--hist"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"\\u" not in done.stdout
    assert b"####" in done.stdout


@pytest.mark.parametrize(
    ("figure", "text"),
    [(None, "-"), (0.0, "0"), (1 / 3, "0.3333"), (1e-9, "1e-09"), (2**70, str(2**70)), (-7, "-7")],
)
def test_figures(figure: Any, text: str) -> None:
    assert format_figure(figure) == text


@pytest.mark.parametrize(
    ("count", "size", "text"),
    [(0, 0, "0"), (0, 9, "0"), (1, 10**9, "<0.1%"), (1, 2, "50.0%"), (2, 2, "100%")],
)
def test_shares(count: int, size: int, text: str) -> None:
    assert format_share(count, size) == text
