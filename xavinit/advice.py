"""What to do about things of other frameworks for which there is nothing here.

Data alone, asked by `wording.suggest` for a word that `vocabulary.py` does not translate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NO_WEIGHT: Final = "it changes no weight: leave it out"
_WEIGHTLESS: Final = "it has no weights: leave it out"
_TAKES_A_NUMBER: Final = (
    "it has no weights: leave it out; under Keras's rng and keys: nnx, where it takes a number, "
    "write type: draw"
)
_RAW: Final = "there is no such layer: list its tensors under tensors"
_ONE_WAY: Final = "bidirectional: true is both ways; PyTorch has no layer that runs backward alone"
_NOT_ORTHOGONAL: Final = (
    "none is orthogonal; glorot_normal has the same variance for a square matrix"
)
_CUT_AT_TWO: Final = (
    "PyTorch's is cut at ±2 itself: where the std is small, that is normal with this std"
)
_STD_AFTER_CUT: Final = (
    "take truncated_normal: its std is that of the cut law, 0.8796 of Keras's stddev"
)
_STD_BEFORE_CUT: Final = "take truncated_normal {std, mean, a, b}: its std is that before the cut"

# What is true under PyTorch's rng instead.
UNDER_TORCH: Final[Mapping[str, str]] = {
    _NOT_ORTHOGONAL: (
        "none is orthogonal: PyTorch's comes from a decomposition by LAPACK, whose last bits "
        "another machine's do not have"
    ),
    _CUT_AT_TWO: _STD_BEFORE_CUT,
    _STD_AFTER_CUT: _STD_BEFORE_CUT,
}

# By the kind of choice: what to do where nothing here is the same, and the words that ask for it.
ADVICE: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "dtype": {
        "float is float32 in PyTorch and float64 in NumPy: say which": ("float",),
        "int is int32 in PyTorch and int64 in NumPy: say which": ("int", "integer"),
        "take float8_e4m3fn or float8_e5m2": ("fp8", "float8"),
        "the fnuz kinds cannot be written: take float8_e4m3fn": ("float8_e4m3fnuz",),
        "the fnuz kinds cannot be written: take float8_e5m2": ("float8_e5m2fnuz",),
        "the integers that can be written are uint8, int32 and int64": (
            "int8",
            "int16",
            "uint16",
            "uint32",
            "uint64",
            "I8",
            "I16",
            "U16",
            "U32",
            "U64",
            "char",
            "short",
            "uint",
            "int4",
            "uint4",
        ),
        "complex tensors cannot be written": ("complex64", "complex128", "cfloat", "cdouble"),
        "tf32 is how products are computed, not how weights are stored: take float32": ("tf32",),
        "the smallest floats that can be written are float8_e4m3fn and float8_e5m2": (
            "fp4",
            "float4_e2m1fn",
            "float6_e2m3fn",
            "float6_e3m2fn",
            "nf4",
            "mxfp4",
        ),
    },
    "init": {
        "say which: glorot_uniform or glorot_normal": ("glorot", "xavier"),
        "say which: he_uniform or he_normal": ("he", "kaiming", "msra"),
        "say which: lecun_uniform or lecun_normal": ("lecun",),
        _STD_AFTER_CUT: ("TruncatedNormal",),
        _CUT_AT_TWO: ("trunc_normal_", "trunc_normal"),
        _NOT_ORTHOGONAL: (
            "orthogonal",
            "orthogonal_",
            "Orthogonal",
            "delta_orthogonal",
            "OrthogonalInitializer",
        ),
        "none makes an identity": ("identity", "eye", "eye_", "dirac_", "Identity"),
        "none makes a sparse tensor": ("sparse_", "sparse"),
    },
    "gain": {
        "it has no gain of its own: take relu's, or a number": (
            "gelu",
            "swish",
            "silu",
            "elu",
            "mish",
            "softplus",
            "hardswish",
            "relu6",
            "celu",
            "glu",
            "swiglu",
            "geglu",
        ),
        "it has no gain of its own: leave the key out": ("softmax", "log_softmax"),
    },
    "layer": {
        _TAKES_A_NUMBER: (
            "dropout",
            "Dropout1d",
            "Dropout2d",
            "Dropout3d",
            "SpatialDropout2D",
            "AlphaDropout",
            "GaussianNoise",
        ),
        _WEIGHTLESS: (
            "relu",
            "relu6",
            "leaky_relu",
            "gelu",
            "silu",
            "swish",
            "elu",
            "selu",
            "mish",
            "hardswish",
            "tanh",
            "sigmoid",
            "softmax",
            "log_softmax",
            "activation",
            "pool",
            "pooling",
            "max_pool",
            "avg_pool",
            "MaxPool1d",
            "MaxPool2d",
            "MaxPool3d",
            "AvgPool1d",
            "AvgPool2d",
            "AvgPool3d",
            "AdaptiveAvgPool2d",
            "AdaptiveMaxPool2d",
            "MaxPooling1D",
            "MaxPooling2D",
            "MaxPooling3D",
            "AveragePooling1D",
            "AveragePooling2D",
            "AveragePooling3D",
            "GlobalAveragePooling1D",
            "GlobalAveragePooling2D",
            "GlobalMaxPooling2D",
            "flatten",
            "unflatten",
            "reshape",
            "permute",
            "identity",
            "upsample",
            "UpSampling2D",
            "PixelShuffle",
            "ZeroPadding2D",
            "concatenate",
            "add",
            "input",
            "InputLayer",
        ),
        "list its weight (init: ones) and bias (init: zeros) under tensors": (
            "group_norm",
            "GroupNorm",
            "GroupNormalization",
            "InstanceNorm1d",
            "InstanceNorm2d",
            "InstanceNorm3d",
            "instance_norm",
        ),
        "write a depthwise_conv2d, and a conv2d with kernel: 1 behind it": (
            "separable",
            "separable_conv",
            "separable_conv2d",
            "SeparableConv2D",
        ),
        "say which: conv1d, conv2d or conv3d": ("conv", "convolution"),
        "take multi_head_attention with kv_heads": ("GroupedQueryAttention", "gqa"),
        "give it a name and layers, and no type": ("group", "sequential", "Sequential"),
        _RAW: (
            "conv_transpose1d",
            "conv_transpose3d",
            "Conv1DTranspose",
            "Conv3DTranspose",
            "depthwise_conv1d",
            "DepthwiseConv1D",
            "SeparableConv1D",
            "bilinear",
            "rnn",
            "simple_rnn",
            "SimpleRNN",
            "ConvLSTM2D",
            "EinsumDense",
            "DenseGeneral",
            "prelu",
            "transformer",
            "TransformerEncoderLayer",
            "TransformerDecoderLayer",
            "lora",
            "mlp",
            "moe",
        ),
    },
    "framework": {
        "flax has the names of Linen; NNX has others": ("nnx", "flax.nnx"),
    },
    "format": {
        "PyTorch loads safetensors: safetensors.torch.load_file": (
            "pt",
            "pth",
            "bin",
            "ckpt",
            "torch",
            "pytorch",
            "pickle",
            "pkl",
        ),
        "npy writes a folder, one .npy file for each tensor": ("npz",),
        "Flax takes safetensors: safetensors.flax.load_file": ("msgpack", "orbax", "flax"),
    },
    "command": {
        "xavinit plan SPEC --explain TENSOR": ("explain",),
        "xavinit -h": ("help",),
        "xavinit --version": ("version",),
    },
    "key": {
        "of layers, an embedding alone has rows that are zero: zero_rows": ("padding_idx",),
        "a group has no type, and the layers of a stack are num_layers": ("layers",),
        _NO_WEIGHT: (
            "activation",
            "activation_fn",
            "recurrent_activation",
            "dilation",
            "dilation_rate",
            "dropout",
            "dropout_rate",
            "recurrent_dropout",
            "padding",
            "padding_mode",
            "output_padding",
            "stride",
            "eps",
            "epsilon",
            "momentum",
            "batch_first",
            "return_sequences",
            "return_state",
            "stateful",
            "trainable",
            "data_format",
            "device",
            "kernel_regularizer",
            "bias_regularizer",
            "kernel_constraint",
            "bias_constraint",
        ),
        "it is size // heads: leave it out": ("head_dim", "key_dim", "head_size"),
        _ONE_WAY: ("direction", "reverse", "go_backwards"),
        "every law has mean 0": ("mean",),
        "a uniform law draws from -bound to bound": (
            "minval",
            "maxval",
            "low",
            "high",
            "min",
            "max",
        ),
        "gain multiplies the std: it is the root of scale": ("scale",),
        "the seed stands at the top of the spec": ("seed",),
    },
}
