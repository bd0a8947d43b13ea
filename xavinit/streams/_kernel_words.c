#include "_kernel_words.h"

#include <string.h>

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

/* Table 2 of the paper: the multipliers, and what each round adds to the key. */
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

void xv_draw_plain(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out)
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

#if defined(HAS_X86)
#include <immintrin.h>

/* Four counters: each vector holds one word of all four. */
struct counters {
    __m256i c0, c1, c2, c3;
};

/* a * m in each lane. AVX2 multiplies no more than 32 bits by 32, so it takes four products. */
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

/* From a vector for each word back to the four words of each block, in order. */
AVX2 INLINE void store_blocks(const struct counters *c, uint64_t *out)
{
    __m256i a = _mm256_unpacklo_epi64(c->c0, c->c1), b = _mm256_unpackhi_epi64(c->c0, c->c1);
    __m256i d = _mm256_unpacklo_epi64(c->c2, c->c3), e = _mm256_unpackhi_epi64(c->c2, c->c3);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(a, d, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 4), _mm256_permute2x128_si256(b, e, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 8), _mm256_permute2x128_si256(a, d, 0x31));
    _mm256_storeu_si256((__m256i *)(out + 12), _mm256_permute2x128_si256(b, e, 0x31));
}

/* Four blocks by vector instructions beside two by scalar ones. Vectors and scalars have separate
 * multipliers, and neither way alone keeps more than its own busy; together they take two thirds of
 * the time. */
AVX2 void xv_draw_avx2(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out)
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
    xv_draw_plain(key, first, count, out);
}
#endif
