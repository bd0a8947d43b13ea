#include "_kernel_laws.h"
#include "_kernel_bits.h"
#include "_kernel_quantile.h"
#include "_kernel_rounding.h"
#include "_kernel_units.h"

#include <stdbool.h>
#include <stdint.h>

/* A normal cut at +-2: the probability of lying beyond, erfc(sqrt(2)), and within, erf(sqrt(2)). */
#define ALPHA 0.045500263896358414
#define BETA 0.95449973610364159

/* --- A word to a value, in each working precision --------------------------------------------- */

INLINE float uniform_single(uint32_t word, float bound)
{
    int32_t s = (int32_t)word >> 8;
    return ((float)s + 0.5f) * 0x1p-23f * bound;
}

INLINE float sample_normal_single(uint32_t word, float std, bool truncated)
{
    int32_t m = (int32_t)(word & 0x7FFFFFFF);
    float t = ((float)m + 0.5f) * 0x1p-31f;
    float x = ((float)(m ^ 0x7FFFFFFF) + 0.5f) * 0x1p-31f;
    if (truncated) {
        x = x * (float)BETA;
        t = t * (float)BETA + (float)ALPHA;
    }
    float z = quantile_single(t, x);
    if (truncated)
        z = z < 2.0f ? z : 2.0f;
    return as_float(float_bits(z * std) | (word & 0x80000000));
}

INLINE float normal_single(uint32_t word, float std)
{
    return sample_normal_single(word, std, false);
}

INLINE float truncated_normal_single(uint32_t word, float std)
{
    return sample_normal_single(word, std, true);
}

INLINE double uniform_double(uint64_t word, double bound)
{
    /* The upper 53 bits as a signed integer: as an unsigned one less 2^52, both exact. */
    double s = from_integer((word ^ UINT64_C(0x8000000000000000)) >> 11) - 0x1p52;
    return (s + 0.5) * 0x1p-52 * bound;
}

INLINE double sample_normal_double(uint64_t word, double std, bool truncated)
{
    uint64_t m = word & UINT64_C(0x7FFFFFFFFFFFFFFF);
    double t = (from_integer(m) + 0.5) * 0x1p-63;
    double x = (from_integer(m ^ UINT64_C(0x7FFFFFFFFFFFFFFF)) + 0.5) * 0x1p-63;
    if (truncated) {
        x = x * BETA;
        t = t * BETA + ALPHA;
    }
    double z = quantile_double(t, x);
    if (truncated)
        z = z < 2.0 ? z : 2.0;
    return as_double(double_bits(z * std) | (word & UINT64_C(0x8000000000000000)));
}

INLINE double normal_double(uint64_t word, double std)
{
    return sample_normal_double(word, std, false);
}

INLINE double truncated_normal_double(uint64_t word, double std)
{
    return sample_normal_double(word, std, true);
}

/* --- Many words: the loops that the compiler vectorizes --------------------------------------- */

#define SAMPLE_CASE(name, precision)                                                             \
    case XV_##name:                                                                              \
        for (size_t i = 0; i < count; i++)                                                       \
            out[i] = name##_##precision(words[i], scale);                                        \
        break;
#define SINGLE_CASE(name) SAMPLE_CASE(name, single)
#define DOUBLE_CASE(name) SAMPLE_CASE(name, double)

INLINE void sample_single(enum xv_distribution distribution, float scale,
                          const uint32_t *restrict words, size_t count, float *restrict out)
{
    switch (distribution) {
        XV_DISTRIBUTIONS(SINGLE_CASE)
    default:
        break;
    }
}

INLINE void sample_double(enum xv_distribution distribution, double scale,
                          const uint64_t *restrict words, size_t count, double *restrict out)
{
    switch (distribution) {
        XV_DISTRIBUTIONS(DOUBLE_CASE)
    default:
        break;
    }
}

INLINE void sample(struct xv_law law, const void *words, size_t count, void *out)
{
    if (law.dtype == XV_float64) {
        sample_double(law.distribution, law.scale, words, count, out);
        return;
    }
    if (law.dtype == XV_float32) {
        sample_single(law.distribution, (float)law.scale, words, count, out);
        return;
    }
    float values[TILE];
    sample_single(law.distribution, (float)law.scale, words, count, values);
#define ROUND_CASE(name, ...)                                                                    \
    case XV_##name:                                                                              \
        round_##name(values, count, out);                                                        \
        break;
    switch (law.dtype) {
        XV_ROUNDED_DTYPES(ROUND_CASE)
    default:
        break;
    }
}

/* --- Variants: the same functions, compiled for each kind of vector unit ---------------------- */

static void sample_plain(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}

#if defined(HAS_X86)
AVX2 static void sample_avx2(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}

AVX512 static void sample_avx512(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}
#endif

/* From the one that every processor can run to the best one. */
static const struct xv_variant VARIANTS[] = {
    {"plain", xv_draw_plain, sample_plain},
#if defined(HAS_X86)
    {"avx2", xv_draw_avx2, sample_avx2},
    {"avx512", xv_draw_avx2, sample_avx512},
#endif
};
#define MOST_VARIANTS (sizeof VARIANTS / sizeof *VARIANTS)

struct xv_variant xv_chosen;

const char *const *xv_variants(void)
{
    static const char *names[MOST_VARIANTS + 1];
    for (size_t i = 0; i < count_units(); i++)
        names[i] = VARIANTS[i].name;
    return names;
}

void xv_use_variant(int index)
{
    xv_chosen = VARIANTS[index < 0 ? count_units() - 1 : (size_t)index];
}
