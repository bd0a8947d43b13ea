/* JAX's numbers: its keys, and what JAX makes of their bits.
 *
 *   _kernel_jax_math.h     the logarithms and the inverse error function of XLA
 *   _kernel_jax.c          indices -> values -> their places, for each kind of processor
 *   _kernel_jax_module.c   the function that Python sees
 *
 * The readable form of the same is threefry.py, xla_math.py and jax_numpy.py.
 */
#ifndef XAVINIT_KERNEL_JAX_H
#define XAVINIT_KERNEL_JAX_H

#include "_kernel.h"

#include <stdint.h>

enum xv_jax_kind {
    XV_JAX_UNIFORM,
    XV_JAX_NORMAL,
    XV_JAX_TRUNCATED,
    XV_JAX_JOINED,
    XV_JAX_KIND_COUNT
};

/* Uniform on [first, second), or a normal that begins as `first` times the inverse error function;
 * each times `scale`. Joined: uniform on [first, first + 1) as a compiler joins its steps. */
struct xv_jax_law {
    enum xv_jax_kind kind;
    enum xv_dtype dtype;
    double first;
    double second;
    double scale;
};

/* Write elements to their places, as `xv_fill` does. */
void xv_jax_fill(struct xv_jax_law law, const uint32_t key[2], uint64_t first,
                 const struct xv_axis *axes, int rank, char *out);

/* Use the variant of this number, as `xv_use_variant` does. */
void xv_jax_use_variant(int index);

#endif
