#include "_kernel_tf.h"
#include "_kernel.h"
#include "_kernel_mt_glibc.h"
#include "_kernel_rounding.h"
#include "_kernel_tf_words.h"
#include "_kernel_units.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.283185307179586476925286766559
#define LEAST 1e-7 /* what TensorFlow takes the logarithm of is not less */

/* --- A dtype's own arithmetic ----------------------------------------------------------------- */

/* float32 values rounded to the dtype, as float32. */
INLINE void round_values(enum xv_dtype dtype, float *values, size_t count)
{
    uint16_t codes[TILE];
    if (dtype == XV_float16) {
        round_float16(values, count, codes);
        for (size_t i = 0; i < count; i++) {
            float magnitude = as_float((uint32_t)(codes[i] & 0x7FFF) << 13) * 0x1p112f;
            values[i] = as_float(float_bits(magnitude) | (uint32_t)(codes[i] >> 15) << 31);
        }
    } else if (dtype == XV_bfloat16) {
        round_bfloat16(values, count, codes);
        for (size_t i = 0; i < count; i++)
            values[i] = as_float((uint32_t)codes[i] << 16);
    }
}

INLINE float round_one(enum xv_dtype dtype, float value)
{
    round_values(dtype, &value, 1);
    return value;
}

/* values * scale + offset, each operation rounded to the dtype, stored. */
INLINE void scale_single(enum xv_dtype dtype, float *values, size_t count, float scale,
                         float offset, char *out)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * scale;
    round_values(dtype, values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] + offset;
    uint16_t codes[TILE];
    if (dtype == XV_float32) {
        memcpy(out, values, count * sizeof *values);
        return;
    }
    if (dtype == XV_float16)
        round_float16(values, count, codes);
    else
        round_bfloat16(values, count, codes);
    memcpy(out, codes, count * sizeof *codes);
}

INLINE void scale_double(double *values, size_t count, double scale, double offset, char *out)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * scale + offset;
    memcpy(out, values, count * sizeof *values);
}

/* --- Words -> values of the unit law ---------------------------------------------------------- */

INLINE void uniform_single(const struct words *words, size_t count, enum xv_dtype dtype,
                           float *values)
{
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 4; k++) {
            uint32_t word = words->of[k][i];
            values[4 * i + k] = dtype == XV_float32   ? unit_single(word)
                                : dtype == XV_float16 ? (float)(int32_t)(word & 0x3FF) * 0x1p-10f
                                                      : (float)(int32_t)(word & 0x7F) * 0x1p-7f;
        }
}

INLINE void uniform_double(const struct words *words, size_t count, double *values)
{
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            values[2 * i + k] = unit_double(words->of[2 * k][i], words->of[2 * k + 1][i]);
}

/* Box and Muller (1958): a pair of words gives a pair of normals, the sine first. */
INLINE void normal_single(const struct words *words, size_t count, float *values)
{
    float radius[BLOCKS], sines[BLOCKS], cosines[BLOCKS];
    for (int k = 0; k < 4; k += 2) {
        for (size_t i = 0; i < count; i++) {
            float u = unit_single(words->of[k][i]);
            u = u < (float)LEAST ? (float)LEAST : u;
            radius[i] = sqrtf(-2.0f * glibc_log_single(u));
        }
        for (size_t i = 0; i < count; i++) {
            double angle = TWO_PI * (double)unit_single(words->of[k + 1][i]);
            glibc_sincos_single((float)angle, &sines[i], &cosines[i]);
        }
        for (size_t i = 0; i < count; i++) {
            values[4 * i + k] = sines[i] * radius[i];
            values[4 * i + k + 1] = cosines[i] * radius[i];
        }
    }
}

INLINE void normal_double(const struct words *words, size_t count, double *values, bool hard)
{
    for (size_t i = 0; i < count; i++) {
        double u = unit_double(words->of[0][i], words->of[1][i]);
        double angle = TWO_PI * unit_double(words->of[2][i], words->of[3][i]);
        double radius = sqrt(-2.0 * glibc_log(u < LEAST ? LEAST : u, hard));
        values[2 * i] = glibc_sin(angle, hard) * radius;
        values[2 * i + 1] = glibc_cos(angle, hard) * radius;
    }
}

/* Normals within two stds: each group of as many as a block gives is filled from blocks of its own,
 * which begin 256 (float64: 128) apart for each group. Of six groups, five need no second block. */
#define DEFINE_TRUNCATED(name, real, each, apart, MAKE)                                          \
    INLINE void truncated_##name(const uint32_t key[4], uint64_t first, size_t count,            \
                                 real *values, bool hard)                                        \
    {                                                                                            \
        struct words words;                                                                      \
        real made[(each) * BLOCKS];                                                              \
        uint16_t open[BLOCKS + 1];                                                               \
        uint8_t have[BLOCKS], whole[BLOCKS];                                                     \
        size_t left = 0;                                                                         \
        for (size_t i = 0; i < count; i++) {                                                     \
            words.of[0][i] = (uint32_t)((first + i) * (apart));                                  \
            words.of[1][i] = (uint32_t)((first + i) * (apart) >> 32);                            \
        }                                                                                        \
        cipher(key, count, &words);                                                              \
        MAKE(&words, count, values);                                                             \
        for (size_t i = 0; i < count; i++) {                                                     \
            whole[i] = 1;                                                                        \
            for (size_t k = 0; k < (each); k++)                                                  \
                whole[i] &= (uint8_t)((values[(each) * i + k] > -2) &                            \
                                      (values[(each) * i + k] < 2));                             \
        }                                                                                        \
        for (size_t i = 0; i < count; i++) {                                                     \
            open[left] = (uint16_t)i;                                                            \
            left += !whole[i];                                                                   \
        }                                                                                        \
        for (size_t i = 0; i < left; i++) { /* what lies within goes to the front */             \
            real *group = values + (each) * open[i];                                             \
            size_t n = 0;                                                                        \
            for (size_t k = 0; k < (each); k++) {                                                \
                group[n] = group[k];                                                             \
                n += (group[n] > -2) & (group[n] < 2);                                           \
            }                                                                                    \
            have[open[i]] = (uint8_t)n;                                                          \
        }                                                                                        \
        for (uint64_t block = 1; left > 0; block++) {                                            \
            count = left;                                                                        \
            for (size_t i = 0; i < count; i++) {                                                 \
                uint64_t counter = (first + open[i]) * (apart) + block;                          \
                words.of[0][i] = (uint32_t)counter;                                              \
                words.of[1][i] = (uint32_t)(counter >> 32);                                      \
            }                                                                                    \
            cipher(key, count, &words);                                                          \
            MAKE(&words, count, made);                                                           \
            left = 0;                                                                            \
            for (size_t i = 0; i < count; i++) {                                                 \
                const size_t group = open[i];                                                    \
                size_t n = have[group];                                                          \
                for (size_t k = 0; k < (each); k++) {                                            \
                    real value = made[(each) * i + k];                                           \
                    if (n < (each) && value > -2 && value < 2)                                   \
                        values[(each) * group + n++] = value;                                    \
                }                                                                                \
                have[group] = (uint8_t)n;                                                        \
                open[left] = (uint16_t)group;                                                    \
                left += n < (each);                                                              \
            }                                                                                    \
        }                                                                                        \
        (void)hard;                                                                              \
    }
#define MAKE_DOUBLE(words, count, values) normal_double(words, count, values, hard)
DEFINE_TRUNCATED(single, float, 4, 256, normal_single)
DEFINE_TRUNCATED(double, double, 2, 128, MAKE_DOUBLE)

/* --- Tiles ------------------------------------------------------------------------------------ */

INLINE void fill(struct xv_tf_law law, const uint32_t key[4], uint64_t start, size_t count,
                 char *out, bool hard)
{
    const enum xv_dtype dtype = law.dtype;
    const bool is_double = dtype == XV_float64, is_uniform = law.kind == XV_TF_UNIFORM;
    const size_t each = is_double ? 2 : 4, itemsize = xv_dtype_facts[dtype].itemsize;
    union {
        float single[TILE];
        double two[TILE / 2];
    } values;
    struct words words;
    /* The ends of a uniform law pass through float32, also those of float64. */
    float first = round_one(dtype, (float)law.first), second = round_one(dtype, (float)law.second);
    float scale = is_uniform ? round_one(dtype, second - first) : second;
    double wide = is_uniform ? (double)second - (double)first : law.second;
    while (count > 0) {
        size_t skipped = (size_t)(start % each), some = each * BLOCKS - skipped;
        if (some > count)
            some = count;
        size_t blocks = (skipped + some + each - 1) / each;
        uint64_t block = start / each;
        if (law.kind != XV_TF_TRUNCATED)
            draw(key, block, blocks, &words);
        if (is_double) {
            if (is_uniform)
                uniform_double(&words, blocks, values.two);
            else if (law.kind == XV_TF_NORMAL)
                normal_double(&words, blocks, values.two, hard);
            else
                truncated_double(key, block, blocks, values.two, hard);
            scale_double(values.two + skipped, some, wide, is_uniform ? (double)first : law.first,
                         out);
        } else {
            if (is_uniform)
                uniform_single(&words, blocks, dtype, values.single);
            else if (law.kind == XV_TF_NORMAL)
                normal_single(&words, blocks, values.single);
            else
                truncated_single(key, block, blocks, values.single, hard);
            if (!is_uniform)
                round_values(dtype, values.single + skipped, some);
            scale_single(dtype, values.single + skipped, some, scale, first, out);
        }
        start += some;
        count -= some;
        out += some * itemsize;
    }
}

/* --- Variants: the same function, compiled for each kind of processor -------------------------- */

#define DEFINE_VARIANT(target, name, hard)                                                       \
    target static void fill_##name(struct xv_tf_law law, const uint32_t key[4], uint64_t start,  \
                                   size_t count, char *out)                                      \
    {                                                                                            \
        fill(law, key, start, count, out, hard);                                                 \
    }

DEFINE_VARIANT(, plain, HARD_EVERYWHERE)
#if defined(HAS_X86)
DEFINE_VARIANT(__attribute__((target("avx2,fma"))), avx2, true)
DEFINE_VARIANT(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), avx512, true)
#endif

static void (*chosen)(struct xv_tf_law, const uint32_t[4], uint64_t, size_t, char *) = fill_plain;

void xv_tf_use_variant(int index)
{
    int unit = choose_fused_unit(index);
    chosen = fill_plain;
#if defined(HAS_X86)
    if (unit > 0)
        chosen = unit == 1 ? fill_avx2 : fill_avx512;
#else
    (void)unit;
#endif
}

void xv_tf_fill(struct xv_tf_law law, const uint32_t key[4], uint64_t start, size_t count,
                char *out)
{
    chosen(law, key, start, count, out);
}
