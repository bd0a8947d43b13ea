"""docs/frameworks.md: its commands and its snippets, in their order, and the same answer in all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from xavinit.cli import cli

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "frameworks.md").read_text("utf-8")


def test_every_snippet_loads_the_same_network(
    torch: Any, tf: Any, jax: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_specs").symlink_to(ROOT / "sample_specs")
    found = {}
    for framework, section in re.findall(r"^### (\w+)\n(.*?)(?=^##)", PAGE, re.S | re.M):
        (command,) = re.findall(r"^\$ xavinit (.*)$", section, re.M)
        assert CliRunner().invoke(cli, command.split(), standalone_mode=False).exit_code == 0
        (code,) = re.findall(r"^```python\n(.*?)^```$", section, re.S | re.M)
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(code, "frameworks.md", "exec"), names)
        found[framework] = names
    images = np.random.default_rng(1).standard_normal((3, 28, 28), dtype=np.float32)
    with torch.no_grad():
        expected = found["PyTorch"]["model"](torch.from_numpy(images[:, None])).numpy()
    assert expected.std() > 0.1
    answers = [
        found["Keras"]["model"](images[..., None]).numpy(),
        found["Flax"]["model"].apply(found["Flax"]["variables"], images[..., None]),
    ]
    for answer in answers:
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
