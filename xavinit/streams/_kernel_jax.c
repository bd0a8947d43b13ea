#include "_kernel_jax.h"
#include "_kernel_bits.h"
#include "_kernel_jax_math.h"
#include "_kernel_rounding.h"
#include "_kernel_units.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Elements made at a time: their words and values stay in the first-level cache. */
#define TILE 1024

/* --- Words ------------------------------------------------------------------------------------ */

INLINE uint32_t rotate(uint32_t word, int distance)
{
    return word << distance | word >> (32 - distance);
}

#define ROUND(distance) a += b, b = a ^ rotate(b, distance)
#define FOUR(r0, r1, r2, r3, add0, add1) \
    ROUND(r0), ROUND(r1), ROUND(r2), ROUND(r3), a += (add0), b += (add1)

/* Threefry-2x32 with 20 rounds, of an index as two words. */
INLINE void encrypt(const uint32_t key[2], uint64_t index, uint32_t *first, uint32_t *second)
{
    const uint32_t k0 = key[0], k1 = key[1], k2 = k0 ^ k1 ^ 0x1BD11BDA;
    uint32_t a = (uint32_t)(index >> 32) + k0, b = (uint32_t)index + k1;
    FOUR(13, 15, 26, 6, k1, k2 + 1);
    FOUR(17, 29, 16, 24, k2, k0 + 2);
    FOUR(13, 15, 26, 6, k0, k1 + 3);
    FOUR(17, 29, 16, 24, k1, k2 + 4);
    FOUR(13, 15, 26, 6, k2, k0 + 5);
    *first = a;
    *second = b;
}

/* --- Values ----------------------------------------------------------------------------------- */

INLINE float max_single(float low, float value)
{
    return value > low ? value : low;
}

/* Uniform on [low, low + range): what all float32 values are made of. In a loop of its own, with
 * which compilers vectorize the next. */
INLINE void make_uniform(float low, float range, const uint32_t *words, size_t count, float *out,
                         bool hard)
{
    for (size_t i = 0; i < count; i++) {
        float unit = as_float(words[i] >> 9 | 0x3F800000) - 1.0f;
        out[i] = max_single(low, fuse_single(unit, range, low, hard));
    }
}

/* The same on [low, low + 1), where (one - 1) * 1 + low became one + (low - 1). */
INLINE void make_joined(float low, const uint32_t *words, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = max_single(low, as_float(words[i] >> 9 | 0x3F800000) + (low - 1.0f));
}

INLINE void make_single(struct xv_jax_law law, const uint32_t *words, size_t count, float *out,
                        bool hard)
{
    const float first = (float)law.first, scale = (float)law.scale;
    if (law.kind == XV_JAX_UNIFORM) {
        make_uniform(first, (float)law.second - first, words, count, out, hard);
        for (size_t i = 0; i < count; i++)
            out[i] = out[i] * scale;
    } else if (law.kind == XV_JAX_JOINED) {
        make_joined(first, words, count, out);
    } else if (law.kind == XV_JAX_NORMAL) {
        /* From the number after -1 to 1, of which the difference rounds to 2. */
        make_uniform(-1.0f + 0x1p-24f, 2.0f, words, count, out, hard);
        for (size_t i = 0; i < count; i++)
            out[i] = first * xla_erf_inv(out[i], hard) * scale;
    } else {
        const float high = as_float(0x3F745A18); /* XLA's erf(2/sqrt(2)) */
        const float end = 2.0f - 0x1p-23f;       /* the number before 2 */
        make_uniform(-high, high + high, words, count, out, hard);
        for (size_t i = 0; i < count; i++) {
            float value = first * xla_erf_inv(out[i], hard);
            value = value < end ? value : end;
            out[i] = max_single(-end, value) * scale;
        }
    }
}

INLINE void make_double(struct xv_jax_law law, const uint32_t *words, const uint32_t *seconds,
                        size_t count, double *out, bool hard)
{
    const double low = law.first, range = law.second - low;
    for (size_t i = 0; i < count; i++) {
        uint64_t joined = (uint64_t)words[i] << 32 | seconds[i];
        double one = as_double(joined >> 12 | UINT64_C(0x3FF0000000000000));
        double value = law.kind == XV_JAX_JOINED ? one + (low - 1.0)
                                                 : fuse_double(one - 1.0, range, low, hard);
        out[i] = (value > low ? value : low) * law.scale;
    }
}

/* A value rounded to a half, and as float32 again. */
INLINE float round_half(float value, bool is_brain)
{
    if (is_brain)
        return as_float(round_bits(value, 16, 7, -126, true) << 16);
    uint32_t code = round_bits(value, 16, 10, -14, true), magnitude = code & 0x7FFF;
    float wide = as_float((magnitude << 13) + (UINT32_C(112) << 23));
    float small = (float)(int32_t)magnitude * 0x1p-24f;
    return as_float(float_bits(magnitude < 0x400 ? small : wide) | (code & 0x8000) << 16);
}

/* Every operation is rounded to the half: ten bits of float16, seven of bfloat16. */
INLINE void make_half(struct xv_jax_law law, const uint32_t *words, size_t count, uint16_t *out,
                      bool is_brain)
{
    const float low = (float)law.first, scale = (float)law.scale;
    const float range = round_half((float)law.second - low, is_brain);
    const float joined = round_half(low - 1.0f, is_brain);
    float values[TILE];
    for (size_t i = 0; i < count; i++) {
        float unit = is_brain ? (float)(int32_t)((words[i] & 0xFF) >> 1) * 0x1p-7f
                              : (float)(int32_t)((words[i] & 0xFFFF) >> 6) * 0x1p-10f;
        if (law.kind == XV_JAX_JOINED)
            values[i] = max_single(low, round_half(unit + 1.0f + joined, is_brain));
        else
            values[i] = round_half(round_half(unit * range, is_brain) + low, is_brain) * scale;
    }
    if (is_brain)
        round_bfloat16(values, count, out);
    else
        round_float16(values, count, out);
}

/* --- A tile: the values of `count` indices, in their order ------------------------------------ */

union tile {
    double doubles[TILE];
    float floats[TILE];
    uint16_t halves[TILE];
};

INLINE void make_words(const uint32_t key[2], const uint64_t *indices, uint64_t first, size_t count,
                       uint32_t *words, uint32_t *seconds, bool is_double)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t a, b;
        encrypt(key, indices ? indices[i] : first + i, &a, &b);
        words[i] = is_double ? a : a ^ b;
        if (is_double)
            seconds[i] = b;
    }
}

INLINE void make(struct xv_jax_law law, const uint32_t key[2], const uint64_t *indices,
                 uint64_t first, size_t count, union tile *tile, bool hard)
{
    uint32_t words[TILE], seconds[TILE];
    if (law.dtype == XV_float64) {
        make_words(key, indices, first, count, words, seconds, true);
        make_double(law, words, seconds, count, tile->doubles, hard);
        return;
    }
    make_words(key, indices, first, count, words, seconds, false);
    if (law.dtype == XV_float16)
        make_half(law, words, count, tile->halves, false);
    else if (law.dtype == XV_bfloat16)
        make_half(law, words, count, tile->halves, true);
    else
        make_single(law, words, count, tile->floats, hard);
}

/* --- Variants: the same function, compiled for each kind of processor ------------------------- */

typedef void maker(struct xv_jax_law law, const uint32_t key[2], const uint64_t *indices,
                   uint64_t first, size_t count, union tile *tile);

#define DEFINE_VARIANT(target, name, hard)                                                       \
    target static void make_##name(struct xv_jax_law law, const uint32_t key[2],                 \
                                   const uint64_t *indices, uint64_t first, size_t count,        \
                                   union tile *tile)                                             \
    {                                                                                            \
        if (indices)                                                                             \
            make(law, key, indices, 0, count, tile, hard);                                       \
        else                                                                                     \
            make(law, key, NULL, first, count, tile, hard);                                      \
    }

DEFINE_VARIANT(, plain, HARD_EVERYWHERE)
#if defined(HAS_X86)
DEFINE_VARIANT(__attribute__((target("avx2,fma"))), avx2, true)
DEFINE_VARIANT(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), avx512, true)
#endif

static maker *chosen = make_plain;

void xv_jax_use_variant(int index)
{
    int unit = choose_fused_unit(index);
    chosen = make_plain;
#if defined(HAS_X86)
    if (unit > 0)
        chosen = unit == 1 ? make_avx2 : make_avx512;
#else
    (void)unit;
#endif
}

/* --- Filling ---------------------------------------------------------------------------------- */

static void fill_run(struct xv_jax_law law, const uint32_t key[2], uint64_t first, uint64_t count,
                     char *out)
{
    union tile tile;
    const size_t size = xv_dtype_facts[law.dtype].itemsize;
    while (count) {
        size_t some = count < TILE ? (size_t)count : TILE;
        chosen(law, key, NULL, first, some, &tile);
        memcpy(out, &tile, some * size);
        first += some;
        count -= some;
        out += some * size;
    }
}

/* The values of a tile's indices to their places, counted in elements. */
static void scatter(struct xv_jax_law law, const uint32_t key[2], const uint64_t *indices,
                    const int64_t *places, size_t count, char *out)
{
    union tile tile;
    chosen(law, key, indices, 0, count, &tile);
    switch (xv_dtype_facts[law.dtype].itemsize) {
    case 8:
        for (size_t i = 0; i < count; i++)
            memcpy(out + places[i] * 8, &tile.doubles[i], 8);
        break;
    case 4:
        for (size_t i = 0; i < count; i++)
            memcpy(out + places[i] * 4, &tile.floats[i], 4);
        break;
    default:
        for (size_t i = 0; i < count; i++)
            memcpy(out + places[i] * 2, &tile.halves[i], 2);
        break;
    }
}

void xv_jax_fill(struct xv_jax_law law, const uint32_t key[2], uint64_t first,
                 const struct xv_axis *axes, int rank, char *out)
{
    struct xv_axis sorted[XV_MOST_AXES] = {{1, 1, 1}}; /* of rank 0: a single element */
    for (int axis = 0; axis < rank; axis++) {
        if (axes[axis].count == 0)
            return;
        /* Any element costs the same, so the last axis is that whose places are neighbors. */
        int at = axis;
        for (; at > 0 && llabs(sorted[at - 1].stride) < llabs(axes[axis].stride); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = axes[axis];
    }
    const struct xv_axis inner = sorted[rank ? rank - 1 : 0];
    if (rank <= 1 && inner.step == 1 && inner.stride == 1) {
        fill_run(law, key, first, inner.count, out);
        return;
    }
    uint64_t indices[TILE], index[XV_MOST_AXES] = {0};
    int64_t places[TILE], place = 0;
    size_t held = 0;
    for (;;) {
        for (uint64_t i = 0; i < inner.count; i++) {
            indices[held] = first + i * inner.step;
            places[held++] = place + (int64_t)i * inner.stride;
            if (held == TILE) {
                scatter(law, key, indices, places, held, out);
                held = 0;
            }
        }
        int axis = rank - 2;
        for (; axis >= 0; axis--) { /* on to the next position of the outer axes */
            first += sorted[axis].step;
            place += sorted[axis].stride;
            if (++index[axis] < sorted[axis].count)
                break;
            first -= sorted[axis].step * sorted[axis].count;
            place -= sorted[axis].stride * (int64_t)sorted[axis].count;
            index[axis] = 0;
        }
        if (axis < 0)
            break;
    }
    scatter(law, key, indices, places, held, out);
}
