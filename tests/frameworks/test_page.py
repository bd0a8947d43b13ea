"""docs/frameworks.md: its commands and its snippets, in their order, and the same answer in all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import xavinit
from xavinit.cli import cli

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "frameworks.md").read_text("utf-8")


def find_section(title: str) -> str:
    (section,) = re.findall(rf"^#+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.S | re.M)
    return section


def find_snippets(section: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", section, re.S | re.M)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "frameworks.md", "exec"), names)
    return names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_specs").symlink_to(ROOT / "sample_specs")
    return tmp_path


def run_section(title: str) -> dict[str, Any]:
    """The names of its one snippet, run after its one command."""
    section = find_section(title)
    (command,) = re.findall(r"^\$ xavinit (.*)$", section, re.M)
    assert CliRunner().invoke(cli, command.split(), standalone_mode=False).exit_code == 0
    (code,) = find_snippets(section)
    return run(code)


def check_close(answer: Any, expected: Any) -> None:
    assert np.std(expected) > 0.1  # else agreement would mean little
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)


def test_every_snippet_loads_the_same_network(torch: Any, tf: Any, jax: Any, folder: Path) -> None:
    images = np.random.default_rng(1).standard_normal((3, 28, 28), dtype=np.float32)
    with torch.no_grad():
        model = run_section("PyTorch")["model"]
        expected = model(torch.from_numpy(images[:, None])).numpy()
    for title in ("Keras", "Keras, by path"):
        check_close(run_section(title)["model"](images[..., None]).numpy(), expected)
    flax = run_section("Flax")
    check_close(flax["model"].apply(flax["variables"], images[..., None]), expected)


def test_every_section_with_a_command_is_run() -> None:
    found = re.findall(r"^### (.*)$", PAGE.partition("## The layers")[0], re.M)
    assert found == ["PyTorch", "Keras", "Keras, by path", "Flax"]


def test_models_filled_without_a_file_give_the_same_answers(
    torch: Any, tf: Any, jax: Any, folder: Path
) -> None:
    code, call = find_snippets(find_section("Without a file"))
    names = run(code)
    images = np.random.default_rng(1).standard_normal((3, 784), dtype=np.float32)
    with torch.no_grad():
        expected = names["torch_model"](torch.from_numpy(images)).numpy()
    check_close(names["keras_model"](images).numpy(), expected)
    check_close(names["Network"]().apply(names["variables"], images), expected)
    names = run(call)
    assert names["tensor"].dtype == torch.bfloat16
    assert names["tensor"].float().numpy().tolist() == names["weights"]["w"].tolist()


def test_an_embedding_and_the_projection_are_tied_by_a_rule(
    torch: Any, tf: Any, jax: Any, linen: Any, folder: Path
) -> None:
    (spec,) = re.findall(r"^```yaml\n(.*?)^```$", find_section("Tied layers"), re.S | re.M)
    Path("tied.yaml").write_text(spec)
    words = np.arange(1000)[None]
    nn = torch.nn
    for is_one in (False, True):
        model = nn.Sequential()
        model.add_module("embed", nn.Embedding(1000, 64))
        model.add_module("head", nn.Linear(64, 1000, bias=False))
        if is_one:
            model.head.weight = model.embed.weight
        xavinit.torch.load_into(model, "tied.yaml")
        assert torch.equal(model.embed.weight, model.head.weight)
        with torch.no_grad():
            expected = model(torch.from_numpy(words)).numpy()
        table = model.embed.weight.detach().numpy()
        np.testing.assert_allclose(expected[0], table @ table.T, rtol=0, atol=1e-4)
    layers = tf.keras.layers
    embed = layers.Embedding(1000, 64, name="embed")
    head = layers.Dense(1000, use_bias=False, name="head")
    keras = tf.keras.Sequential([tf.keras.Input((1000,)), embed, head])
    xavinit.keras.load_into(keras, "tied.yaml")
    assert np.array_equal(np.asarray(head.kernel), np.asarray(embed.embeddings).T)
    np.testing.assert_allclose(keras(words).numpy(), expected, rtol=0, atol=1e-4)
    flax = linen.Sequential([linen.Embed(1000, 64), linen.Dense(1000, use_bias=False)])
    tensors = xavinit.draw("tied.yaml", framework="flax")
    params = {
        "layers_0": {"embedding": tensors["params.embed.embedding"]},
        "layers_1": {"kernel": tensors["params.head.kernel"]},
    }
    answer = flax.apply({"params": params}, words)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)
