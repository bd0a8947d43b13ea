"""JAX's glorot_uniform or glorot_normal (which is truncated), then safetensors.flax.save_file."""

from __future__ import annotations

import common
import jax
import jax.numpy as jnp
from safetensors.flax import save_file


def draw_and_save(law: str, names: list[str], shape: tuple[int, int], out: str) -> None:
    initializers = jax.nn.initializers
    make = {"uniform": initializers.glorot_uniform, "normal": initializers.glorot_normal}[law]
    # Compiled once for all tensors; without jit JAX is slower.
    init = jax.jit(make(), static_argnums=(1, 2))
    keys = jax.random.split(jax.random.key(42), len(names))
    tensors = {name: init(key, shape, jnp.float32) for name, key in zip(names, keys, strict=True)}
    save_file(tensors, out)


common.run(draw_and_save, "jax", "safetensors")
