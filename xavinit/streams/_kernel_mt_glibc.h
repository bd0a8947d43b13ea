/* The logarithm, sine and cosine of glibc, which PyTorch calls. glibc.py is the same in NumPy, and
 * tells where each comes from. No function of a library is called. `hard`: see _kernel_mt_fma.h. */
#ifndef XAVINIT_KERNEL_MT_GLIBC_H
#define XAVINIT_KERNEL_MT_GLIBC_H

#include "_kernel_mt_fma.h"
#include "_kernel_mt_tables.h"

INLINE double absolute(double x)
{
    return as_double(double_bits(x) & UINT64_C(0x7FFFFFFFFFFFFFFF));
}

INLINE double copy_sign(double x, double sign)
{
    uint64_t top = UINT64_C(0x8000000000000000);
    return as_double((double_bits(x) & ~top) | (double_bits(sign) & top));
}

/* --- float32, in float64 and rounded once ----------------------------------------------------- */

/* Without branches, so that compilers vectorize it; at 1 the terms are zero. */
INLINE float glibc_log_single(float x)
{
    int32_t bits = (int32_t)float_bits(x), t = bits - 0x3F330000, k = t >> 23;
    int32_t row = 2 * ((t >> 19) & 15);
    const double *table = &XV_LOG_SINGLE[0][0];
    double z = (double)as_float((uint32_t)(bits - (int32_t)((uint32_t)k << 23)));
    double r = z * table[row] - 1.0, r2 = r * r;
    double y0 = table[row + 1] + (double)k * 0x1.62e42fefa39efp-1;
    double y = 0x1.5575b0be00b6ap-2 * r + -0x1.ffffef20a4123p-2;
    y = -0x1.00ea348b88334p-2 * r2 + y;
    return (float)(y * r2 + (y0 + r));
}

/* Of an angle from 0 to 2 pi. Signs are flipped and values chosen by bits: glibc's branches for
 * small angles give the same, as all 2^24 angles of a stream show. */
INLINE void glibc_sincos_single(float angle, float *sine, float *cosine)
{
    double x = (double)angle;
    int32_t n = ((int32_t)(x * 0x1.45F306DC9C883p+23) + 0x800000) >> 24;
    x = x - (double)n * 0x1.921FB54442D18p0;
    double x2 = x * x, x4 = x2 * x2, x3 = x2 * x, x5 = x3 * x2, x6 = x4 * x2;
    double c2 = x2 * 0x1.99343027bf8c3p-16 + -0x1.6c087e89a359dp-10;
    double c1 = x2 * -0x1.ffffffd0c621cp-2 + 1.0;
    double s1 = x2 * -0x1.994eb3774cf24p-13 + 0x1.1107605230bc4p-7;
    uint32_t s = float_bits((float)(x5 * s1 + (x3 * -0x1.555545995a603p-3 + x)));
    uint32_t c = float_bits((float)(x6 * c2 + (x4 * 0x1.55553e1068f19p-5 + c1)));
    uint32_t turns = (uint32_t)n, other = (s ^ c) & (0 - (turns & 1));
    *sine = as_float(s ^ other ^ (turns & 2) << 30);
    *cosine = as_float(c ^ other ^ ((turns + 1) & 2) << 30);
}

/* --- float64 ---------------------------------------------------------------------------------- */

#define FMA(a, b, c) fuse_double(a, b, c, hard)

/* Of a number from 0 to 1, not 0. */
INLINE double glibc_log(double x, bool hard)
{
    const double *b = XV_LOG_NEAR, *a = XV_LOG_FAR;
    if (x == 1.0)
        return 0.0;
    if (x >= 1.0 - 0x1p-4) {
        double r = x - 1.0, r2 = r * r, r3 = r * r2;
        double y = FMA(r3, b[10], FMA(r2, b[9], FMA(r, b[8], b[7])));
        y = FMA(r3, y, FMA(r2, b[6], FMA(r, b[5], b[4])));
        y = FMA(r3, y, FMA(r2, b[3], FMA(r, b[2], b[1])));
        double w = r * 0x1p27, high = r + w - w, low = r - high;
        w = high * high * b[0];
        double sum = r + w, rest = r - sum + w;
        rest = FMA(b[0] * low, high + r, rest);
        return FMA(r3, y, rest) + sum;
    }
    uint64_t bits = double_bits(x), t = bits - UINT64_C(0x3FE6000000000000);
    const double *row = XV_LOG_DOUBLE[(t >> 45) % 128];
    double k = (double)((int32_t)(t >> 32) >> 20);
    double z = as_double(bits - (t & UINT64_C(0xFFF0000000000000)));
    double r = FMA(z, row[0], -1.0), r2 = r * r;
    double w = FMA(k, 0x1.62e42fefa3800p-1, row[1]), sum = w + r;
    double rest = FMA(k, 0x1.ef35793c76730p-45, w - sum + r);
    double y = FMA(r2, FMA(r, a[4], a[3]), FMA(r, a[2], a[1]));
    return FMA(r * r2, y, FMA(r2, a[0], rest)) + sum;
}

/* Of a number from -1 to 0, not -1: log(1 + x). */
INLINE double glibc_log1p(double x, bool hard)
{
    const double *p = XV_LOG1P, high = 6.93147180369123816490e-01, low = 1.90821492927058770002e-10;
    uint32_t top = (uint32_t)(double_bits(x) >> 32), below = top & 0x7FFFFFFF;
    if (below < 0x3E200000) /* under 2^-29 */
        return below < 0x3C900000 ? x : x - x * x * 0.5;
    double f = x, c = 0.0, k = 0.0;
    uint32_t part = 1;
    if (below >= 0x3FD2BEC4) { /* not over -0.2929 */
        double u = 1.0 + x;
        uint64_t bits = double_bits(u);
        int32_t exponent = (int32_t)(bits >> 52) - 1023;
        c = (x - (u - 1.0)) / u;
        part = (uint32_t)(bits >> 32) & 0xFFFFF;
        uint32_t sign = part < 0x6A09E ? 0x3FF00000 : 0x3FE00000;
        f = as_double((uint64_t)(part | sign) << 32 | (bits & 0xFFFFFFFF)) - 1.0;
        if (part >= 0x6A09E) {
            exponent += 1;
            part = (0x100000 - part) >> 2;
        }
        k = (double)exponent;
    }
    double half = 0.5 * f * f;
    if (part == 0) { /* |f| under 2^-20 */
        if (f == 0.0)
            return k == 0.0 ? 0.0 : FMA(k, high, FMA(k, low, c));
        double r = half * FMA(-0.66666666666666666, f, 1.0);
        return k == 0.0 ? f - r : FMA(k, high, -((r - FMA(k, low, c)) - f));
    }
    double s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2, z6 = z4 * z2;
    double r2 = FMA(z, p[3], p[2]), r3 = FMA(z, p[5], p[4]), r4 = FMA(z, p[7], p[6]);
    double r = FMA(z6, r4, FMA(z4, r3, FMA(z, p[1], z2 * r2)));
    double q = s * (half + r);
    if (k == 0.0)
        return f - (half - q);
    return FMA(k, high, -((half - (q + FMA(k, low, c))) - f));
}

/* An angle less its quarter turns, in two parts, and how many. */
INLINE int reduce_angle(double x, double *a, double *rest, bool hard)
{
    double t = FMA(x, 0x1.45F306DC9C883p-1, 0x1.8p52), turns = t - 0x1.8p52;
    double y = FMA(-turns, -0x1.DDE973Cp-27, FMA(-turns, 0x1.921FB58p0, x));
    double t2 = FMA(-turns, -0x1.CB3B398p-55, y);
    double d = FMA(-turns, -0x1.CB3B398p-55, y - t2);
    double b = FMA(-turns, -0x1.d747f23e32ed7p-83, t2);
    *a = b;
    *rest = d + FMA(-turns, -0x1.d747f23e32ed7p-83, t2 - b);
    return (int)(double_bits(t) & 3);
}

#define SINE_3 -1.66666666666664880952546298448555E-01
#define SINE_5 8.33333214285722277379541354343671E-03
#define COSINE_2 4.99999999999999999999950396842453E-01
#define COSINE_4 -4.16666666666664434524222570944589E-02
#define COSINE_6 1.38888874007937613028114285595617E-03
#define BIG 0x1.8p45 /* adding it rounds to multiples of 1/128 */

INLINE double cosine_of(double x, double rest, bool hard)
{
    if (x < 0)
        rest = -rest;
    double u = BIG + absolute(x);
    const double *row = XV_SINCOS[double_bits(u) & 127];
    x = absolute(x) - (u - BIG) + rest;
    double xx = x * x, s = FMA(x * xx, FMA(xx, SINE_5, SINE_3), x);
    double c = xx * FMA(xx, FMA(xx, COSINE_6, COSINE_4), COSINE_2);
    return row[2] + FMA(-row[0], s, FMA(-row[2], c, FMA(-s, row[1], row[3])));
}

INLINE double sine_of(double x, double rest, bool hard)
{
    const double *p = XV_SINE;
    if (absolute(x) < 0.126) {
        double xx = x * x;
        double y = FMA(FMA(FMA(FMA(p[5], xx, p[4]), xx, p[3]), xx, p[2]), xx, p[1]);
        return x + FMA(FMA(y, x, -0.5 * rest), xx, rest);
    }
    double sign = x;
    if (x <= 0)
        rest = -rest;
    double u = BIG + absolute(x);
    const double *row = XV_SINCOS[double_bits(u) & 127];
    x = absolute(x) - (u - BIG);
    double xx = x * x, s = x + FMA(x * xx, FMA(xx, SINE_5, SINE_3), rest);
    double c = FMA(x, rest, xx * FMA(xx, FMA(xx, COSINE_6, COSINE_4), COSINE_2));
    return copy_sign(row[0] + FMA(row[2], s, FMA(-row[0], c, FMA(s, row[3], row[1]))), sign);
}

#define QUARTER 0x1.921FB54442D18p0 /* pi/2, and what it lacks */
#define QUARTER_REST 0x1.1A62633145C07p-54

/* Of an angle from 0 to 2 pi; `shift` quarter turns on: 0 is the sine, 1 the cosine. */
INLINE double turn_angle(double x, int shift, bool hard)
{
    double a, rest;
    int turns = reduce_angle(x, &a, &rest, hard) + shift;
    double value = turns & 1 ? cosine_of(a, rest, hard) : sine_of(a, rest, hard);
    return turns & 2 ? -value : value;
}

INLINE double glibc_sin(double x, bool hard)
{
    uint32_t top = (uint32_t)(double_bits(x) >> 32);
    if (top < 0x3E500000) /* 2^-26 */
        return x;
    if (top < 0x3FEB6000) /* 0.855469 */
        return sine_of(x, 0.0, hard);
    if (top < 0x400368FD) /* 2.426265 */
        return cosine_of(QUARTER - x, QUARTER_REST, hard);
    return turn_angle(x, 0, hard);
}

INLINE double glibc_cos(double x, bool hard)
{
    uint32_t top = (uint32_t)(double_bits(x) >> 32);
    if (top < 0x3E400000) /* 2^-27 */
        return 1.0;
    if (top < 0x3FEB6000)
        return cosine_of(x, 0.0, hard);
    if (top < 0x400368FD) {
        double y = QUARTER - x, a = y + QUARTER_REST;
        return sine_of(a, (y - a) + QUARTER_REST, hard);
    }
    return turn_angle(x, 1, hard);
}

#undef FMA

#endif
