"""Every tensor's figures by torch.load and PyTorch, tensor after tensor."""

from __future__ import annotations

import sys

import torch


def main() -> None:
    path, *options = sys.argv[1:]
    if options:  # --prepare: the same tensors as PyTorch's own file
        from safetensors.torch import load_file

        torch.save(load_file(path), f"{path}.pt")
        print(f"{path}.pt")
        return
    with torch.inference_mode():
        for name, x in torch.load(path, weights_only=True).items():
            std, mean = torch.std_mean(x, correction=0)
            low, high = x.aminmax()
            counts = torch.histc(x, 50, low.item(), high.item())
            zeros = (x == 0).sum()
            print(
                name, mean.item(), std.item(), low.item(), high.item(), zeros.item(), counts.max()
            )


if __name__ == "__main__":
    main()
