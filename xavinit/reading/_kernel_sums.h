/* The sums of a run: one number into its lane. */
#ifndef XAVINIT_READING_KERNEL_SUMS_H
#define XAVINIT_READING_KERNEL_SUMS_H

#include "../streams/_kernel_bits.h"
#include "_kernel.h"

enum { SUM, SQUARES, SMALL_SQUARES, LARGE_SUM, LARGE_SQUARES };

INLINE void add_unscaled(double value, double pivot, size_t lane, double sums[XR_SUMS][XR_LANES])
{
    double d = value - pivot;
    sums[SUM][lane] += d;
    sums[SQUARES][lane] += d * d;
}

/* No square overflows, or vanishes, where the root of their sum can be a float64. */
INLINE void add_scaled(double value, double pivot, size_t lane, double sums[XR_SUMS][XR_LANES])
{
    double d = value - pivot; /* infinite, at worst */
    int is_large = d >= 0x1p500 || d <= -0x1p500;
    int is_small = d < 0x1p-500 && d > -0x1p-500;
    double large = is_large ? value * 0x1p-600 - pivot * 0x1p-600 : 0.0;
    double small = is_small ? d * 0x1p600 : 0.0;
    d = is_large ? 0.0 : d;
    double middle = is_small ? 0.0 : d;
    sums[SUM][lane] += d;
    sums[SQUARES][lane] += middle * middle;
    sums[SMALL_SQUARES][lane] += small * small;
    sums[LARGE_SUM][lane] += large;
    sums[LARGE_SQUARES][lane] += large * large;
}

#endif
