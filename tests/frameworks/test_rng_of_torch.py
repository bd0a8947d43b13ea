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
from xavinit.errors import SpecError

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


def make_layer(random: np.random.Generator, name: str) -> dict[str, Any]:
    """A layer of any type, with keys as they come."""

    def choose(*values: Any) -> Any:
        return values[random.integers(len(values))]

    def count(most: int) -> int:
        return int(random.integers(1, most))

    kind = choose(
        "dense", "conv1d", "conv2d", "conv_transpose2d", "embedding", "layer_norm", "lstm", "gru",
        "multi_head_attention", "draw",
    )  # fmt: skip
    if kind == "draw":
        return {"type": kind, "count": count(1000)}
    layer: dict[str, Any] = {"name": name, "type": kind}
    if kind.startswith("conv"):
        groups = choose(1, 1, 2, 3)
        layer |= {"in": groups * count(6), "out": groups * count(6), "groups": groups}
        layer["kernel"] = count(5)
    elif kind in ("lstm", "gru"):
        layer |= {"in": count(20), "hidden": count(20), "num_layers": count(3)}
        layer["bidirectional"] = choose(False, True)
    elif kind == "multi_head_attention":
        layer["heads"] = count(5)
        layer["size"] = layer["heads"] * count(9)
    else:
        layer |= (
            {"size": count(30)} if kind == "layer_norm" else {"in": count(60), "out": count(60)}
        )
    if kind == "embedding" and choose(False, True):
        layer["zero_rows"] = [-count(layer["in"] + 1)]
    if kind != "layer_norm" and choose(False, True):
        layer["init"] = choose("default", "xavier_uniform", "kaiming_normal", golden.CUT)
        if kind in ("lstm", "gru"):
            layer["recurrent_init"] = layer["init"]  # as golden.draw has it
    if kind not in ("embedding", "layer_norm"):
        if choose(False, False, False, True):
            layer["bias"] = False
        elif choose(False, True):
            layer["bias_init"] = choose("default", "zeros", {"type": "normal", "std": 1})
            if kind in ("lstm", "gru") and isinstance(layer["bias_init"], dict):
                layer["bias_init"] = "zeros"  # of a cell it is the first bias's, the second is zero
    return layer


@pytest.mark.parametrize("part", range(4))
def test_any_layers(part: int, torch: Any) -> None:
    """Made and left, or initialized; biases left, filled with zeros or drawn again."""
    random = np.random.default_rng(part)
    for _ in range(25):
        layers = [make_layer(random, f"l{n}") for n in range(random.integers(1, 7))]
        construction = ("skipped", "drawn")[random.integers(2)]
        rng = {"type": "torch-2.13", "cpu": read_cpu(torch), "construction": construction}
        spec = {"rng": rng, "seed": int(random.integers(2**63)), "layers": layers}
        if random.integers(2):
            spec["defaults"] = {"init": ("default", "xavier_normal")[random.integers(2)]}
        drawn = xavinit.draw(spec)
        expected = dict(golden.draw(spec))
        assert drawn.keys() == expected.keys()
        for name, tensor in expected.items():
            assert tensor.numpy().tobytes() == drawn[name].tobytes(), (name, spec)


@pytest.mark.parametrize("dtype", golden.FLOATS)
def test_uniform_laws_are_refused_where_pytorch_refuses_them(dtype: str, torch: Any) -> None:
    largest = torch.finfo(getattr(torch, dtype)).max
    tiny = 1e-200 if dtype == "float64" else 1e-300
    numbers = [-largest, -0.5 * largest, -1, -tiny, 0, tiny, 1e-8, 1, 1 + 1e-9, 2e-6 - 1]
    numbers += [0.4 * largest, 0.5 * largest, 0.6 * largest, largest]
    numbers += [] if dtype == "float64" else [1.01 * largest, -1.01 * largest]
    for a in numbers:
        for b in numbers:
            init = {"type": "uniform", "a": a, "b": b}
            table = {"shape": [40], "dtype": dtype, "init": init}
            rng = {"type": "torch-2.13", "cpu": read_cpu(torch)}
            spec = {"rng": rng, "seed": 1, "tensors": {"w": table}}
            try:
                ((_, tensor),) = golden.draw(spec)
            except RuntimeError:
                with pytest.raises(SpecError):
                    xavinit.make_plan(spec)
                continue
            if dtype == "float64" and b - a > 1e298:  # refused here by name
                continue
            expected = tensor.view(torch.uint8).numpy().tobytes()
            assert xavinit.draw(spec)["w"].tobytes() == expected, init


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
