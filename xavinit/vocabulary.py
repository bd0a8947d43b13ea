"""What people call things elsewhere: in PyTorch, Keras, TensorFlow, JAX, Flax, NumPy, safetensors.

Data alone; `wording.suggest` looks in it before it asks for the nearest spelling. A row here is
right: whoever follows it gets what was meant there. Words are as each framework writes them, and
found in any case, with or without `_`, `-` and the module before (`torch.`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Rows = Mapping[str, tuple[str, ...]]

# By the kind of choice: our name, and those for the same thing elsewhere. Of keys one word may
# stand in several rows; the first that the table takes is meant.
SAME: Final[Mapping[str, Rows]] = {
    "dtype": {
        "float64": ("double", "fp64", "f64", "F64"),
        "float32": ("fp32", "f32", "F32", "single"),
        "float16": ("half", "fp16", "f16", "F16"),
        "bfloat16": ("bf16", "BF16", "brain_float", "bfloat"),
        "float8_e4m3fn": ("F8_E4M3", "e4m3fn", "e4m3", "float8_e4m3", "fp8_e4m3", "f8e4m3fn"),
        "float8_e5m2": ("F8_E5M2", "e5m2", "fp8_e5m2", "f8e5m2"),
        "int64": ("long", "I64", "i64", "longlong"),
        "int32": ("I32", "i32", "intc"),
        "uint8": ("U8", "ubyte"),
        "bool": ("boolean", "bool_", "BOOL"),
    },
    "init": {
        "zeros": ("zero", "zeros_", "zeros_init", "Zeros", "zeros_initializer"),
        "ones": ("one", "ones_", "ones_init", "Ones", "ones_initializer"),
        "constant": ("const", "constant_", "Constant", "fill_", "full"),
        "uniform": ("RandomUniform", "random_uniform", "uniform_", "random_uniform_initializer"),
        "normal": ("RandomNormal", "random_normal", "normal_", "gaussian", "randn"),
        "variance_scaling": ("VarianceScaling",),
        "glorot_uniform": ("GlorotUniform", "glorot_uniform_"),
        "glorot_truncated_normal": ("GlorotNormal",),  # so in Keras and JAX: cut at two stds
        "he_uniform": ("HeUniform",),
        "he_truncated_normal": ("HeNormal",),
        "lecun_uniform": ("LecunUniform",),
        "lecun_truncated_normal": ("LecunNormal",),
        "xavier_uniform": ("xavier_uniform_", "XavierUniform"),
        "xavier_normal": ("xavier_normal_", "XavierNormal"),
        "kaiming_uniform": ("kaiming_uniform_", "KaimingUniform"),
        "kaiming_normal": ("kaiming_normal_", "KaimingNormal"),
    },
    "gain": {
        "linear": ("identity", "none", "conv1d", "conv2d", "conv3d"),
        "leaky_relu": ("LeakyReLU", "lrelu"),
        "relu": ("ReLU",),
        "tanh": ("Tanh",),
        "sigmoid": ("Sigmoid", "logistic"),
        "selu": ("SELU",),
    },
    "distribution": {
        "normal": ("untruncated_normal", "gaussian", "norm", "random_normal"),
        "truncated_normal": ("truncnorm", "trunc_normal"),
        "uniform": ("random_uniform", "unif"),
    },
    "mode": {
        "fan_avg": ("fan_average", "average", "avg", "fan_mean"),
        "fan_in": ("in", "input"),
        "fan_out": ("out", "output"),
    },
    "layout": {
        "out_in": ("OI", "OIW", "OIHW", "OIDHW", "torch", "pytorch"),
        "in_out": ("IO", "WIO", "HWIO", "DHWIO", "keras", "tensorflow", "jax", "flax"),
    },
    "layer": {
        "dense": ("linear", "Linear", "nn.Linear", "Dense", "fc", "fully_connected"),
        "conv1d": ("Conv1D", "Conv1d", "Convolution1D"),
        "conv2d": ("Conv2D", "Conv2d", "Convolution2D"),
        "conv3d": ("Conv3D", "Conv3d", "Convolution3D"),
        "conv_transpose2d": (
            "ConvTranspose2d",
            "Conv2DTranspose",
            "Convolution2DTranspose",
            "deconv2d",
        ),
        "depthwise_conv2d": ("DepthwiseConv2D", "depthwise"),
        "embedding": ("Embed", "Embedding", "EmbeddingBag", "embeddings"),
        "layer_norm": ("LayerNorm", "LayerNormalization", "ln"),
        "rms_norm": ("RMSNorm", "RMSNormalization", "LlamaRMSNorm"),
        "batch_norm": (
            "BatchNorm",
            "BatchNorm1d",
            "BatchNorm2d",
            "BatchNorm3d",
            "BatchNormalization",
            "SyncBatchNorm",
            "bn",
        ),
        "lstm": ("LSTM", "LSTMCell", "OptimizedLSTMCell"),
        "gru": ("GRU", "GRUCell"),
        "multi_head_attention": (
            "mha",
            "attention",
            "self_attention",
            "SelfAttention",
            "MultiheadAttention",
            "MultiHeadAttention",
            "MultiHeadDotProductAttention",
        ),
    },
    "framework": {
        "pytorch": ("torch", "pt", "PyTorch"),
        "keras": ("tf", "tensorflow", "tf.keras", "Keras", "keras3"),
        "flax": ("jax", "linen", "flax.linen", "Flax"),
    },
    "format": {
        "safetensors": ("st", "safetensor", "hf", "huggingface"),
        "hdf5": ("h5", "hdf", "h5py"),
        "keras": ("weights.h5",),
        "npy": ("numpy", "np"),
    },
    "key": {
        "in": (
            "in_features",
            "in_channels",
            "input_dim",
            "input_size",
            "in_dim",
            "in_size",
            "input_features",
            "num_embeddings",
        ),
        "out": (
            "out_features",
            "out_channels",
            "units",
            "filters",
            "features",
            "output_dim",
            "out_dim",
            "out_size",
            "embedding_dim",
        ),
        "hidden": ("hidden_size", "hidden_dim", "hidden_features", "units", "features"),
        "size": (
            "embed_dim",
            "normalized_shape",
            "num_features",
            "d_model",
            "dim",
            "hidden_size",
            "hidden_dim",
            "qkv_features",
        ),
        "kernel": ("kernel_size", "filter_size", "ksize"),
        "stride": ("strides",),
        "groups": ("feature_group_count",),
        "multiplier": ("depth_multiplier", "channel_multiplier"),
        "heads": ("num_heads", "n_heads", "n_head", "nhead", "num_attention_heads"),
        "kv_heads": ("num_kv_heads", "num_key_value_heads", "n_kv_heads"),
        "num_layers": ("n_layers",),
        "bias": ("use_bias", "add_bias"),
        "init": (
            "kernel_init",
            "kernel_initializer",
            "weight_init",
            "initializer",
            "embedding_init",
            "embeddings_initializer",
            "depthwise_initializer",
            "scale_init",
            "gamma_initializer",
        ),
        "bias_init": ("bias_initializer", "beta_initializer"),
        "recurrent_init": ("recurrent_initializer", "recurrent_kernel_init"),
        "dtype": ("param_dtype", "torch_dtype", "data_type"),
        "shape": ("size", "dimensions"),
        "std": ("stddev", "sigma", "standard_deviation"),
        "bound": ("limit",),
        "value": ("val", "fill_value"),
        "gain": ("nonlinearity",),
        "distribution": ("dist",),
        "tensors": ("weights", "parameters", "params"),
        "layers": ("modules", "network"),
        "dims": ("dimensions", "constants"),
        "framework": ("backend",),
        "match": ("pattern", "glob", "name", "names"),
    },
}
