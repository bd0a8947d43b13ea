"""Where weights with channels last (Keras, Flax) lie in PyTorch's tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xavinit.errors import SpecError
from xavinit.layers.layer import Sizes, Variable
from xavinit.layers.views import Axis, make_view, split_index


def put_channels_last(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """A flattened array's axes in the other frameworks' order; PyTorch's channels are first."""
    channels, *spatial = axes
    return *spatial, channels


def make_dense_kernel(sizes: Sizes) -> Variable:
    """(in, out) of PyTorch's (out, in); if either is a flattened array, its channels are last."""
    axes = split_index((*sizes.outs, *sizes.ins))
    outs, ins = axes[: len(sizes.outs)], axes[len(sizes.outs) :]
    view = make_view((*put_channels_last(ins), *put_channels_last(outs)))
    return Variable("kernel", (math.prod(sizes.ins), math.prod(sizes.outs)), "weight", view)


def make_features(name: str, sizes: Sizes, role: str) -> Variable:
    """One number for each output; channels last where the outputs are a flattened array."""
    view = make_view(put_channels_last(split_index(sizes.outs)))
    return Variable(name, (math.prod(sizes.outs),), role, view)


def make_conv_kernel(sizes: Sizes) -> Variable:
    """(spatial …, in/groups, out) of (out, in/groups, spatial …)."""
    shape = (sizes.outs[0], sizes.ins[0] // sizes.groups, *sizes.kernel)
    out, count, *spatial = split_index(shape)
    view = make_view((*spatial, count, out))
    return Variable("kernel", (*shape[2:], shape[1], shape[0]), "weight", view)


def make_transposed_kernel(sizes: Sizes, *, in_last: bool, flipped: bool, owner: str) -> Variable:
    """(spatial …, in, out) or (spatial …, out, in) of PyTorch's (in, out, spatial …).

    `flipped`: the spatial axes are reversed, for a module that does not do so itself.
    """
    check_no_groups(sizes, owner)
    shape = (*sizes.ins, *sizes.outs, *sizes.kernel)
    count, out, *spatial = split_index(shape)
    if flipped:
        spatial = [axis[::-1] for axis in spatial]
    pair, numbers = (count, out), shape[:2]
    if in_last:
        pair, numbers = pair[::-1], numbers[::-1]
    return Variable("kernel", (*shape[2:], *numbers), "weight", make_view((*spatial, *pair)))


def check_no_groups(sizes: Sizes, owner: str) -> None:
    if sizes.groups > 1:
        raise SpecError(f"{owner} has no groups; got {sizes.groups}", ("groups",))


def make_vector(name: str, size: int, role: str) -> Variable:
    """A vector of channels, which lies the same in all frameworks."""
    return Variable(name, (size,), role)


def list_dense(sizes: Sizes) -> tuple[Variable, ...]:
    """The kernel and bias of a dense layer."""
    return make_dense_kernel(sizes), make_features("bias", sizes, "bias")


def list_conv(sizes: Sizes) -> tuple[Variable, ...]:
    """The kernel and bias of a convolution of any rank."""
    return make_conv_kernel(sizes), make_vector("bias", sizes.outs[0], "bias")
