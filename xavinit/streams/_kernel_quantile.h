/* The normal quantile Q(t), with x = 1 - t: the operations of quantile.py in their order, with its
 * coefficients. */
#ifndef XAVINIT_KERNEL_QUANTILE_H
#define XAVINIT_KERNEL_QUANTILE_H

#include "_kernel_bits.h"

#include <stdint.h>

INLINE float quantile_single(float t, float x)
{
    float y = t * (2.0f - t);
    int32_t bits = (int32_t)float_bits(y);
    int32_t k = (0x3FB504F3 - bits) >> 23; /* the bits of sqrt(2) */
    float f = as_float((uint32_t)bits + ((uint32_t)k << 23));
    float s = (1.0f - f) / (1.0f + f);
    float v = s * s;
    float l = v * 0x1.31067cp-1f + 0x1.ec5570p-1f;
    l = l * v + 0x1.71547ap+1f;
    float w = (float)k + s * l;
    float q = w * w;
    float n_odd = q * 0x1.3fae4ep-17f + 0x1.119632p-8f;
    n_odd = n_odd * q + 0x1.3da78ap-2f;
    float n_even = q * 0x1.6f4d72p-26f + 0x1.13eb78p-12f;
    n_even = n_even * q + 0x1.666070p-5f;
    n_even = n_even * q + 0x1.40d932p+0f;
    float n = n_even + w * n_odd;
    float d_odd = q * 0x1.42f500p-21f + 0x1.942f82p-11f;
    d_odd = d_odd * q + 0x1.0e85d8p-4f;
    float d_even = q * 0x1.e24a88p-15f + 0x1.10f31ep-6f;
    d_even = d_even * q + 0x1.000000p+0f;
    float d = d_even + w * d_odd;
    return x * (n / d);
}

/* y lies in (0, 1], so that k is not negative. */
INLINE double quantile_double(double t, double x)
{
    double y = t * (2.0 - t);
    uint64_t bits = double_bits(y);
    uint64_t k = (UINT64_C(0x3FF6A09E667F3BCD) - bits) >> 52; /* the bits of sqrt(2) */
    double f = as_double(bits + (k << 52));
    double s = (1.0 - f) / (1.0 + f);
    double v = s * s;
    double l = v * 0x1.b58c5e6f676a1p-3 + 0x1.c46ec6ae826fbp-3;
    l = l * v + 0x1.0ca15c96d64f7p-2;
    l = l * v + 0x1.484afb8f1581ep-2;
    l = l * v + 0x1.a61762d658436p-2;
    l = l * v + 0x1.2776c50ee3c92p-1;
    l = l * v + 0x1.ec709dc3a047bp-1;
    l = l * v + 0x1.71547652b82fep+1;
    double w = from_integer(k) + s * l;
    double q = w * w;
    double n_odd = q * 0x1.ae6a50b9b2878p-62 + 0x1.98a8dc111b7ecp-43;
    n_odd = n_odd * q + 0x1.965d5b6aaa048p-32;
    n_odd = n_odd * q + 0x1.125679b2cc9c2p-22;
    n_odd = n_odd * q + 0x1.36b9b2a439aefp-14;
    n_odd = n_odd * q + 0x1.1977c13a701a4p-7;
    n_odd = n_odd * q + 0x1.514829780ddfap-2;
    double n_even = q * 0x1.dee38368c7988p-51 + 0x1.3cd80a1705bb4p-37;
    n_even = n_even * q + 0x1.72a86e8470652p-27;
    n_even = n_even * q + 0x1.46e5d0fa6c650p-18;
    n_even = n_even * q + 0x1.d60ff050085e4p-11;
    n_even = n_even * q + 0x1.024eb0d2d2dc6p-4;
    n_even = n_even * q + 0x1.40d931ff626f7p+0;
    double n = n_even + w * n_odd;
    double d_odd = q * 0x1.d719115b85f8ap-47 + 0x1.a167f07fe0e0bp-35;
    d_odd = d_odd * q + 0x1.6867934422d05p-25;
    d_odd = d_odd * q + 0x1.e3409fe46d571p-17;
    d_odd = d_odd * q + 0x1.f38cc6ca6bc63p-10;
    d_odd = d_odd * q + 0x1.4d2a51ace066ep-4;
    double d_even = q * 0x1.999a826aaaa16p-56 + 0x1.64ab50616d603p-40;
    d_even = d_even * q + 0x1.11bdd0a221d26p-29;
    d_even = d_even * q + 0x1.3873eb10a3224p-20;
    d_even = d_even * q + 0x1.30fac6606f382p-12;
    d_even = d_even * q + 0x1.dffb23f4a22a5p-6;
    d_even = d_even * q + 0x1.0000000000000p+0;
    double d = d_even + w * d_odd;
    return x * (n / d);
}

#endif
