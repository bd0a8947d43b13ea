/* XLA's inverse error function of float32 and the logarithms in it. xla_math.py is the same in
 * NumPy, and tells where they come from. `hard`: see _kernel_mt_fma.h. */
#ifndef XAVINIT_KERNEL_JAX_MATH_H
#define XAVINIT_KERNEL_JAX_MATH_H

#include "_kernel_mt_fma.h"

#include <math.h>

#define BITS(word) as_float(UINT32_C(0x##word))

/* a*b + c, where b and c are bits. */
#define STEP(a, x, word) a = fuse_single(a, x, BITS(word), hard)

/* The logarithm of a positive number, not a subnormal one. */
INLINE float xla_log(float x, bool hard)
{
    int32_t bits = (int32_t)float_bits(x);
    float half = as_float((uint32_t)((bits & 0x007FFFFF) | 0x3F000000));
    float exponent = (float)((bits >> 23) - 126);
    float small = half < BITS(3F3504F3) ? 1.0f : 0.0f;
    x = (half - 1.0f) + (small != 0.0f ? half : 0.0f);
    exponent = exponent - small;
    float square = x * x, cube = square * x;
    float a = BITS(3D9021BB), b = BITS(BDFE5D4F), c = BITS(3E4CCEAC);
    STEP(a, x, BDEBD1B8);
    STEP(a, x, 3DEF251A);
    STEP(b, x, 3E11E9BF);
    STEP(b, x, BE2AAE50);
    STEP(c, x, BE7FFFFC);
    STEP(c, x, 3EAAAAAA);
    float y = fuse_single(fuse_single(a, cube, b, hard), cube, c, hard);
    y = fuse_single(y, cube, exponent * BITS(B95E8083), hard);
    return fuse_single(exponent, BITS(3F318000), (x - square * 0.5f) + y, hard);
}

/* log(1 + t) of a number above -1. */
INLINE float xla_log1p(float t, bool hard)
{
    float top = BITS(383DE04B), bottom = t + BITS(417101AD);
    STEP(top, t, 3EFF40C5);
    STEP(top, t, 40D284FA);
    STEP(top, t, 41EF4B9C);
    STEP(top, t, 4273CC76);
    STEP(top, t, 426473AD);
    STEP(top, t, 41A05101);
    STEP(bottom, t, 42A6185B);
    STEP(bottom, t, 435DC32D);
    STEP(bottom, t, 439A8CA3);
    STEP(bottom, t, 43586D8A);
    STEP(bottom, t, 42707982);
    float square = t * t;
    float near = t + (-0.5f * square + t * square * (top / bottom));
    float far = xla_log(t + 1.0f, hard);
    return (t < 0 ? -t : t) < BITS(3ED413CD) ? near : far;
}

/* One step of both polynomials, of the middle and of the tails. */
#define EITHER(middle, tail) STEP_BOTH(value, w, is_middle ? BITS(middle) : BITS(tail))
#define STEP_BOTH(a, x, coefficient) a = fuse_single(a, x, coefficient, hard)

/* The inverse of the error function, of a number between -1 and 1. */
INLINE float xla_erf_inv(float u, bool hard)
{
    float log = xla_log1p(u * -u, hard);
    uint32_t is_middle = log > -5.0f;
    float w = is_middle ? -2.5f - log : sqrtf(-log) - 3.0f;
    float value = is_middle ? BITS(32F16588) : BITS(B951F09B);
    EITHER(34B84B36, 38D3B56B);
    EITHER(B66C7357, 3AB0DC72);
    EITHER(B6935AC1, BB70BDE7);
    EITHER(396532DB, 3BBC127B);
    EITHER(BAA45408, BBF9C5D7);
    EITHER(BB88E4EF, 3C1AA57E);
    EITHER(3E7C8F63, 3F8036DB);
    EITHER(3FC02E2F, 40354F7E);
    return u * value;
}

#undef BITS
#undef STEP
#undef EITHER
#undef STEP_BOTH

#endif
