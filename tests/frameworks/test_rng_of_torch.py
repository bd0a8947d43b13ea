"""The rng `torch-2.13` against the installed PyTorch, on this processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import make_torch_golden as golden
import numpy as np
import pytest

import xavinit

pytestmark = pytest.mark.frameworks

CPUS = {"avx2": "avx2", "plain": "default"}  # by what PyTorch calls them


@pytest.mark.parametrize("cpu", CPUS)
def test_the_golden_digests_are_the_installed_pytorchs(cpu: str) -> None:
    command = [sys.executable, golden.__file__, cpu]
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": CPUS[cpu]}
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    made = [json.loads(line) for line in told.stdout.splitlines()]
    cases = json.loads(golden.GOLDEN.read_text())["cases"]
    kept = [case for case in cases if case.pop("cpu") == cpu]
    assert made == kept


def read_cpu(torch: Any) -> str:
    return "plain" if torch.backends.cpu.get_cpu_capability() == "DEFAULT" else "avx2"


@pytest.mark.parametrize("part", range(6))
def test_any_sequence_of_tensors(part: int, torch: Any) -> None:
    random = np.random.default_rng(part)
    for _ in range(20):
        tensors: dict[str, Any] = {}
        for number in range(random.integers(1, 12)):
            rank = int(random.integers(1, 5))
            most = (71, 60, 12, 7)[rank - 1]
            shape = random.integers(1, most, rank).tolist()
            inits = golden.INITS if rank > 1 else golden.WITHOUT_FANS
            init = inits[random.integers(len(inits))]
            dtypes = golden.FLOATS[:2] if init == golden.CUT else golden.FLOATS
            dtype = dtypes[random.integers(len(dtypes))]
            tensors[f"t{number}"] = {"shape": shape, "dtype": dtype, "init": init}
        seed = int(random.integers(-(2**63), 2**63))
        spec = {"rng": {"type": "torch-2.13", "cpu": read_cpu(torch)}, "seed": seed}
        spec["tensors"] = tensors
        for name, tensor in golden.draw(spec):
            drawn = xavinit.draw(spec)[name].tobytes()
            assert tensor.reshape(-1).view(torch.uint8).numpy().tobytes() == drawn, (seed, tensors)


def test_a_model_as_people_make_it(torch: Any, tmp_path: Path) -> None:
    """Every weight Glorot, every bias zero, after `torch.manual_seed` and the making."""
    from safetensors.torch import load_file
    from torch import nn

    torch.manual_seed(7)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(288, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip
    as_made = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for module in model:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    layers = [
        {"name": "0", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
        {"name": "4", "type": "dense", "in": 288, "out": 64},
        {"name": "6", "type": "dense", "in": 64, "out": 10},
    ]
    rng = {"type": "torch-2.13", "cpu": read_cpu(torch)}
    for construction, defaults, expected in (
        ("drawn", {}, model.state_dict()),
        ("skipped", {"init": "default"}, as_made),
        ("drawn", {"init": "default"}, as_made),
    ):
        spec = {"seed": 7, "rng": {**rng, "construction": construction}, "layers": layers}
        path = tmp_path / "model.safetensors"
        xavinit.generate({**spec, "defaults": defaults}, path, force=True)
        loaded = load_file(path)
        assert loaded.keys() == expected.keys()
        assert all(torch.equal(loaded[name], expected[name]) for name in loaded)


def test_the_example_of_the_documentation(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if read_cpu(torch) != "avx2":
        pytest.skip("the page shows the default variant")
    page = (Path(__file__).parents[2] / "docs" / "same-seed.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("model.yaml").write_text(find_block(page, "yaml"), encoding="utf-8")
    xavinit.generate("model.yaml", "model.safetensors")
    exec(find_block(page, "python"), {})
    assert xavinit.digest("model.safetensors") == xavinit.digest("theirs.safetensors")


def find_block(page: str, language: str) -> str:
    return page.split(f"```{language}\n", 1)[1].split("```", 1)[0]
