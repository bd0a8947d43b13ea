/* The native kernel of reading: one pass over the numbers of a tensor counts and sums them.
 *
 * It is plain C11 without Python's headers. Python sees it through `_kernel_module.c` alone. Its
 * parts, in the order in which a number passes through them:
 *
 *   _kernel_scan.c         a block -> tiles of keys; where runs begin and end
 *   _kernel_kinds.h        wide numbers as values, as ordered integers, and as keys
 *   _kernel_sums.h         a number into the sums of its run
 *   _kernel_numbers.h, .c  many numbers -> keys, extremes and sums, for each vector unit
 *   _kernel_zoom.c         a block once more, by closer keys
 *   _kernel_tables.c       keys -> counts, in the tables of a thread; these -> those of a tensor
 *   _kernel_bins.c         the counts of a tensor -> bins that hold something
 *
 * The readable form of the same is reference.py. The tests compare the two: they give the same
 * bits.
 */
#ifndef XAVINIT_READING_KERNEL_H
#define XAVINIT_READING_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* ROW(name, bits, is wide). A narrow number, of at most 16 bits, is counted by its code, and all
 * else follows from the counts. A wide one is counted by its sign, exponent and 7 bits of mantissa,
 * in its own place (float32) or as the float64 of its value, and it is summed. */
#define XR_KINDS(ROW)     \
    ROW(code4, 4, 0)      \
    ROW(code6, 6, 0)      \
    ROW(code8, 8, 0)      \
    ROW(code16, 16, 0)    \
    ROW(float32, 32, 1)   \
    ROW(float64, 64, 1)   \
    ROW(int32, 32, 1)     \
    ROW(uint32, 32, 1)    \
    ROW(int64, 64, 1)     \
    ROW(uint64, 64, 1)

#define XR_NUMBER(name, bits, wide) XR_##name,
enum xr_kind { XR_KINDS(XR_NUMBER) XR_KIND_COUNT };
#undef XR_NUMBER

#define XR_KEYS 65536
#define XR_TABLES 4    /* neighbors go into different ones: the same key need not wait for itself */
#define XR_GROUP 128   /* keys: those of an exponent */
#define XR_GROUPS (XR_KEYS / XR_GROUP)
#define XR_LANES 16    /* of sums: element i of a run is added in lane i % 16 */
#define XR_RUN 65536   /* numbers whose sums are one record */
#define XR_TILE 1024   /* numbers at a time: their keys stay in the first-level cache */

/* What is known of wide numbers beside their keys. Zero bytes are that of no numbers. */
struct xr_facts {
    uint64_t finite, zeros, nans, positive_infinities, negative_infinities;
    int64_t low, high; /* of the finite ones, as integers in the order of their values */
};

/* The sums of a run: of d and d*d, where d is a number less the pivot, the run's first finite
 * number. In float64, |d| of 2^500 or more goes, times 2^-600, into the large sums, and the squares
 * of those below 2^-500, times 2^600, into the small one. */
struct xr_run {
    double finite; /* how many */
    double pivot, sum, squares, small_squares, large_sum, large_squares;
};

#define XR_SUMS 5 /* the last five of them */

/* What a thread counts with. Zero bytes are that of no numbers. */
struct xr_scratch {
    uint32_t tables[XR_TABLES][XR_KEYS];
    uint8_t groups[XR_GROUPS]; /* those that hold something */
    struct xr_facts facts;
    uint64_t counted; /* since the tables were emptied */
    uint64_t position, finite; /* in the open run */
    double pivot;
    double lanes[XR_SUMS][XR_LANES];
};

/* The counts of a tensor. Zero bytes are that of no numbers. */
struct xr_totals {
    uint64_t counts[XR_KEYS];
    uint8_t groups[XR_GROUPS];
    struct xr_facts facts;
};

/* ROW(name): what the counts are of, in the order of their values. */
#define XR_ORDERS(ROW)                                                   \
    ROW(BINS_OF_FLOAT32)  /* not codes, but the keys of float32 */       \
    ROW(BINS_OF_FLOAT64)  /* those of the others */                      \
    ROW(SIGNED_FLOATS)    /* sign and magnitude */                       \
    ROW(EXPONENTS)        /* powers of two alone */                      \
    ROW(SIGNED_INTEGERS)  /* two's complement */                         \
    ROW(UNSIGNED_INTEGERS)

#define XR_NUMBER(name) XR_##name,
enum xr_order { XR_ORDERS(XR_NUMBER) XR_ORDER_COUNT };
#undef XR_NUMBER

/* What codes mean. Magnitudes from `finite` on are NaN, but the first is infinity if
 * `has_infinity`. */
struct xr_layout {
    enum xr_order order;
    int bits, mantissa, smallest_exponent;
    uint32_t finite;
    int has_infinity, has_negative_zero;
};

/* Where the bins go. */
struct xr_bins {
    double *lower, *upper, *values;
    uint64_t *counts;
    size_t capacity;
};

/* What codes turn out to be, beside their bins. */
struct xr_codes {
    uint64_t zeros, nans, positive_infinities, negative_infinities;
    double finite, pivot, sum, squares; /* a run of them all; the pivot is the middle bin's value */
};

/* Part of the numbers of a tensor, by closer keys: orders from first to last, shifted right. */
struct xr_zoom {
    int64_t first, last;
    int shift;
};

#define XR_OUTSIDE (XR_KEYS - 1) /* the key of all other numbers */

/* The names of the variants that this processor can run, the plain one first; NULL ends them. */
const char *const *xr_variants(void);

/* Use the variant of this number; -1 is the best one. To be called before the first scan, and never
 * while another thread scans. */
void xr_use_variant(int index);

/* Count the numbers of a block, which follows the one before it. Whole runs are written to `runs`,
 * and the open one too if the block `is_last`. Returns how many runs. */
size_t xr_scan(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *block,
               size_t nbytes, int is_last, struct xr_run *runs);

/* Count the wide numbers of a block by closer keys, and nothing else of them. */
void xr_look(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *block,
             size_t nbytes, const struct xr_zoom *zoom);

/* Count keys below XR_KEYS. */
void xr_count_keys(struct xr_scratch *scratch, const uint16_t *keys, size_t count);

/* Add what was counted to the totals, and empty the tables. */
void xr_flush(struct xr_scratch *scratch, struct xr_totals *totals);

/* As if nothing had been counted. */
void xr_clear(struct xr_totals *totals);

/* How many keys hold something: there are no more bins than that, for codes of 4 bits than 16. */
size_t xr_count_bins(const struct xr_totals *totals);

/* Write the bins of finite values, ascending; returns how many, at most the capacity. */
size_t xr_list_bins(const struct xr_totals *totals, const struct xr_layout *layout,
                    struct xr_bins *bins, struct xr_codes *codes);

#endif
