/* What the compiler must promise for the contract's arithmetic, and floats as their bits. */
#ifndef XAVINIT_KERNEL_BITS_H
#define XAVINIT_KERNEL_BITS_H

#include <float.h>
#include <stdint.h>
#include <string.h>

/* Where one of these fails there is no kernel, and the package runs on NumPy, which gives the same
 * numbers. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernel is written for little-endian machines"
#endif
#if !defined(FLT_EVAL_METHOD) || FLT_EVAL_METHOD != 0
#error "every operation must round to its own type"
#endif
#if defined(__FAST_MATH__)
#error "the contract needs each operation as it is written"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* For functions that each variant compiles into itself, with its own vector instructions. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

INLINE float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A 63-bit integer as a double, rounded once. A plain cast would need an instruction that only the
 * newest vector units have. Both differences are exact: each is a power of two, with half of the
 * integer in its last bits, less that power. */
INLINE double from_integer(uint64_t integer)
{
    double high = as_double(UINT64_C(0x4530000000000000) | integer >> 32) - 0x1p84;
    double low = as_double(UINT64_C(0x4330000000000000) | (integer & 0xFFFFFFFF)) - 0x1p52;
    return high + low;
}

#endif
