/* Smaller floats: float32 values rounded once, to nearest even, as rounding.py does it. */
#ifndef XAVINIT_KERNEL_ROUNDING_H
#define XAVINIT_KERNEL_ROUNDING_H

#include "_kernel_bits.h"
#include "_kernel_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code of a finite value within the range of a dtype; the rest is the dtype's row. */
INLINE uint32_t round_bits(float value, int width, int mantissa, int smallest_exponent,
                           bool has_negative_zero)
{
    uint32_t bits = float_bits(value), magnitude = bits & 0x7FFFFFFF;
    int dropped = 23 - mantissa;
    uint32_t last = (magnitude >> dropped) & 1;
    uint32_t code = (magnitude + last + ((UINT32_C(1) << (dropped - 1)) - 1)) >> dropped;
    if (smallest_exponent != -126) {
        code -= (uint32_t)(smallest_exponent + 126) << mantissa;
        /* Subnormal results. `magic` is the power of two whose last bit is worth the smallest
         * subnormal, so that the addition itself rounds to a multiple of that. */
        float magic = as_float((uint32_t)(smallest_exponent - mantissa + 23 + 127) << 23);
        uint32_t small = float_bits(as_float(magnitude) + magic) - float_bits(magic);
        code = magnitude < (uint32_t)(smallest_exponent + 127) << 23 ? small : code;
    }
    uint32_t sign = (bits >> 31) << (width - 1);
    if (!has_negative_zero)
        sign = code ? sign : 0;
    return code | sign;
}

#define DEFINE_ROUNDING(name, stored, word, mantissa, smallest_exponent, has_negative_zero)       \
    INLINE void round_##name(const float *restrict values, size_t count, stored *restrict out)   \
    {                                                                                            \
        for (size_t i = 0; i < count; i++)                                                       \
            out[i] = (stored)round_bits(values[i], 8 * (int)sizeof(stored), mantissa,            \
                                        smallest_exponent, has_negative_zero);                   \
    }
XV_ROUNDED_DTYPES(DEFINE_ROUNDING)
#undef DEFINE_ROUNDING

#endif
