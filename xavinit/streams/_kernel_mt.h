/* PyTorch's generator for the processor: MT19937, and what PyTorch makes of its words.
 *
 *   _kernel_mt_words.c     a state -> words
 *   _kernel_mt_fma.h       a*b + c with one rounding, with or without the instruction for it
 *   _kernel_mt_glibc.h     the logarithm, sine and cosine of glibc
 *   _kernel_mt_cephes.h    those of PyTorch's own vectors
 *   _kernel_mt_tables.h    the tables behind them
 *   _kernel_mt.c           words -> values, for each kind of processor
 *   _kernel_mt_module.c    the functions that Python sees
 *
 * The readable form of the same is mersenne.py, fused.py, glibc.py, cephes.py and pytorch.py.
 */
#ifndef XAVINIT_KERNEL_MT_H
#define XAVINIT_KERNEL_MT_H

#include "_kernel_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MT_WORDS 624

/* Where the generator stands: `place` words of the block are used. A normal that was made as the
 * second of a pair is kept for the next tensor of few elements. mersenne.py has the same layout. */
struct xv_mt {
    uint32_t words[MT_WORDS];
    uint32_t place;
    uint32_t has_kept;
    double kept;
};

/* What is drawn: uniform on [first, second), or normal with mean `first` and std `second`. `fused`
 * is what PyTorch does where it has AVX2. */
struct xv_mt_law {
    enum xv_dtype dtype;
    bool fused;
    double first;
    double second;
};

void xv_mt_seed(struct xv_mt *state, uint32_t seed);
void xv_mt_skip(struct xv_mt *state, uint64_t count);

/* Write the next `count` values. */
void xv_mt_uniform(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out);

/* The same, of a tensor of at least 16 elements, in blocks of 16: `count` is a multiple of 16. */
void xv_mt_normal(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out);

/* The same, of a tensor of fewer: one pair after another, in float64. */
void xv_mt_normal_pairs(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out);

/* Use the variant of this number, as `xv_use_variant` does. */
void xv_mt_use_variant(int index);

/* `count` values of a function, for the tests: 0 log, 1 log1p, 2 sin, 3 cos of float64;
 * 4 log, 5 sin, 6 cos of float32 as glibc has them, 7 to 9 as Cephes does. */
void xv_mt_evaluate(int function, const char *values, size_t count, char *out);

#endif
