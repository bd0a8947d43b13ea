"""How a model initializes itself: its own code runs on tensors without numbers, and is watched."""

from __future__ import annotations

import importlib
import math
from typing import Any

from xavinit.configs.library import Library


def record_inits(library: Library, model: Any) -> dict[int, Any]:
    """The initializer of each tensor that has one that a spec can write, by the storage's number.

    Of each tensor the last operation on all of it counts: numbers drawn, or zeros, ones and other
    constants. What is computed in another way, as a table of positions, is left out.
    """
    mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    last: dict[int, list[tuple[str, tuple[Any, ...]]]] = {}
    sizes: dict[int, int] = {}

    class Watch(mode):  # type: ignore[misc]  # a class of torch's, which has no types here
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = func._schema.name.removeprefix("aten::")
            if name.endswith("_") and not name.startswith("_") and args:
                target = args[0]
                if isinstance(target, library.torch.Tensor):
                    key = find_storage(target)
                    if target.numel() == sizes.get(key):
                        plain = tuple(a for a in args[1:] if isinstance(a, int | float))
                        entry = (name, plain if len(plain) == len(args) - 1 else (math.nan,))
                        if name in _STARTS:
                            last[key] = [entry]
                        else:
                            last.setdefault(key, [("", ())]).append(entry)
            return func(*args, **(kwargs or {}))

    for tensor in [*model.parameters(), *model.buffers()]:
        sizes[find_storage(tensor)] = tensor.numel()
    initialize = getattr(model, "initialize_weights", None)
    try:
        with Watch(), library.torch.no_grad():
            if initialize is not None:
                initialize()
            else:
                model.apply(model._init_weights)
    except Exception:  # code of any model: then its names tell its laws
        return {}
    found = {key: _read(steps) for key, steps in last.items()}
    return {key: init for key, init in found.items() if init is not None}


_STARTS = ("normal_", "uniform_", "zero_", "fill_", "copy_", "random_", "exponential_")


def find_storage(tensor: Any) -> int:
    """What all views of the same bytes have in common."""
    return int(tensor.untyped_storage()._cdata)


def _read(steps: list[tuple[str, tuple[Any, ...]]]) -> Any:
    """An initializer as a spec writes it, of the operations on a tensor; None for any other."""
    (name, args), rest = steps[0], steps[1:]
    if any(isinstance(a, float) and not math.isfinite(a) for _, given in steps for a in given):
        return None
    if name == "uniform_" and [n for n, _ in rest][:2] == ["erfinv_", "mul_"]:
        return _read_truncated(args, rest)
    if rest:
        return None
    if name == "zero_":
        return "zeros"
    if name == "fill_":
        if len(args) != 1:
            return None
        return {0: "zeros", 1: "ones"}.get(args[0], {"type": "constant", "value": args[0]})
    if name == "normal_":
        mean = args[0] if args else 0.0
        std = args[1] if len(args) > 1 else 1.0
        return {"type": "normal", "std": std} if mean == 0 and std > 0 else None
    if name == "uniform_" and len(args) == 2 and args[0] == -args[1] and args[1] > 0:
        return {"type": "uniform", "bound": args[1]}
    return None


def _read_truncated(args: tuple[Any, ...], rest: list[tuple[str, tuple[Any, ...]]]) -> Any:
    """PyTorch's trunc_normal_: where the cut is far out, it is a normal law."""
    by_name = dict(rest)
    scale, mean = by_name["mul_"], by_name.get("add_", (0.0,))
    if len(scale) != 1 or scale[0] <= 0 or mean[0] != 0:
        return None
    return {"type": "normal", "std": float(f"{scale[0] / math.sqrt(2):.12g}")}
