/* Words of TensorFlow's cipher: Philox4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"), and the numbers that they stand for. */
#ifndef XAVINIT_KERNEL_TF_WORDS_H
#define XAVINIT_KERNEL_TF_WORDS_H

#include "_kernel_bits.h"

#include <stddef.h>
#include <stdint.h>

/* Elements made at a time: words and values stay in the first-level cache. */
#define TILE 2048
#define BLOCKS (TILE / 4) /* of four words */

/* The words of some blocks, the first words of all of them side by side, then the second ... */
struct words {
    uint32_t of[4][BLOCKS];
};

/* The counters are in the first two words, which the words of the blocks replace. */

INLINE void cipher(const uint32_t key[4], size_t count, struct words *words)
{
    const uint32_t upper0 = key[2], upper1 = key[3];
    for (size_t i = 0; i < count; i++) {
        uint32_t x0 = words->of[0][i], x1 = words->of[1][i], x2 = upper0, x3 = upper1;
        uint32_t k0 = key[0], k1 = key[1];
#if defined(__GNUC__)
#pragma GCC unroll 10
#endif
        for (int round = 0; round < 10; round++) {
            uint64_t p = (uint64_t)x0 * 0xD2511F53, q = (uint64_t)x2 * 0xCD9E8D57;
            x0 = (uint32_t)(q >> 32) ^ x1 ^ k0;
            x2 = (uint32_t)(p >> 32) ^ x3 ^ k1;
            x1 = (uint32_t)q;
            x3 = (uint32_t)p;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        words->of[0][i] = x0;
        words->of[1][i] = x1;
        words->of[2][i] = x2;
        words->of[3][i] = x3;
    }
}

INLINE void draw(const uint32_t key[4], uint64_t first, size_t count, struct words *words)
{
    for (size_t i = 0; i < count; i++) {
        words->of[0][i] = (uint32_t)(first + i);
        words->of[1][i] = (uint32_t)((first + i) >> 32);
    }
    cipher(key, count, words);
}

/* Numbers in [0, 1): the low 23 bits of a word; 52 bits of two, the first word high. */

INLINE float unit_single(uint32_t word)
{
    return as_float((word & 0x7FFFFF) | 0x3F800000) - 1.0f;
}

INLINE double unit_double(uint32_t high, uint32_t low)
{
    uint64_t bits = (uint64_t)(high & 0xFFFFF) << 32 | low;
    return as_double(bits | UINT64_C(0x3FF0000000000000)) - 1.0;
}

#endif
