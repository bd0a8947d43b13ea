"""PyTorch: `load_into` draws a spec into a module, `make_tensor` makes a tensor of an array.

PyTorch is not imported until one of them is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from xavinit.errors import UsageError
from xavinit.output import Drawing, fill_arrays
from xavinit.plan import Plan
from xavinit.verbs.match import check_match, import_library, make_dtype_error, make_plan_for
from xavinit.verbs.sources import SpecSource
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

Module = TypeVar("Module")


def load_into(
    module: Module,
    spec: SpecSource | Plan,
    *,
    seed: int | None = None,
    rng: object = None,
    dtype: str | None = None,
    dims: Mapping[str, int | str] | None = None,
    jobs: int | None = None,
) -> Module:
    """Draw every tensor of a spec into a `torch.nn.Module`, in place; returns the module.

    The numbers are those of the file that `generate` writes. The spec must have exactly the
    tensors of `module.state_dict()`, by name and shape; of names that share one tensor (tied
    weights) it may have one or all. On a failure the module is as before.

    Takes the arguments of `draw`; the framework is `pytorch`. Dtypes stay the module's, and must
    hold the spec's numbers exactly: bfloat16 goes into float32, float32 not into bfloat16.

    Raises what `draw` raises; `UsageError` (a `ValueError`), which names the tensors, where the
    spec and the module do not fit.
    """
    torch = import_library("torch")
    plan = make_plan_for("pytorch", spec, seed=seed, rng=rng, dtype=dtype, dims=dims)
    held = _list_tensors(module)
    owners = _find_owners(held)
    names = {tensor.name for tensor in plan.tensors}
    given = {owners[name] for name in names if name in owners}
    check_match(
        {tensor.name: tensor.shape for tensor in plan.tensors},
        {name: tuple(tensor.shape) for name, tensor in held.items()},
        optional={name for name, owner in owners.items() if owner in given},
    )
    drawn = _draw(torch, plan, jobs)
    first: dict[str, str] = {}
    for name, tensor in drawn.items():
        other = first.setdefault(owners[name], name)
        if other != name and not _is_same(torch, tensor, drawn[other]):
            raise UsageError(
                f"tensors that are one in the module must be one in the spec; got "
                f"{format_value(other)} and {format_value(name)}, whose numbers differ",
                hint="tie one to the other in the spec, or leave it out",
            )
    converted = {
        name: _convert(torch, name, tensor, held[name].dtype) for name, tensor in drawn.items()
    }
    with torch.no_grad():
        for name, tensor in converted.items():
            held[name].copy_(tensor)
    return module


def make_tensor(array: np.ndarray[Any, Any]) -> Any:
    """A `torch.Tensor` of an array of any dtype that `draw` gives, bfloat16 and float8 too.

    It shares the array's memory, as `torch.from_numpy` does, which lacks those dtypes.
    """
    import numpy as np

    torch = import_library("torch")
    dtype = getattr(torch, array.dtype.name)
    octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return torch.from_numpy(octets).view(dtype).reshape(array.shape)


def _list_tensors(module: Any) -> dict[str, Any]:
    if not hasattr(module, "state_dict"):
        raise UsageError(f"module must be a torch.nn.Module; got {format_value(module)}")
    held = {name: t for name, t in module.state_dict().items() if hasattr(t, "copy_")}
    for name, tensor in held.items():
        if tensor.is_meta:  # where copies do nothing
            raise UsageError(
                f"the module must have memory; got {format_value(name)} on the device meta",
                hint='call module.to_empty(device="cpu") before',
            )
    return held


def _find_owners(held: Mapping[str, Any]) -> dict[str, str]:
    """For each name, the first one of the same tensor, itself unless it is tied."""
    first: dict[object, str] = {}
    owners = {}
    for name, tensor in held.items():
        place = (tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride())
        owners[name] = first.setdefault(place, name) if tensor.numel() else name
    return owners


def _draw(torch: Any, plan: Plan, jobs: int | None) -> dict[str, Any]:
    """The tensors by name, drawn into PyTorch's own memory, for which no NumPy dtype is needed."""
    drawn = {
        tensor.name: torch.empty(tensor.shape, dtype=getattr(torch, tensor.dtype.name))
        for tensor in plan.tensors
    }
    views = {name: memoryview(_show_bytes(torch, t).numpy()) for name, t in drawn.items()}
    fill_arrays(views, Drawing(plan, jobs), lambda _: None)
    return drawn


def _show_bytes(torch: Any, tensor: Any) -> Any:
    return tensor.reshape(-1).view(torch.uint8)


def _is_same(torch: Any, one: Any, other: Any) -> bool:
    """Have two tensors the same bytes? Float8 has no comparison of its own."""
    return bool(torch.equal(_show_bytes(torch, one), _show_bytes(torch, other)))


def _convert(torch: Any, name: str, tensor: Any, dtype: Any) -> Any:
    """The tensor in the module's dtype, where that changes no number."""
    if tensor.dtype == dtype:
        return tensor
    converted = tensor.to(dtype)
    if not _is_same(torch, converted.to(tensor.dtype), tensor):
        drawn, held = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, dtype))
        raise make_dtype_error(name, drawn, held)
    return converted
