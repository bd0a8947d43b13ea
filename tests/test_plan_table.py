"""What `plan` shows: a line a tensor for grep; a terminal's width, repeats folded, for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from terminals import run_in_terminal
from test_cli import run

import xavinit
from xavinit.plan import Plan
from xavinit.report.folding import fold
from xavinit.report.plans import format_plan
from xavinit.widths import measure

SAMPLES = Path(__file__).parent.parent / "sample_specs"


def fold_names(tensors: dict[str, Any], **spec: Any) -> dict[str, int]:
    """The names of a plan's folded rows, each with how many tensors it is."""
    plan = xavinit.make_plan({"tensors": tensors, **spec})
    return {row.name: row.count for row in fold(plan.tensors)}


# --- Folding ---------------------------------------------------------------------------------


def test_blocks_that_repeat_are_one_row_each() -> None:
    assert fold_names({"emb": [9, 4], "h.{12}.w": [4, 4], "h.{12}.b": [4, 1], "out": [4, 9]}) == {
        "emb": 1,
        "h.{0..11}.w": 12,
        "h.{0..11}.b": 12,
        "out": 1,
    }


def test_the_order_of_tensors_changes_no_fold() -> None:
    """Index by index, as a block lies in a checkpoint, or entry by entry."""
    by_block = {f"h.{n}.{part}": [4, 4] for n in range(3) for part in ("q", "k")}
    by_entry = {f"h.{n}.{part}": [4, 4] for part in ("q", "k") for n in range(3)}
    assert fold_names(by_block) == fold_names(by_entry) == {"h.{0..2}.q": 3, "h.{0..2}.k": 3}


@pytest.mark.parametrize(
    "other",
    [
        [4, 5],
        {"shape": [4, 4], "dtype": "float16"},
        {"shape": [4, 4], "init": "he_normal"},
        {"shape": [4, 4], "fused": 2},
        {"shape": [4, 4], "stream": "h.0.b"},
    ],
)
def test_only_whole_blocks_fold(other: Any) -> None:
    """Where one tensor of a block differs, none of it folds with the others."""
    names = fold_names({"h.{0..1}.{a,b}": [4, 4], "h.2.a": [4, 4], "h.2.b": other})
    assert names == {"h.{0..1}.a": 2, "h.{0..1}.b": 2, "h.2.a": 1, "h.2.b": 1}


def test_a_block_with_one_tensor_more_does_not_fold() -> None:
    assert fold_names({"h.{3}.a": [4, 4], "h.2.b": [4, 4]}) == {
        "h.{0..1}.a": 2,
        "h.2.a": 1,
        "h.2.b": 1,
    }


def test_every_eighth_block_has_rows_of_its_own() -> None:
    shapes = {f"h.{n}.w": [4, 5 if n % 8 == 7 else 4] for n in range(32)}
    assert fold_names(shapes) == {
        "h.{0..6}.w": 7,
        "h.{8..14}.w": 7,
        "h.{16..22}.w": 7,
        "h.{24..30}.w": 7,
        "h.{7..31..8}.w": 4,
    }


def test_blocks_within_blocks() -> None:
    assert fold_names({"h.{2}.experts.{8}.w{1..3}": [4, 4]}) == {
        "h.{0..1}.experts.{0..7}.w{1..3}": 48
    }


@pytest.mark.parametrize("name", ["conv{1..3}d.w", "h.0{1..3}.w", "{1..3}e5"])
def test_digits_within_a_word_or_number_do_not_fold(name: str) -> None:
    assert set(fold_names({name: [4, 4]}).values()) == {1}


def test_a_folded_name_is_a_spec_s() -> None:
    """It stands for the names that it was folded from, also beside literal braces."""
    plan = xavinit.make_plan({"tensors": {"a{{b}}.{5}.c.{3}": [4, 4]}})
    (row,) = fold(plan.tensors)
    again = xavinit.make_plan({"tensors": {row.name: [4, 4]}})
    assert {t.name for t in again.tensors} == {t.name for t in plan.tensors}


@pytest.mark.parametrize("spec", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_samples_fold_without_loss(spec: Path) -> None:
    plan = xavinit.make_plan(spec)
    rows = fold(plan.tensors)
    assert sum(row.count for row in rows) == len(plan.tensors)
    assert sum(row.count * row.first.nbytes for row in rows) == plan.nbytes


def test_a_name_of_many_numbers_folds_without_depth() -> None:
    name = "-".join("1" * 500)
    assert fold_names({name: [2, 2]}) == {name: 1}


# --- Tables ----------------------------------------------------------------------------------


def table(plan: Plan, width: int | None, **options: Any) -> list[str]:
    return list(format_plan(plan, width=width, **options))


def test_llama_3_8b_is_one_screen() -> None:
    plan = xavinit.make_plan(SAMPLES / "llama3_8b.yaml")
    lines = table(plan, 80, is_folded=True)
    assert len(lines) < 40
    assert max(map(measure, lines)) <= 80
    assert "model.layers.{0..31}.self_attn.q_proj.weight  ×32" in lines


@pytest.mark.parametrize("width", [30, 50, 80, 200])
@pytest.mark.parametrize("name", ["gpt2", "resnet50", "llama3_8b"])
def test_a_table_keeps_to_the_width(name: str, width: int) -> None:
    """But for names, which the terminal itself breaks: they can be copied so."""
    plan = xavinit.make_plan(SAMPLES / f"{name}.yaml")
    lines = table(plan, width, is_folded=True)[:-1]
    rows = {row.name for row in fold(plan.tensors)}
    names = {line for line in lines if line.partition("  ×")[0] in rows}
    assert all(measure(line) <= width for line in lines if line not in names)


def test_wide_characters_are_aligned() -> None:
    names = ["層.重み", "한국어.w", "plain.weight", "e\u0301clair", "🙂"]
    plan = xavinit.make_plan({"tensors": {name: [3, 4] for name in names}})
    lines = table(plan, 80)[:-1]
    starts = {measure(line[: line.index("3×4")]) for line in lines[1:]}
    assert starts == {measure(lines[0][: lines[0].index("SHAPE")])}


def test_a_long_name_widens_no_other_row() -> None:
    plan = xavinit.make_plan({"tensors": {"a": [3, 4], "b" * 200: [3, 4]}})
    lines = table(plan, 80)
    assert lines[1].startswith("a     3×4    float32")
    assert lines[2] == "b" * 200
    assert lines[3].startswith("      3×4    float32")


def test_a_long_shape_widens_no_other_row() -> None:
    shape = [1000000] * 2 + [1] * 10
    plan = xavinit.make_plan({"tensors": {"w": [3, 4], "long": shape}})
    lines = table(plan, 80)
    assert max(map(measure, lines)) <= 80
    assert "long  1000000×1000000×1×1×1×1×1×1×1×1×1×1" in lines


def test_cells_that_do_not_fit_are_labeled() -> None:
    plan = xavinit.make_plan({"tensors": {"w": [128, 784]}})
    assert table(plan, 30) == [
        "w",
        "  128×784  float32  fan_in 784",
        "  fan_out 128",
        "  uniform ±0.0811107",
        "  bytes 401,408",
        "1 tensor, 100,352 parameters,",
        "401,408 bytes (401 kB)",
    ]


# --- The command -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(
        "rules: [{match: none, init: zeros}]\n"
        f"tensors: {{'h.{{12}}.{'long' * 40}': [300, 400], 'h.{{12}}.b': [4, 4]}}\n"
    )
    return tmp_path


def test_piped_each_tensor_is_one_line_whatever_the_width(folder: Path) -> None:
    done = run("plan", "s.yaml", cwd=folder, env={"COLUMNS": "30"})
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 1 + 24 + 1
    for line in lines[1:-1]:
        assert line.startswith("h.")
        assert "uniform ±" in line
        assert "float32" in line


def test_a_terminal_gets_its_width_and_folded_rows(folder: Path) -> None:
    code, text = run_in_terminal("plan", "s.yaml", "-q", cwd=folder, columns=90)
    assert code == 0
    assert "h.{0..11}.b  ×12  4×4" in text
    assert text.count("h.") == 2


def test_full_shows_all_rows_on_a_terminal(folder: Path) -> None:
    _, text = run_in_terminal("plan", "s.yaml", "-q", "--full", cwd=folder, columns=90)
    assert text.count("\nh.") == 24


def test_match_shows_some(folder: Path) -> None:
    lines = run("plan", "s.yaml", "--match", "h.1*.b", cwd=folder).stdout.decode().splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["h.1.b", "h.10.b", "h.11.b"]
    assert lines[-1] == "3 of 24 tensors, 48 parameters, 192 bytes (192 B)"
    shown = json.loads(run("plan", "s.yaml", "--match", "h.1.b", "--json", cwd=folder).stdout)
    assert ([t["name"] for t in shown["tensors"]], shown["bytes"]) == (["h.1.b"], 64)


def test_match_of_nothing_is_a_mistake(folder: Path) -> None:
    done = run("plan", "s.yaml", "-q", "--match", "h.1.c", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        'xavinit: no tensor matches "h.1.c"\n  hint: did you mean "h.1.b"?\n'
    )


def test_quiet_tells_no_warnings(folder: Path) -> None:
    assert b"matches no tensor" in run("plan", "s.yaml", cwd=folder).stderr
    assert run("plan", "s.yaml", "-q", cwd=folder).stderr == b""
