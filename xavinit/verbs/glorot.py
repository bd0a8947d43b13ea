"""Initializers for a single tensor, without a spec: `glorot_uniform` and `glorot_normal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xavinit.errors import UsageError
from xavinit.verbs.draw import draw
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

AxisNumbers = int | Sequence[int]


def glorot_uniform(
    shape: Sequence[int],
    *,
    seed: int = 0,
    name: str = "weight",
    dtype: str = "float32",
    gain: float | str = 1.0,
    layout: str | None = None,
    in_axis: AxisNumbers | None = None,
    out_axis: AxisNumbers | None = None,
    batch_axis: AxisNumbers | None = None,
    fused: int = 1,
) -> Array:
    """Draw a tensor from the Glorot uniform law.

    Values are uniform on (−bound, bound), bound = gain·√(6/(fan_in + fan_out)), which gives the
    variance 2·gain²/(fan_in + fan_out). A tensor of this name in a spec with this seed has the same
    values.

    Parameters:
        shape: the dimensions, two or more of them, each at least 0.
        seed: 0 … 2⁶⁴−1.
        name: the stream name: other names draw other numbers.
        dtype: a float dtype; bfloat16 and float8 need ml_dtypes.
        gain: a positive number, or `linear`, `sigmoid`, `tanh`, `relu`, `leaky_relu`, `selu`.
        layout: `out_in` (out, in, spatial …: PyTorch; the default) or `in_out` (spatial …, in,
            out: Keras, Flax).
        in_axis, out_axis: the axes by number instead of a layout, an integer or several each;
            the axes not named are the receptive field.
        batch_axis: axes that are no part of the fans, such as experts.
        fused: how many equal blocks the out axis holds; the fans are those of one.

    Raises `SpecError` (a `ValueError`) for values out of these ranges, `UsageError` (another) for
    values of other types.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks", equation 16.

    >>> weight = glorot_uniform((128, 784), seed=42, name="hidden.weight")
    >>> bool(abs(weight).max() < (6 / (784 + 128)) ** 0.5)
    True
    """
    return _draw("glorot_uniform", **locals())


def glorot_normal(
    shape: Sequence[int],
    *,
    seed: int = 0,
    name: str = "weight",
    dtype: str = "float32",
    gain: float | str = 1.0,
    layout: str | None = None,
    in_axis: AxisNumbers | None = None,
    out_axis: AxisNumbers | None = None,
    batch_axis: AxisNumbers | None = None,
    fused: int = 1,
) -> Array:
    """Draw a tensor from the Glorot normal law.

    Values are normal with mean 0 and std = gain·√(2/(fan_in + fan_out)), not truncated: as in
    the paper and in PyTorch's `xavier_normal_`. (What Keras and JAX call GlorotNormal is a
    spec's `glorot_truncated_normal`.)

    Parameters and errors are those of `glorot_uniform`.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks", equation 12.

    >>> weight = glorot_normal((3, 3, 16, 32), layout="in_out", seed=42)
    >>> bool(abs(weight.std() / (2 / (9 * (16 + 32))) ** 0.5 - 1) < 0.05)
    True
    """
    return _draw("glorot_normal", **locals())


def _draw(
    init: str,
    *,
    shape: Sequence[int],
    seed: int,
    name: str,
    dtype: str,
    gain: float | str,
    layout: str | None,
    in_axis: AxisNumbers | None,
    out_axis: AxisNumbers | None,
    batch_axis: AxisNumbers | None,
    fused: int,
) -> Array:
    if not isinstance(name, str):
        raise UsageError(f"name must be a string; got {format_value(name)}")
    if not hasattr(shape, "__getitem__"):  # a set has no order
        raise UsageError(f"shape must be a sequence of integers; got {format_value(shape)}")
    table: dict[str, Any] = {
        "shape": list(shape),
        "dtype": dtype,
        "init": {"type": init, "gain": gain},
        "fused": fused,
    }
    axes = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis, "layout": layout}
    table |= {key: axis for key, axis in axes.items() if axis is not None}
    pattern = name.replace("{", "{{").replace("}", "}}")
    return draw({"seed": seed, "tensors": {pattern: table}})[name]
