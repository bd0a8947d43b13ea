/* What the kernel can draw: one table of distributions and one of dtypes.
 *
 * All else is generated from these rows: the enums, the cases of each switch, the facts that
 * Python sees. The numbers follow the order of the rows.
 */
#ifndef XAVINIT_KERNEL_TABLES_H
#define XAVINIT_KERNEL_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XV_DISTRIBUTIONS(ROW) \
    ROW(uniform)              \
    ROW(normal)               \
    ROW(truncated_normal)

/* ROW(name, stored type, word type, mantissa, smallest exponent, has a negative zero). A word is
 * the piece of the random stream that one element takes. The mantissa counts the stored bits; the
 * smallest exponent is that of the smallest normal number. A dtype without a negative zero uses
 * that code for NaN. */
#define XV_WORKING_DTYPES(ROW)                      \
    ROW(float64, double, uint64_t, 52, -1022, true) \
    ROW(float32, float, uint32_t, 23, -126, true)

/* These are float32 values, rounded. */
#define XV_ROUNDED_DTYPES(ROW)                            \
    ROW(float16, uint16_t, uint32_t, 10, -14, true)       \
    ROW(bfloat16, uint16_t, uint32_t, 7, -126, true)      \
    ROW(float8_e4m3fn, uint8_t, uint32_t, 3, -6, true)    \
    ROW(float8_e5m2, uint8_t, uint32_t, 2, -14, true)     \
    ROW(float8_e4m3fnuz, uint8_t, uint32_t, 3, -7, false) \
    ROW(float8_e5m2fnuz, uint8_t, uint32_t, 2, -15, false)

#define XV_DTYPES(ROW)     \
    XV_WORKING_DTYPES(ROW) \
    XV_ROUNDED_DTYPES(ROW)

#define NUMBER(name) XV_##name,
enum xv_distribution { XV_DISTRIBUTIONS(NUMBER) XV_DISTRIBUTION_COUNT };
#undef NUMBER

#define NUMBER(name, stored, word, mantissa, smallest_exponent, has_negative_zero) XV_##name,
enum xv_dtype { XV_DTYPES(NUMBER) XV_DTYPE_COUNT };
#undef NUMBER

/* A row of the dtypes, to be read at run time. */
struct xv_facts {
    const char *name;
    size_t itemsize; /* bytes of an element */
    size_t wordsize; /* bytes of the random word that an element takes */
    int mantissa;
    int smallest_exponent;
    bool has_negative_zero;
};

/* Both in the order of their enum. */
extern const char *const xv_distribution_names[XV_DISTRIBUTION_COUNT];
extern const struct xv_facts xv_dtype_facts[XV_DTYPE_COUNT];

#endif
