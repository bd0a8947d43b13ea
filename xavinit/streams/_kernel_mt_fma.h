/* a*b + c with one rounding: `hard` by the processor's instruction, else by exact arithmetic. The
 * bits are the same. fused.py tells why. */
#ifndef XAVINIT_KERNEL_MT_FMA_H
#define XAVINIT_KERNEL_MT_FMA_H

#include "_kernel_bits.h"
#include "_kernel_units.h"

#include <stdbool.h>
#include <stdint.h>

/* Never a call of the mathematical library: `hard` is a constant, and true only in functions that
 * are compiled for processors with the instruction. */
#if defined(HAS_X86) || (defined(__aarch64__) && defined(__GNUC__))
#define HARD_FMA(type, hard, a, b, c) \
    if (hard)                         \
    return __builtin_fma##type(a, b, c)
#else
#define HARD_FMA(type, hard, a, b, c) (void)(hard)
#endif

/* a + b, rounded to odd: a result that is not exact has its last bit set, so that rounding it once
 * more, to fewer digits, gives what one rounding would have. */
INLINE double add_odd(double a, double b)
{
    double sum = a + b, part = sum - a, error = (a - (sum - part)) + (b - part);
    uint64_t bits = double_bits(sum), step = (error > 0) == (sum > 0) ? 1 : UINT64_MAX;
    return as_double(error != 0 && !(bits & 1) ? bits + step : bits);
}

INLINE float fuse_single(float a, float b, float c, bool hard)
{
    HARD_FMA(f, hard, a, b, c);
    return (float)add_odd((double)a * (double)b, (double)c);
}

INLINE double fuse_double(double a, double b, double c, bool hard)
{
    HARD_FMA(, hard, a, b, c);
    double product = a * b;
    double a1 = 0x1.000002p27 * a, a2 = 0x1.000002p27 * b; /* Veltkamp's split: 2^27 + 1 */
    double ah = a1 - (a1 - a), al = a - ah, bh = a2 - (a2 - b), bl = b - bh;
    double error = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
    double sum = product + c, part = sum - product;
    double left = (product - (sum - part)) + (c - part);
    return sum + add_odd(left, error);
}

#endif
