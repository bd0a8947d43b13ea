/* The logarithm, sine and cosine of float32 as PyTorch's vectors have them, from Cephes. cephes.py
 * is the same in NumPy. `hard`: see _kernel_mt_fma.h. */
#ifndef XAVINIT_KERNEL_MT_CEPHES_H
#define XAVINIT_KERNEL_MT_CEPHES_H

#include "_kernel_mt_fma.h"

/* The logarithm of a positive number. */
INLINE float cephes_log(float x, bool hard)
{
    x = x > 0x1p-126f ? x : 0x1p-126f;
    int32_t bits = (int32_t)float_bits(x);
    float e = (float)((bits >> 23) - 127) + 1.0f;
    x = as_float((uint32_t)((bits & 0x007FFFFF) | 0x3F000000));
    float small = x < 0.707106781186547524f ? 1.0f : 0.0f;
    float again = small != 0.0f ? x : 0.0f;
    x = x - 1.0f;
    e = e - small;
    x = x + again;
    float z = x * x, y = 7.0376836292E-2f;
    y = fuse_single(y, x, -1.1514610310E-1f, hard);
    y = fuse_single(y, x, 1.1676998740E-1f, hard);
    y = fuse_single(y, x, -1.2420140846E-1f, hard);
    y = fuse_single(y, x, 1.4249322787E-1f, hard);
    y = fuse_single(y, x, -1.6668057665E-1f, hard);
    y = fuse_single(y, x, 2.0000714765E-1f, hard);
    y = fuse_single(y, x, -2.4999993993E-1f, hard);
    y = fuse_single(y, x, 3.3333331174E-1f, hard);
    y = y * x;
    y = fuse_single(y, z, e * -2.12194440e-4f, hard);
    y = y - z * 0.5f;
    return fuse_single(e, 0.693359375f, x + y, hard);
}

/* Sine and cosine of an angle from 0 to 2 pi. */
INLINE void cephes_sincos(float x, float *sine, float *cosine, bool hard)
{
    int32_t octant = ((int32_t)(x * 1.27323954473516f) + 1) & ~1; /* 4/pi */
    float y = (float)octant;
    /* pi/4 in three parts */
    x = fuse_single(y, -0.78515625f, x, hard);
    x = fuse_single(y, -2.4187564849853515625e-4f, x, hard);
    x = fuse_single(y, -3.77489497744594108e-8f, x, hard);
    float z = x * x;
    float c = fuse_single(2.443315711809948E-005f, z, -1.388731625493765E-003f, hard);
    c = fuse_single(c, z, 4.166664568298827E-002f, hard);
    c = fuse_single(c * z, z, -(z * 0.5f), hard) + 1.0f;
    float s = fuse_single(-1.9515295891E-4f, z, 8.3321608736E-3f, hard);
    s = fuse_single(s, z, -1.6666654611E-1f, hard) * z;
    s = fuse_single(s, x, x, hard);
    uint32_t swaps = (octant & 2) != 0;
    float first = swaps ? c : s, second = swaps ? s : c;
    *sine = as_float(float_bits(first) ^ ((uint32_t)(octant & 4) << 29));
    *cosine = as_float(float_bits(second) ^ ((uint32_t)(~(octant - 2) & 4) << 29));
}

#endif
