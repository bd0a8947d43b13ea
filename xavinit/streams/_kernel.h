/* The native kernel: the number contract (docs/reproducibility.md) from Philox words to values.
 *
 * It is plain C11 without Python's headers. Python sees it through `_kernel_module.c` alone. Its
 * parts, in the order in which a number passes through them:
 *
 *   _kernel_tables.h, .c   the distributions and dtypes
 *   _kernel_bits.h         what the compiler must promise; floats and their bits
 *   _kernel_units.h        the vector units of this processor
 *   _kernel_words.h, .c    a key and a position -> random words
 *   _kernel_quantile.h     the normal quantile
 *   _kernel_rounding.h     float32 -> smaller floats
 *   _kernel_laws.h, .c     words -> values of a law, for each kind of processor
 *   _kernel_scatter.c      values -> their places in a buffer
 *
 * The readable form of the same is reference.py. The tests compare the two: they give the same
 * bits.
 */
#ifndef XAVINIT_KERNEL_H
#define XAVINIT_KERNEL_H

#include "_kernel_tables.h"

#include <stddef.h>
#include <stdint.h>

/* A law in a dtype. `scale` is the bound of a uniform, the std of a normal, the std before the cut
 * of a truncated normal. */
struct xv_law {
    enum xv_distribution distribution;
    enum xv_dtype dtype;
    double scale;
};

/* `count` steps: each moves `step` elements on in the tensor, and `stride` elements in `out`. */
struct xv_axis {
    uint64_t count;
    uint64_t step;
    int64_t stride;
};

#define XV_MOST_AXES 64

/* The names of the variants that this processor can run, the plain one first; NULL ends them. */
const char *const *xv_variants(void);

/* Use the variant of this number; -1 is the best one. To be called before the first drawing, and
 * never while another thread draws. */
void xv_use_variant(int index);

/* Write the elements first + i0*step0 + i1*step1 + ... of the tensor with this key to out +
 * i0*stride0 + i1*stride1 + ..., counted in elements. Fastest where the steps descend. */
void xv_fill(struct xv_law law, const uint64_t key[2], uint64_t first, const struct xv_axis *axes,
             int rank, char *out);

/* The values of `count` given random words, each of the dtype's word size. */
void xv_convert(struct xv_law law, const char *words, size_t count, char *out);

#endif
