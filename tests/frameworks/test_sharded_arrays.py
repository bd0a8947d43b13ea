"""What docs/scale.md shows: each device, or each process, draws its own share of a tensor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from free_ports import find_free_port

import xavinit

pytestmark = pytest.mark.frameworks

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
SPEC = "seed: 7\ntensors:\n  mlp.weight: [256, 96]\n"
# A block of the page follows; what it made is compared with the whole.
CHECK_JAX = """
import numpy as np

whole = xavinit.draw("model.yaml", "mlp.weight")
assert len(weight.addressable_shards) == 4
for shard in weight.addressable_shards:
    assert shard.data.shape == (64, 96)
    assert (np.asarray(shard.data) == whole[shard.index]).all()
"""
CHECK_TORCH = """
import os
import time
from pathlib import Path

import torch

whole = torch.from_numpy(xavinit.draw("model.yaml", "mlp.weight"))
assert weight.to_local().shape == (128, 96)
assert torch.equal(weight.full_tensor(), whole)
print("whole", flush=True)
# One that leaves early may take the other with it, and not every orderly exit of torch's threads
# is one: each waits for the other, and ends at once.
Path(os.environ["RANK"]).touch()
until = time.monotonic() + 60
while not (Path("0").exists() and Path("1").exists()) and time.monotonic() < until:
    time.sleep(0.01)
os._exit(0)
"""


def find_block(word: str) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.S | re.M)
    (block,) = (block for block in blocks if word in block)
    return block


def start(folder: Path, code: str, **environment: str) -> subprocess.Popen[str]:
    (folder / "model.yaml").write_text(SPEC)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    try:
        printed, told = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, told
    return printed


def test_jax_devices_draw_their_own_shares(tmp_path: Path) -> None:
    flags = "--xla_force_host_platform_device_count=4"
    code = find_block("make_array_from_callback") + CHECK_JAX
    finish(start(tmp_path, code, XLA_FLAGS=flags, JAX_PLATFORMS="cpu"))


def test_torch_ranks_draw_their_own_shares(tmp_path: Path) -> None:
    """Two processes; together their shares are the tensor."""
    port = find_free_port()
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    code = find_block("DTensor") + CHECK_TORCH
    ranks = [start(tmp_path, code, RANK=str(rank), **place) for rank in range(2)]
    assert [finish(rank) for rank in ranks] == ["whole\n", "whole\n"]


def test_a_share_of_a_framework_is_that_of_its_file(tmp_path: Path) -> None:
    """A part of Keras's kernel lies elsewhere in PyTorch's weight; it is the part of the file."""
    from safetensors import safe_open

    spec = {"layers": [{"name": "c", "type": "conv2d", "in": 6, "out": 8, "kernel": 3}]}
    xavinit.generate(spec, tmp_path / "w.safetensors", framework="keras")
    with safe_open(tmp_path / "w.safetensors", "numpy") as file:
        names = file.keys()
        for name in names:
            part = file.get_slice(name)[..., 2:5]
            assert (xavinit.draw(spec, name, (..., slice(2, 5)), framework="keras") == part).all()
