"""`xavinit new`: a first spec, whose comments explain it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import xavinit
from xavinit.cli import cli
from xavinit.errors import RefusedError, UsageError
from xavinit.spec import parse_document
from xavinit.verbs.new import TEMPLATES

ROOT = Path(__file__).parents[1]
OWN = {path.stem for path in (ROOT / "xavinit" / "templates").glob("*.yaml")}
SAMPLES = {path.stem for path in (ROOT / "sample_specs").glob("*.yaml")}


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["new", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_every_template_and_sample_is_listed() -> None:
    assert {"mlp", "cnn", "transformer"} == OWN
    assert set(TEMPLATES) == OWN | SAMPLES
    assert not OWN & SAMPLES  # in an installed package they lie in one folder
    lines = run().splitlines()
    assert [line.split()[0] for line in lines] == list(TEMPLATES)
    assert max(map(len, lines)) <= 100
    assert lines[0] == "mlp                  two dense layers, as tensors: where to begin"


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_every_template_plans(name: str, tmp_path: Path) -> None:
    text = xavinit.new(name)
    assert text.startswith("# ")
    assert name in SAMPLES or max(map(len, text.splitlines())) <= 100
    assert "yaml-language-server" not in text
    assert "sample_specs" not in text  # where the reader has none
    assert run(name) == text
    path = tmp_path / "model.yaml"
    path.write_text(text, "utf-8")
    plan = xavinit.make_plan(path, strict=True)
    if name in SAMPLES:
        sample = xavinit.make_plan(ROOT / "sample_specs" / f"{name}.yaml")
        assert plan.tensors == sample.tensors
        assert plan.seed == sample.seed


@pytest.mark.parametrize("name", sorted(OWN))
def test_what_the_comments_of_a_template_tell_works(name: str, tmp_path: Path) -> None:
    """Each command in the comments, on a model cut to a small size."""
    path = tmp_path / "model.yaml"
    path.write_text(xavinit.new(name), "utf-8")
    commands = [
        line.removeprefix("#   xavinit ").split("#")[0].split()
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("#   xavinit ")
    ]
    assert len(commands) >= 3
    for command in commands:
        arguments = [str(path) if word == "model.yaml" else word for word in command]
        if command[0] == "generate":
            arguments.append("--dry-run")
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0, command


def test_the_network_of_cnn_is_one_in_every_framework() -> None:
    data = parse_document(xavinit.new("cnn").encode(), "cnn.yaml").data
    counts = {f: xavinit.make_plan(data, framework=f).parameters for f in ("pytorch", "keras")}
    assert counts["pytorch"] == counts["keras"] + 2  # the batches that PyTorch counts


def test_a_file_is_written_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    done = CliRunner().invoke(cli, ["new", "mlp", "-o", str(path)])
    assert (done.exit_code, done.output) == (0, f"wrote {path}\n")
    assert path.read_text("utf-8") == xavinit.new("mlp")
    path.write_text("mine")
    done = CliRunner().invoke(cli, ["new", "mlp", "-o", str(path)])
    assert isinstance(done.exception, RefusedError)
    assert path.read_text() == "mine"
    assert run("cnn", "-o", str(path), "--force", "-q") == ""
    assert path.read_text("utf-8") == xavinit.new("cnn")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tranformer", "transformer"), ("resnet", "resnet50"), ("bert", "bert_base"), ("MLP", "mlp")],
)
def test_an_unknown_name_is_told_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f'template must be bert_base, .*; got "{name}"') as caught:
        xavinit.new(name)
    assert caught.value.hint == f'did you mean "{hint}"?'


@pytest.mark.parametrize("name", ["../templates/mlp", "", None, 3])
def test_a_name_is_no_path(name: object) -> None:
    with pytest.raises(UsageError, match="template must be "):
        xavinit.new(name)  # type: ignore[arg-type]


def test_an_output_needs_a_template(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["new", "-o", str(tmp_path / "model.yaml")])
    assert isinstance(done.exception, UsageError)
    assert done.exception.describe() == "-o needs a TEMPLATE"
    assert not list(tmp_path.iterdir())
