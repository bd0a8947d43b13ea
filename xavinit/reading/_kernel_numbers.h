/* Wide numbers: a tile of them -> keys, extremes and sums. */
#ifndef XAVINIT_READING_KERNEL_NUMBERS_H
#define XAVINIT_READING_KERNEL_NUMBERS_H

#include "_kernel.h"

/* Write the keys of at most XR_TILE numbers, and add them to the facts. Returns how many are
 * finite. */
typedef size_t xr_measurer(enum xr_kind kind, const unsigned char *numbers, size_t count,
                           uint16_t *keys, struct xr_facts *facts);

/* Add the sums of numbers, the first of which goes into lane 0 if `lane` is 0, and so on. */
typedef void xr_adder(enum xr_kind kind, const unsigned char *numbers, size_t count, size_t lane,
                      double pivot, double lanes[XR_SUMS][XR_LANES]);

struct xr_variant {
    const char *name;
    xr_measurer *measure;
    xr_adder *add; /* if all of the numbers are finite */
};

extern struct xr_variant xr_chosen;

/* The same sums where some numbers are not finite: these are left out. */
xr_adder xr_add_finite;

/* The place of the first finite number, or count. */
size_t xr_find_finite(enum xr_kind kind, const unsigned char *numbers, size_t count);

/* A number as a float64, rounded to nearest. */
double xr_load(enum xr_kind kind, const unsigned char *numbers, size_t place);

#endif
