#include "_kernel.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>

/* What the arithmetic below takes for granted. A build that fails here leaves the package with its
 * NumPy form, which gives the same numbers. */
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

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Elements drawn at a time: their words and their values stay in the first-level cache. */
#define TILE 2048
#define BLOCK_BYTES 32 /* of four words, which Philox gives at a time */

/* --- Words: Philox4x64-10 ------------------------------------------------------------------ */

INLINE uint64_t multiply(uint64_t a, uint64_t b, uint64_t *high)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (uint32_t)middle;
    *high = a1 * b1 + (middle >> 32) + (other >> 32);
    return a * b;
#endif
}

/* Salmon et al. (2011), table 2: multipliers, and what a round adds to the key. */
static const uint64_t M0 = UINT64_C(0xD2E7470EE14C6C93), M1 = UINT64_C(0xCA5A826395121157);
static const uint64_t W0 = UINT64_C(0x9E3779B97F4A7C15), W1 = UINT64_C(0xBB67AE8584CAA73B);

#define ROUNDS 10
#if defined(__GNUC__)
#define UNROLLED _Pragma("GCC unroll 10")
#else
#define UNROLLED
#endif

struct counter {
    uint64_t c0, c1, c2, c3;
};

INLINE void step(struct counter *c, uint64_t k0, uint64_t k1)
{
    uint64_t high0, high1;
    uint64_t low0 = multiply(M0, c->c0, &high0), low1 = multiply(M1, c->c2, &high1);
    *c = (struct counter){high1 ^ c->c1 ^ k0, low1, high0 ^ c->c3 ^ k1, low0};
}

/* The blocks [first, first + count) of a key, four words each. NumPy steps the counter before it
 * uses it, so block b is the cipher of b + 1. */
typedef void drawer(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out);

static void draw_plain(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out)
{
    for (size_t i = 0; i < count; i++, out += 4) {
        struct counter c = {first + i + 1, 0, 0, 0};
        uint64_t k0 = key[0], k1 = key[1];
        UNROLLED
        for (int round = 0; round < ROUNDS; round++, k0 += W0, k1 += W1)
            step(&c, k0, k1);
        memcpy(out, &c, sizeof c);
    }
}

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define HAS_X86
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

/* Four counters: vectors of each of their words. */
struct counters {
    __m256i c0, c1, c2, c3;
};

/* a * m in each lane, from products of 32 bits: the instructions have no wider ones. */
AVX2 INLINE __m256i multiply_vector(__m256i a, uint64_t m, __m256i *high)
{
    const __m256i m0 = _mm256_set1_epi64x((int64_t)(m & 0xFFFFFFFF));
    const __m256i m1 = _mm256_set1_epi64x((int64_t)(m >> 32));
    const __m256i a1 = _mm256_srli_epi64(a, 32), mask = _mm256_set1_epi64x(0xFFFFFFFF);
    __m256i p = _mm256_mul_epu32(a, m0);
    __m256i q = _mm256_add_epi64(_mm256_mul_epu32(a1, m0), _mm256_srli_epi64(p, 32));
    __m256i r = _mm256_add_epi64(_mm256_mul_epu32(a, m1), _mm256_and_si256(q, mask));
    __m256i carry = _mm256_add_epi64(_mm256_srli_epi64(q, 32), _mm256_srli_epi64(r, 32));
    *high = _mm256_add_epi64(_mm256_mul_epu32(a1, m1), carry);
    return _mm256_blend_epi32(p, _mm256_slli_epi64(r, 32), 0xAA);
}

AVX2 INLINE void step_vector(struct counters *c, uint64_t k0, uint64_t k1)
{
    __m256i high0, high1;
    __m256i low0 = multiply_vector(c->c0, M0, &high0), low1 = multiply_vector(c->c2, M1, &high1);
    const __m256i key0 = _mm256_set1_epi64x((int64_t)k0), key1 = _mm256_set1_epi64x((int64_t)k1);
    c->c0 = _mm256_xor_si256(_mm256_xor_si256(high1, c->c1), key0);
    c->c1 = low1;
    c->c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c->c3), key1);
    c->c3 = low0;
}

AVX2 INLINE void store_blocks(const struct counters *c, uint64_t *out)
{
    __m256i a = _mm256_unpacklo_epi64(c->c0, c->c1), b = _mm256_unpackhi_epi64(c->c0, c->c1);
    __m256i d = _mm256_unpacklo_epi64(c->c2, c->c3), e = _mm256_unpackhi_epi64(c->c2, c->c3);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(a, d, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 4), _mm256_permute2x128_si256(b, e, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 8), _mm256_permute2x128_si256(a, d, 0x31));
    _mm256_storeu_si256((__m256i *)(out + 12), _mm256_permute2x128_si256(b, e, 0x31));
}

/* Four blocks by vectors beside two by scalars: either alone waits for its own multipliers, so that
 * together they take two thirds of the time. */
AVX2 static void draw_avx2(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out)
{
    const __m256i zero = _mm256_setzero_si256(), lanes = _mm256_set_epi64x(4, 3, 2, 1);
    for (; count >= 6; count -= 6, first += 6, out += 24) {
        __m256i start = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)first), lanes);
        struct counters four = {start, zero, zero, zero};
        struct counter fifth = {first + 5, 0, 0, 0}, sixth = {first + 6, 0, 0, 0};
        uint64_t k0 = key[0], k1 = key[1];
        UNROLLED
        for (int round = 0; round < ROUNDS; round++, k0 += W0, k1 += W1) {
            step(&fifth, k0, k1);
            step(&sixth, k0, k1);
            step_vector(&four, k0, k1);
        }
        store_blocks(&four, out);
        memcpy(out + 16, &fifth, sizeof fifth);
        memcpy(out + 20, &sixth, sizeof sixth);
    }
    draw_plain(key, first, count, out);
}
#endif

/* --- float32 -------------------------------------------------------------------------------- */

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

/* Q(t), with x = 1 - t: the operations of quantile.py in their order, with its coefficients. */
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

INLINE float normal_single(uint32_t word, float std, bool truncated)
{
    int32_t m = (int32_t)(word & 0x7FFFFFFF);
    float t = ((float)m + 0.5f) * 0x1p-31f;
    float x = ((float)(m ^ 0x7FFFFFFF) + 0.5f) * 0x1p-31f;
    if (truncated) {
        x = x * (float)0.95449973610364159;                                 /* erf(sqrt(2)) */
        t = t * (float)0.95449973610364159 + (float)0.045500263896358414;   /* erfc(sqrt(2)) */
    }
    float z = quantile_single(t, x);
    if (truncated)
        z = z < 2.0f ? z : 2.0f;
    return as_float(float_bits(z * std) | (word & 0x80000000));
}

INLINE float uniform_single(uint32_t word, float bound)
{
    int32_t s = (int32_t)word >> 8;
    return ((float)s + 0.5f) * 0x1p-23f * bound;
}

/* --- float64 -------------------------------------------------------------------------------- */

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

/* A 63-bit integer as a double, rounded once; without an instruction that only the newest vector
 * units have. Both differences are exact: a power of two with the integer in its last bits. */
INLINE double from_integer(uint64_t integer)
{
    double high = as_double(UINT64_C(0x4530000000000000) | integer >> 32) - 0x1p84;
    double low = as_double(UINT64_C(0x4330000000000000) | (integer & 0xFFFFFFFF)) - 0x1p52;
    return high + low;
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

INLINE double normal_double(uint64_t word, double std, bool truncated)
{
    uint64_t m = word & UINT64_C(0x7FFFFFFFFFFFFFFF);
    double t = (from_integer(m) + 0.5) * 0x1p-63;
    double x = (from_integer(m ^ UINT64_C(0x7FFFFFFFFFFFFFFF)) + 0.5) * 0x1p-63;
    if (truncated) {
        x = x * 0.95449973610364159;                        /* erf(sqrt(2)) */
        t = t * 0.95449973610364159 + 0.045500263896358414; /* erfc(sqrt(2)) */
    }
    double z = quantile_double(t, x);
    if (truncated)
        z = z < 2.0 ? z : 2.0;
    return as_double(double_bits(z * std) | (word & UINT64_C(0x8000000000000000)));
}

INLINE double uniform_double(uint64_t word, double bound)
{
    /* the upper 53 bits as a signed integer: as an unsigned one less 2^52, both exact */
    double s = from_integer((word ^ UINT64_C(0x8000000000000000)) >> 11) - 0x1p52;
    return (s + 0.5) * 0x1p-52 * bound;
}

/* --- Laws: the loops that the compiler vectorizes, in either precision ------------------------ */

#define DEFINE_SAMPLE(precision, word, real)                                                     \
    INLINE void sample_##precision(enum xv_distribution distribution, real scale,                \
                                   const word *restrict words, size_t count, real *restrict out) \
    {                                                                                            \
        switch (distribution) {                                                                  \
        case XV_UNIFORM:                                                                         \
            for (size_t i = 0; i < count; i++)                                                   \
                out[i] = uniform_##precision(words[i], scale);                                   \
            break;                                                                               \
        case XV_NORMAL:                                                                          \
            for (size_t i = 0; i < count; i++)                                                   \
                out[i] = normal_##precision(words[i], scale, false);                             \
            break;                                                                               \
        case XV_TRUNCATED_NORMAL:                                                                \
            for (size_t i = 0; i < count; i++)                                                   \
                out[i] = normal_##precision(words[i], scale, true);                              \
            break;                                                                               \
        }                                                                                        \
    }

DEFINE_SAMPLE(single, uint32_t, float)
DEFINE_SAMPLE(double, uint64_t, double)

/* --- Smaller floats: a float32 rounded once, to nearest even (rounding.py) -------------------- */

/* `mantissa` counts the stored bits, `lowest` is the exponent of the smallest normal number. */
INLINE uint32_t round_bits(float value, int mantissa, int lowest, int width)
{
    uint32_t bits = float_bits(value), magnitude = bits & 0x7FFFFFFF;
    int dropped = 23 - mantissa;
    uint32_t last = (magnitude >> dropped) & 1;
    uint32_t code = (magnitude + last + ((UINT32_C(1) << (dropped - 1)) - 1)) >> dropped;
    if (lowest != -126) {
        code -= (uint32_t)(lowest + 126) << mantissa;
        /* a power of two whose last bit is the smallest subnormal: the addition rounds to it */
        float magic = as_float((uint32_t)(lowest - mantissa + 23 + 127) << 23);
        uint32_t small = float_bits(as_float(magnitude) + magic) - float_bits(magic);
        code = magnitude < (uint32_t)(lowest + 127) << 23 ? small : code;
    }
    return code | (bits >> 31) << (width - 1);
}

#define DEFINE_ROUNDING(name, type, mantissa, lowest)                                            \
    INLINE void name(const float *restrict values, size_t count, type *restrict out)             \
    {                                                                                            \
        for (size_t i = 0; i < count; i++)                                                       \
            out[i] = (type)round_bits(values[i], mantissa, lowest, 8 * (int)sizeof(type));       \
    }

DEFINE_ROUNDING(round_float16, uint16_t, 10, -14)
DEFINE_ROUNDING(round_bfloat16, uint16_t, 7, -126)
DEFINE_ROUNDING(round_float8_e4m3fn, uint8_t, 3, -6)
DEFINE_ROUNDING(round_float8_e5m2, uint8_t, 2, -14)

/* --- Words to values, once for each kind of vector unit --------------------------------------- */

/* At most TILE elements; words and out aligned to their types. */
INLINE void sample(struct xv_law law, const void *words, size_t count, void *out)
{
    if (law.dtype == XV_FLOAT64) {
        sample_double(law.distribution, law.scale, words, count, out);
        return;
    }
    if (law.dtype == XV_FLOAT32) {
        sample_single(law.distribution, (float)law.scale, words, count, out);
        return;
    }
    float values[TILE];
    sample_single(law.distribution, (float)law.scale, words, count, values);
    switch (law.dtype) {
    case XV_FLOAT16:
        round_float16(values, count, out);
        break;
    case XV_BFLOAT16:
        round_bfloat16(values, count, out);
        break;
    case XV_FLOAT8_E4M3FN:
        round_float8_e4m3fn(values, count, out);
        break;
    default:
        round_float8_e5m2(values, count, out);
        break;
    }
}

typedef void sampler(struct xv_law law, const void *words, size_t count, void *out);

static void sample_plain(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}

#if defined(HAS_X86)
AVX2 static void sample_avx2(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) static void
sample_avx512(struct xv_law law, const void *words, size_t count, void *out)
{
    sample(law, words, count, out);
}
#endif

/* What a processor may have. */
struct variant {
    const char *name;
    drawer *draw;
    sampler *sample;
};

static const struct variant VARIANTS[] = {
    {"plain", draw_plain, sample_plain},
#if defined(HAS_X86)
    {"avx2", draw_avx2, sample_avx2},
    {"avx512", draw_avx2, sample_avx512},
#endif
};
#define MOST_VARIANTS (sizeof VARIANTS / sizeof *VARIANTS)

static size_t count_variants(void)
{
#if defined(HAS_X86)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return 1;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return 2;
#endif
    return MOST_VARIANTS;
}

static struct variant chosen;

const char *const *xv_variants(void)
{
    static const char *names[MOST_VARIANTS + 1];
    for (size_t i = 0; i < count_variants(); i++)
        names[i] = VARIANTS[i].name;
    return names;
}

void xv_use_variant(int index)
{
    chosen = VARIANTS[index < 0 ? count_variants() - 1 : (size_t)index];
}

/* --- Filling --------------------------------------------------------------------------------- */

size_t xv_itemsize(enum xv_dtype dtype)
{
    switch (dtype) {
    case XV_FLOAT64:
        return 8;
    case XV_FLOAT32:
        return 4;
    case XV_FLOAT16:
    case XV_BFLOAT16:
        return 2;
    default:
        return 1;
    }
}

size_t xv_wordsize(enum xv_dtype dtype)
{
    return dtype == XV_FLOAT64 ? 8 : 4;
}

/* Room for so many elements of any type, aligned to each. */
#define ROOM(count)                                                                              \
    union {                                                                                      \
        uint64_t words64[count];                                                                 \
        uint32_t words32[2 * (count)];                                                           \
        double doubles[count];                                                                   \
        float floats[2 * (count)];                                                               \
        uint16_t halves[4 * (count)];                                                            \
        uint8_t bytes[8 * (count)];                                                              \
    }

/* The words of a tile, and its values where they cannot go straight to where they belong. */
struct tile {
    ROOM(TILE + BLOCK_BYTES / 4) words;
    ROOM(TILE) values;
};

/* Neighbours of the tensor that are neighbours in `out`. */
static void fill_run(struct xv_law law, const uint64_t key[2], uint64_t first, uint64_t count,
                     char *out)
{
    struct tile tile;
    const size_t size = xv_itemsize(law.dtype), wide = xv_wordsize(law.dtype);
    const size_t each = BLOCK_BYTES / wide; /* elements of a block */
    while (count) {
        size_t skipped = (size_t)(first % each), some = TILE - skipped;
        if (some > count)
            some = (size_t)count;
        chosen.draw(key, first / each, (skipped + some + each - 1) / each, tile.words.words64);
        /* what is skipped may leave float32's words aligned to 4 bytes, as they need */
        const char *words = (const char *)tile.words.bytes + skipped * wide;
        if ((uintptr_t)out % size == 0) {
            chosen.sample(law, words, some, out);
        } else {
            chosen.sample(law, words, some, &tile.values);
            memcpy(out, &tile.values, some * size);
        }
        first += some;
        count -= some;
        out += some * size;
    }
}

/* Random words of a key, with the last blocks kept: what follows may lie in them. */
#define AHEAD 16
struct reader {
    const uint64_t *key;
    size_t wide;
    uint64_t block; /* the first that is kept */
    size_t kept;
    uint64_t words[AHEAD * BLOCK_BYTES / 8];
};

static void read_words(struct reader *reader, uint64_t first, uint64_t step, size_t count,
                       char *out)
{
    const size_t wide = reader->wide, each = BLOCK_BYTES / wide;
    const int shift = wide == 8 ? 2 : 3; /* log2 of `each`: to divide would take longer than all */
    while (count) {
        const uint64_t block = first >> shift;
        size_t place = (size_t)(first & (each - 1));
        if (block - reader->block >= reader->kept) {
            size_t needed = step == 1 ? (place + count + each - 1) >> shift : 1;
            reader->kept = needed < AHEAD ? needed : AHEAD;
            reader->block = block;
            chosen.draw(reader->key, block, reader->kept, reader->words);
        }
        place += (size_t)(block - reader->block) * each;
        const char *words = (const char *)reader->words + place * wide;
        size_t some = 1;
        if (step == 1) {
            some = reader->kept * each - place;
            if (some > count)
                some = count;
            memcpy(out, words, some * wide);
        } else if (wide == 4) {
            memcpy(out, words, 4);
        } else {
            memcpy(out, words, 8);
        }
        out += some * wide;
        first += some * step;
        count -= some;
    }
}

/* Runs of `length` values: each begins at its place in `out` and goes on by `stride`. Where the
 * runs are neighbours, as in a transposed matrix, they are put down across, in longer pieces. */
INLINE void put_runs(const char *values, int64_t size, size_t length, const int64_t *places,
                     size_t runs, int64_t stride, char *out)
{
    bool across = runs > 1;
    for (size_t r = 1; r < runs && across; r++)
        across = places[r] == places[r - 1] + 1;
    if (across) {
        for (size_t i = 0; i < length; i++) {
            char *target = out + (places[0] + (int64_t)i * stride) * size;
            for (size_t r = 0; r < runs; r++)
                memcpy(target + (int64_t)r * size, values + (int64_t)(r * length + i) * size,
                       (size_t)size);
        }
        return;
    }
    for (size_t r = 0; r < runs; r++) {
        char *target = out + places[r] * size;
        for (size_t i = 0; i < length; i++)
            memcpy(target + (int64_t)i * stride * size, values + (int64_t)(r * length + i) * size,
                   (size_t)size);
    }
}

/* The values of a tile's words to where they belong. The size is a constant in each call, so that
 * no copy is one of a size to be found out. */
static void scatter(struct xv_law law, struct tile *tile, size_t length, const int64_t *places,
                    size_t runs, int64_t stride, char *out)
{
    const char *values = (const char *)tile->values.bytes;
    chosen.sample(law, &tile->words, length * runs, &tile->values);
    switch (xv_itemsize(law.dtype)) {
    case 8:
        put_runs(values, 8, length, places, runs, stride, out);
        break;
    case 4:
        put_runs(values, 4, length, places, runs, stride, out);
        break;
    case 2:
        put_runs(values, 2, length, places, runs, stride, out);
        break;
    default:
        put_runs(values, 1, length, places, runs, stride, out);
        break;
    }
}

void xv_fill(struct xv_law law, const uint64_t key[2], uint64_t first, const struct xv_axis *axes,
             int rank, char *out)
{
    const struct xv_axis single = {1, 1, 1};
    const struct xv_axis inner = rank ? axes[rank - 1] : single;
    for (int axis = 0; axis < rank; axis++)
        if (axes[axis].count == 0)
            return;
    if (rank <= 1 && inner.step == 1 && inner.stride == 1) {
        fill_run(law, key, first, inner.count, out);
        return;
    }
    struct tile tile;
    struct reader reader = {.key = key, .wide = xv_wordsize(law.dtype)};
    int64_t places[TILE], place = 0;
    uint64_t index[XV_MOST_AXES] = {0};
    size_t runs = 0, length = 0; /* what the tile holds: so many runs, all of this length */
    for (;;) {
        for (uint64_t start = 0; start < inner.count; start += TILE) {
            uint64_t left = inner.count - start;
            size_t some = left < TILE ? (size_t)left : TILE;
            if (runs && (some != length || (runs + 1) * some > TILE)) {
                scatter(law, &tile, length, places, runs, inner.stride, out);
                runs = 0;
            }
            length = some;
            read_words(&reader, first + start * inner.step, inner.step, some,
                       (char *)tile.words.bytes + runs * length * reader.wide);
            places[runs++] = place + (int64_t)start * inner.stride;
        }
        int axis = rank - 2;
        for (; axis >= 0; axis--) { /* the next position of the outer axes */
            first += axes[axis].step;
            place += axes[axis].stride;
            if (++index[axis] < axes[axis].count)
                break;
            first -= axes[axis].step * axes[axis].count;
            place -= axes[axis].stride * (int64_t)axes[axis].count;
            index[axis] = 0;
        }
        if (axis < 0)
            break;
    }
    scatter(law, &tile, length, places, runs, inner.stride, out);
}

void xv_convert(struct xv_law law, const char *words, size_t count, char *out)
{
    struct tile tile;
    const size_t size = xv_itemsize(law.dtype), wide = xv_wordsize(law.dtype);
    while (count) {
        size_t some = count < TILE ? count : TILE;
        memcpy(&tile.words, words, some * wide);
        chosen.sample(law, &tile.words, some, &tile.values);
        memcpy(out, &tile.values, some * size);
        words += some * wide;
        out += some * size;
        count -= some;
    }
}
