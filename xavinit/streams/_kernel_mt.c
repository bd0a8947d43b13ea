#include "_kernel_mt.h"
#include "_kernel.h"
#include "_kernel_bits.h"
#include "_kernel_mt_cephes.h"
#include "_kernel_mt_glibc.h"
#include "_kernel_mt_words.h"
#include "_kernel_rounding.h"
#include "_kernel_units.h"

#include <math.h>
#include <string.h>

/* Elements made at a time: words and values stay in the first-level cache. */
#define TILE 2048
#define TWO_PI 6.283185307179586476925286766559

union tile {
    float single[TILE];
    double two[TILE];
};

/* 53 bits of two words, the first word high. */
INLINE double join_words(uint32_t high, uint32_t low)
{
    return (double)(int64_t)(((uint64_t)(high & 0x1FFFFF) << 32) | low) * 0x1p-53;
}

INLINE float read_word(uint32_t word)
{
    return (float)(int32_t)(word & 0xFFFFFF) * 0x1p-24f;
}

/* float32 values as the dtype has them. */
INLINE void store(enum xv_dtype dtype, const float *values, size_t count, char *out)
{
    uint16_t rounded[TILE];
    if (dtype == XV_float32) {
        memcpy(out, values, count * sizeof *values);
        return;
    }
    if (dtype == XV_float16)
        round_float16(values, count, rounded);
    else
        round_bfloat16(values, count, rounded);
    memcpy(out, rounded, count * sizeof *rounded);
}

/* --- Uniform ---------------------------------------------------------------------------------- */

INLINE void uniform_single(const uint32_t *words, struct xv_mt_law law, size_t count, char *out,
                           bool hard)
{
    const float low = (float)law.first, high = (float)law.second, range = high - low;
    float values[TILE];
    if (law.fused)
        for (size_t i = 0; i < count; i++)
            values[i] = fuse_single(read_word(words[i]), range, low, hard);
    else
        for (size_t i = 0; i < count; i++)
            values[i] = read_word(words[i]) * range + low;
    if (law.dtype == XV_float32) {
        for (size_t i = 0; i < count; i++)
            values[i] = values[i] == high ? low : values[i];
        memcpy(out, values, count * sizeof *values);
        return;
    }
    /* What is rounded to the end of the range becomes its beginning. */
    uint16_t ends[2], rounded[TILE];
    const float bounds[2] = {low, high};
    store(law.dtype, bounds, 2, (char *)ends);
    store(law.dtype, values, count, (char *)rounded);
    const uint16_t zeros = ends[1] & 0x7FFF ? 0 : 0x8000; /* +0 is -0 */
    for (size_t i = 0; i < count; i++)
        rounded[i] = (rounded[i] | zeros) == (ends[1] | zeros) ? ends[0] : rounded[i];
    memcpy(out, rounded, count * sizeof *rounded);
}

INLINE void uniform_double(const uint32_t *words, struct xv_mt_law law, size_t count, char *out,
                           bool hard)
{
    const double low = law.first, high = law.second, range = high - low;
    double values[TILE / 2];
    for (size_t i = 0; i < count; i++) {
        double x = join_words(words[2 * i], words[2 * i + 1]);
        double value = law.fused ? fuse_double(x, range, low, hard) : x * range + low;
        values[i] = value == high ? low : value;
    }
    memcpy(out, values, count * sizeof *values);
}

/* --- Normal ----------------------------------------------------------------------------------- */

/* Box and Muller (1958): of 16 numbers, the first eight give the radius, the others the angle; the
 * cosines go to the places of the first. The last step is fused on every processor. */
INLINE void normal_single(const uint32_t *words, struct xv_mt_law law, size_t count, char *out,
                          bool hard)
{
    const float mean = (float)law.first, std = (float)law.second;
    float first[TILE / 2], second[TILE / 2], values[TILE];
    size_t half = count / 2;
    for (size_t i = 0; i < half; i += 8)
        for (size_t j = 0; j < 8; j++) {
            first[i + j] = 1.0f - read_word(words[2 * i + j]);
            second[i + j] = read_word(words[2 * i + 8 + j]);
        }
    if (law.fused)
        for (size_t i = 0; i < half; i++) {
            float radius = sqrtf(-2.0f * cephes_log(first[i], hard)), sine, cosine;
            cephes_sincos((float)TWO_PI * second[i], &sine, &cosine, hard);
            first[i] = fuse_single(radius * cosine, std, mean, hard);
            second[i] = fuse_single(radius * sine, std, mean, hard);
        }
    else
        for (size_t i = 0; i < half; i++) {
            float radius = sqrtf(-2.0f * glibc_log_single(first[i])), sine, cosine;
            glibc_sincos_single((float)(TWO_PI * (double)second[i]), &sine, &cosine);
            first[i] = fuse_single(radius * cosine, std, mean, hard);
            second[i] = fuse_single(radius * sine, std, mean, hard);
        }
    for (size_t i = 0; i < half; i += 8)
        for (size_t j = 0; j < 8; j++) {
            values[2 * i + j] = first[i + j];
            values[2 * i + 8 + j] = second[i + j];
        }
    store(law.dtype, values, count, out);
}

INLINE void normal_double(const uint32_t *words, struct xv_mt_law law, size_t count, char *out,
                          bool hard)
{
    double values[TILE / 2];
    for (size_t i = 0; i < count; i += 16)
        for (size_t j = i; j < i + 8; j++) {
            double u = 1.0 - join_words(words[2 * j], words[2 * j + 1]);
            double angle = TWO_PI * join_words(words[2 * j + 16], words[2 * j + 17]);
            double radius = sqrt(-2.0 * glibc_log(u, hard));
            values[j] = fuse_double(radius * glibc_cos(angle, hard), law.second, law.first, hard);
            values[j + 8] =
                fuse_double(radius * glibc_sin(angle, hard), law.second, law.first, hard);
        }
    memcpy(out, values, count * sizeof *values);
}

/* A value of a small tensor, and the other of the pair, which is kept. */
INLINE double draw_kept(struct xv_mt *state, bool hard)
{
    if (state->has_kept) {
        state->has_kept = 0;
        double value = state->kept;
        state->kept = 0.0;
        return value;
    }
    uint32_t words[4];
    xv_mt_draw(state, 4, words);
    temper(words, 4);
    double angle = TWO_PI * join_words(words[0], words[1]);
    double radius = sqrt(-2.0 * glibc_log1p(-join_words(words[2], words[3]), hard));
    state->kept = radius * glibc_sin(angle, hard);
    state->has_kept = 1;
    return radius * glibc_cos(angle, hard);
}

INLINE void normal_pairs(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out,
                         bool hard)
{
    for (size_t i = 0; i < count; i++) {
        double value = draw_kept(state, hard);
        value = law.fused ? fuse_double(value, law.second, law.first, hard)
                          : value * law.second + law.first;
        if (law.dtype == XV_float64) {
            memcpy(out + i * sizeof value, &value, sizeof value);
        } else {
            float single = (float)value;
            store(law.dtype, &single, 1, out + i * xv_dtype_facts[law.dtype].itemsize);
        }
    }
}

/* --- Tiles ------------------------------------------------------------------------------------ */

INLINE void fill(struct xv_mt *state, struct xv_mt_law law, bool is_normal, size_t count,
                 char *out, bool hard)
{
    uint32_t words[TILE];
    bool is_double = law.dtype == XV_float64;
    size_t most = is_double ? TILE / 2 : TILE, itemsize = xv_dtype_facts[law.dtype].itemsize;
    for (size_t done = 0; done < count;) {
        size_t part = count - done < most ? count - done : most, read = is_double ? 2 * part : part;
        xv_mt_draw(state, read, words);
        temper(words, read);
        if (is_normal && is_double)
            normal_double(words, law, part, out, hard);
        else if (is_normal)
            normal_single(words, law, part, out, hard);
        else if (is_double)
            uniform_double(words, law, part, out, hard);
        else
            uniform_single(words, law, part, out, hard);
        out += part * itemsize;
        done += part;
    }
}

INLINE void evaluate(int function, const char *values, size_t count, char *out, bool hard)
{
    for (size_t i = 0; i < count; i++) {
        double x, y = 0;
        float single, sine, cosine;
        if (function < 4) {
            memcpy(&x, values + 8 * i, 8);
            y = function == 0   ? glibc_log(x, hard)
                : function == 1 ? glibc_log1p(x, hard)
                : function == 2 ? glibc_sin(x, hard)
                                : glibc_cos(x, hard);
            memcpy(out + 8 * i, &y, 8);
            continue;
        }
        memcpy(&single, values + 4 * i, 4);
        if (function < 7)
            glibc_sincos_single(single, &sine, &cosine);
        else
            cephes_sincos(single, &sine, &cosine, hard);
        if (function == 4)
            single = glibc_log_single(single);
        else if (function == 7)
            single = cephes_log(single, hard);
        else
            single = function == 5 || function == 8 ? sine : cosine;
        memcpy(out + 4 * i, &single, 4);
    }
}

/* --- Variants: the same functions, compiled for each kind of processor ------------------------ */

#define DEFINE_VARIANT(target, name, hard)                                                       \
    target static void fill_##name(struct xv_mt *state, struct xv_mt_law law, bool is_normal,    \
                                   size_t count, char *out)                                      \
    {                                                                                            \
        fill(state, law, is_normal, count, out, hard);                                           \
    }                                                                                            \
    target static void pairs_##name(struct xv_mt *state, struct xv_mt_law law, size_t count,     \
                                    char *out)                                                   \
    {                                                                                            \
        normal_pairs(state, law, count, out, hard);                                              \
    }                                                                                            \
    target static void evaluate_##name(int function, const char *values, size_t count, char *out) \
    {                                                                                            \
        evaluate(function, values, count, out, hard);                                            \
    }

DEFINE_VARIANT(, plain, HARD_EVERYWHERE)
#if defined(HAS_X86)
DEFINE_VARIANT(__attribute__((target("avx2,fma"))), avx2, true)
DEFINE_VARIANT(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), avx512, true)
#endif

struct variant {
    void (*fill)(struct xv_mt *, struct xv_mt_law, bool, size_t, char *);
    void (*pairs)(struct xv_mt *, struct xv_mt_law, size_t, char *);
    void (*evaluate)(int, const char *, size_t, char *);
};

static struct variant chosen = {fill_plain, pairs_plain, evaluate_plain};

void xv_mt_use_variant(int index)
{
    int unit = choose_fused_unit(index);
    chosen = (struct variant){fill_plain, pairs_plain, evaluate_plain};
    xv_mt_step = xv_mt_step_plain;
#if defined(HAS_X86)
    if (unit == 0)
        return;
    xv_mt_step = xv_mt_step_avx2;
    chosen = unit == 1 ? (struct variant){fill_avx2, pairs_avx2, evaluate_avx2}
                       : (struct variant){fill_avx512, pairs_avx512, evaluate_avx512};
#else
    (void)unit;
#endif
}

void xv_mt_uniform(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out)
{
    chosen.fill(state, law, false, count, out);
}

void xv_mt_normal(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out)
{
    chosen.fill(state, law, true, count, out);
}

void xv_mt_normal_pairs(struct xv_mt *state, struct xv_mt_law law, size_t count, char *out)
{
    chosen.pairs(state, law, count, out);
}

void xv_mt_evaluate(int function, const char *values, size_t count, char *out)
{
    chosen.evaluate(function, values, count, out);
}
