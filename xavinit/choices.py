"""The closed choices of a spec and of the command line.

Nothing is imported but typing, so that the command line can show them before it loads anything.
"""

from __future__ import annotations

from typing import Literal

# Whose names and axis order `layers` get. Each is a module of `layers/`.
FrameworkName = Literal["flax", "keras", "pytorch"]

# Each is a module of `formats/`.
FormatName = Literal["safetensors", "hdf5", "keras", "npy"]

# Whose numbers a spec asks for, and the variants of an rng (`rngs.py`).
RngName = Literal["xavinit-1", "torch-2.13", "keras-3.15", "jax-0.10"]
CpuName = Literal["avx2", "plain"]
Construction = Literal["skipped", "drawn"]
# What `derive` looks for.
RngSearch = Literal["auto"]
KeysName = Literal["plain", "linen", "nnx"]
BackendName = Literal["tensorflow", "jax", "torch", "numpy"]

AxisLayout = Literal["out_in", "in_out"]
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["uniform", "normal", "truncated_normal"]
GainName = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]

# Where the laws of a derived spec come from: Glorot's and what names tell, or the source's values.
LawSource = Literal["glorot", "as-is"]

# What the table of an inspection is sorted by.
SortKey = Literal["name", "count", "bytes", "mean", "std", "min", "max", "zeros", "nan", "inf"]
