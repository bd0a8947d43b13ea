"""Makes the files in this folder with PyTorch itself, and what they hold: `expected.json`.

Run it where PyTorch 2.13 is: `python tests/torch_files/make_torch_files.py`. The tests read the
files without PyTorch, and compare with `expected.json`: [dtype, shape, the values' little-endian
bytes].
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent


def describe(tensor: torch.Tensor) -> list[Any]:
    plain = tensor.detach().contiguous()
    content = plain.reshape(-1).view(torch.uint8) if plain.numel() else plain
    name = str(plain.dtype).removeprefix("torch.")
    return [name, list(plain.shape), bytes(content.tolist()).hex() if plain.numel() else ""]


def make_values() -> dict[str, Any]:
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2, bias=False)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    network(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    base = torch.arange(24.0)
    views = {
        "transposed": base.view(4, 6).t(),
        "cut": base.view(2, 3, 4)[:, 1:, ::2],
        "expanded": base[5:7].view(2, 1).expand(2, 3),
        "whole": base,
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base[:2]),
    }
    dtypes = {
        str(dtype).removeprefix("torch."): torch.arange(4).to(dtype)
        for dtype in (
            *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64),
            *(torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64),
            *(torch.complex128, torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn),
            *(torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
            torch.float8_e8m0fnu,
        )
    }
    plain = OrderedDict(
        epoch=3, lr=0.1, name="run", none=None, size=torch.Size([2]), kind=torch.float32,
        device=torch.device("cpu"), tags={"a", "b"}, big=10**20, z=1 + 2j, raw=b"\xff\0",
        counts=Counter("aab"), betas=(0.9, 0.999),
    )  # fmt: skip
    return {
        "network": network.state_dict(),
        "checkpoint": {
            "model": network.state_dict(), "optimizer": optimizer.state_dict(), "more": plain
        },
        "views": views,
        "dtypes": dtypes,
        "list": [torch.ones(2), (torch.zeros(1), {7: torch.full((2,), 7)})],
        "alone": torch.arange(3),
    }  # fmt: skip


def flatten(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return {name: value}
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    found = {}
    for key, item in value.items():
        found |= flatten(item, f"{name}.{key}" if name else str(key))
    return found


def main() -> None:
    expected = {}
    for name, value in make_values().items():
        torch.save(value, HERE / f"{name}.pt")
        tensors = {name: value} if name == "alone" else flatten(value)
        expected[f"{name}.pt"] = {key: describe(tensor) for key, tensor in tensors.items()}
    network = make_values()["network"]
    torch.save(network, HERE / "protocol5.pt", pickle_protocol=5)
    expected["protocol5.pt"] = expected["network.pt"]
    refused = {
        "sparse": {"w": torch.eye(2).to_sparse()},
        "quantized": {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
        "meta": {"w": torch.empty(2, device="meta")},
        "conjugated": {"w": torch.ones(2, dtype=torch.complex64).conj()},
        "module": torch.nn.Linear(1, 1),
    }
    for name, value in refused.items():
        torch.save(value, HERE / f"refused_{name}.pt")
    torch.save(network, HERE / "refused_legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), HERE / "refused_script.pt")
    text = json.dumps(expected, indent=1, sort_keys=True) + "\n"
    (HERE / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
