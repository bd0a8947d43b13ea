"""PyTorch's xavier_uniform_ or xavier_normal_, then safetensors.torch.save_file."""

from __future__ import annotations

import common
import torch
from safetensors.torch import save_file


def draw_and_save(law: str, names: list[str], shape: tuple[int, int], out: str) -> None:
    torch.manual_seed(42)
    init = {"uniform": torch.nn.init.xavier_uniform_, "normal": torch.nn.init.xavier_normal_}[law]
    save_file({name: init(torch.empty(shape)) for name in names}, out)


common.run(draw_and_save, "torch", "safetensors")
