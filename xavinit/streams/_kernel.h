/* The native kernel: the number contract (docs/reproducibility.md) from Philox words to values.
 *
 * Plain C11 without Python headers; `_kernel_module.c` is all that Python sees of it. The readable
 * form of the same is reference.py, the oracle of the tests: both give the same bits.
 */
#ifndef XAVINIT_KERNEL_H
#define XAVINIT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum xv_distribution { XV_UNIFORM, XV_NORMAL, XV_TRUNCATED_NORMAL };

enum xv_dtype { XV_FLOAT64, XV_FLOAT32, XV_FLOAT16, XV_BFLOAT16, XV_FLOAT8_E4M3FN, XV_FLOAT8_E5M2 };

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

/* Bytes of an element. */
size_t xv_itemsize(enum xv_dtype dtype);

/* Bytes of the random word that an element takes: 8 for float64, else 4. */
size_t xv_wordsize(enum xv_dtype dtype);

/* The variants for the processors' vector units, the plain one first, by name; NULL ends them.
 * Only those that this processor can run. */
const char *const *xv_variants(void);

/* Use the variant of this number; the best one is used unless told. Not while others draw. */
void xv_use_variant(int index);

/* Write the elements first + i0*step0 + i1*step1 + ... of the tensor with this key to out +
 * i0*stride0 + i1*stride1 + ..., counted in elements. Fastest where the steps descend. */
void xv_fill(struct xv_law law, const uint64_t key[2], uint64_t first, const struct xv_axis *axes,
             int rank, char *out);

/* Values of these random words, 8 bytes each for float64, else 4. */
void xv_convert(struct xv_law law, const char *words, size_t count, char *out);

#endif
