"""PyTorch: the form that specs, rules and streams are in, so that nothing is viewed."""

from __future__ import annotations

from xavinit.spec import Sizes

# The module of each layer type; its parameters have the names of the parts (`spec/layers.py`).
MODULES = {
    "dense": "Linear",
    "conv1d": "Conv1d",
    "conv2d": "Conv2d",
    "conv3d": "Conv3d",
    "conv_transpose2d": "ConvTranspose2d",
    "depthwise_conv2d": "Conv2d",
    "embedding": "Embedding",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",  # 1d, 2d or 3d: their parameters are the same
    "lstm": "LSTM",
    "gru": "GRU",
    "multi_head_attention": "MultiheadAttention",
}


def find_module(kind: str, sizes: Sizes) -> str:
    """The class of a layer; with `kv_heads`, a module with four of that class."""
    return "Linear" if sizes.kv_heads else MODULES[kind]
