"""Initializers for a single tensor, without a spec: `glorot_uniform`, `he_normal` and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from xavinit.errors import UsageError
from xavinit.verbs.draw import draw
from xavinit.wording import format_value

if TYPE_CHECKING:
    from typing import Unpack

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

AxisNumbers = int | Sequence[int]


class Options(TypedDict, total=False):
    """What every initializer takes beside the shape; `glorot_uniform` says what each means."""

    seed: int
    name: str
    dtype: Any  # a name, or NumPy's type of that name
    gain: float | str
    layout: str
    in_axis: AxisNumbers
    out_axis: AxisNumbers
    batch_axis: AxisNumbers
    fused: int


def glorot_uniform(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the Glorot uniform law.

    Values are uniform on (−bound, bound), bound = gain·√(6/(fan_in + fan_out)), which gives the
    variance 2·gain²/(fan_in + fan_out). A tensor of this name in a spec with this seed has the same
    values.

    Parameters:
        shape: the dimensions, two or more of them, each at least 0.
        seed: 0 … 2⁶⁴−1; 0 by default.
        name: the stream name, `weight` by default: other names draw other numbers.
        dtype: a float dtype, `float32` by default; bfloat16 and float8 need ml_dtypes.
        gain: a positive number, or `linear`, `sigmoid`, `tanh`, `relu`, `leaky_relu`, `selu`; 1 by
            default, for the he functions √2.
        layout: `out_in` (out, in, spatial …: PyTorch; the default) or `in_out` (spatial …, in,
            out: Keras, Flax).
        in_axis, out_axis: the axes by number instead of a layout, an integer or several each;
            the axes not named are the receptive field.
        batch_axis: axes that are no part of the fans, such as experts.
        fused: how many equal blocks the out axis holds, 1 by default; the fans are those of one.

    Raises `SpecError` (a `ValueError`) for values out of these ranges, `UsageError` (another) for
    values of other types.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks", equation 16.

    >>> weight = glorot_uniform((128, 784), seed=42, name="hidden.weight")
    >>> bool(abs(weight).max() < (6 / (784 + 128)) ** 0.5)
    True
    """
    return _draw("glorot_uniform", shape, options)


def glorot_normal(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the Glorot normal law.

    Values are normal with mean 0 and std = gain·√(2/(fan_in + fan_out)), not truncated: as in
    the paper and in PyTorch's `xavier_normal_`. (What Keras and JAX call GlorotNormal is a
    spec's `glorot_truncated_normal`.) Parameters and errors are those of `glorot_uniform`.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks", equation 12.

    >>> weight = glorot_normal((3, 3, 16, 32), layout="in_out", seed=42)
    >>> bool(abs(weight.std() / (2 / (9 * (16 + 32))) ** 0.5 - 1) < 0.05)
    True
    """
    return _draw("glorot_normal", shape, options)


def xavier_uniform(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the Glorot uniform law, by the first author's given name.

    The same as `glorot_uniform`, as PyTorch calls it.

    >>> bool((xavier_uniform((3, 4)) == glorot_uniform((3, 4))).all())
    True
    """
    return _draw("xavier_uniform", shape, options)


def xavier_normal(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the Glorot normal law, by the first author's given name.

    The same as `glorot_normal`, as PyTorch calls it.

    >>> bool((xavier_normal((3, 4)) == glorot_normal((3, 4))).all())
    True
    """
    return _draw("xavier_normal", shape, options)


def he_uniform(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the He uniform law, which PyTorch calls Kaiming uniform.

    Values are uniform on (−bound, bound), bound = gain·√(3/fan_in), with gain √2 by default.
    Parameters and errors are those of `glorot_uniform`.

    He et al. (2015), "Delving deep into rectifiers", equation 10.

    >>> weight = he_uniform((64, 32), seed=42)
    >>> bool(abs(weight).max() < (6 / 32) ** 0.5)
    True
    """
    return _draw("he_uniform", shape, options)


def he_normal(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the He normal law, which PyTorch calls Kaiming normal.

    Values are normal with mean 0 and std = gain·√(1/fan_in), with gain √2 by default; not
    truncated. Parameters and errors are those of `glorot_uniform`.

    He et al. (2015), "Delving deep into rectifiers", equation 10.

    >>> weight = he_normal((512, 256), seed=42)
    >>> bool(abs(weight.std() / (2 / 256) ** 0.5 - 1) < 0.05)
    True
    """
    return _draw("he_normal", shape, options)


def lecun_uniform(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the LeCun uniform law.

    Values are uniform on (−bound, bound), bound = gain·√(3/fan_in). Parameters and errors are those
    of `glorot_uniform`.

    LeCun et al. (1998), "Efficient BackProp", equation 16.

    >>> weight = lecun_uniform((64, 32), seed=42)
    >>> bool(abs(weight).max() < (3 / 32) ** 0.5)
    True
    """
    return _draw("lecun_uniform", shape, options)


def lecun_normal(shape: Sequence[int], **options: Unpack[Options]) -> Array:
    """Draw a tensor from the LeCun normal law.

    Values are normal with mean 0 and std = gain·√(1/fan_in), not truncated. Parameters and errors
    are those of `glorot_uniform`.

    LeCun et al. (1998), "Efficient BackProp", equation 16.

    >>> weight = lecun_normal((512, 256), seed=42)
    >>> bool(abs(weight.std() / (1 / 256) ** 0.5 - 1) < 0.05)
    True
    """
    return _draw("lecun_normal", shape, options)


def _draw(init: str, shape: Sequence[int], options: Options) -> Array:
    unknown = sorted(options.keys() - Options.__annotations__.keys())
    if unknown:
        raise UsageError(f"{init} takes no argument {format_value(unknown[0])}")
    name = options.get("name", "weight")
    if not isinstance(name, str):
        raise UsageError(f"name must be a string; got {format_value(name)}")
    if not hasattr(shape, "__getitem__"):  # a set has no order
        raise UsageError(f"shape must be a sequence of integers; got {format_value(shape)}")
    given = {key: value for key, value in options.items() if value is not None}
    table: dict[str, Any] = {"shape": list(shape), "init": {"type": init}}
    for key in ("dtype", "layout", "in_axis", "out_axis", "batch_axis", "fused"):
        if key in given:
            table[key] = given[key]
    if "gain" in given:
        table["init"]["gain"] = given["gain"]
    pattern = name.replace("{", "{{").replace("}", "}}")
    return draw({"seed": given.get("seed", 0), "tensors": {pattern: table}})[name]
