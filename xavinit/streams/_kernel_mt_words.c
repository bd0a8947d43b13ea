#include "_kernel_mt_words.h"
#include "_kernel_bits.h"

#include <string.h>

/* Matsumoto and Nishimura (1998), "Mersenne Twister", table II and `init_genrand` of 2002. */
#define MIDDLE 397
#define AHEAD (MT_WORDS - MIDDLE)
#define MATRIX UINT32_C(0x9908B0DF)

void xv_mt_seed(struct xv_mt *state, uint32_t seed)
{
    uint32_t word = seed;
    for (uint32_t i = 0; i < MT_WORDS; i++) {
        state->words[i] = word;
        word = UINT32_C(1812433253) * (word ^ (word >> 30)) + i + 1;
    }
    state->place = MT_WORDS;
    state->has_kept = 0;
    state->kept = 0.0;
}

INLINE uint32_t twist(uint32_t word, uint32_t next, uint32_t middle)
{
    uint32_t joined = (word & UINT32_C(0x80000000)) | (next & UINT32_C(0x7FFFFFFF));
    return middle ^ (joined >> 1) ^ ((0 - (next & 1)) & MATRIX);
}

/* Each word needs one that is AHEAD back or MIDDLE on, so that many can be made at once. */
INLINE void step(uint32_t words[MT_WORDS])
{
    for (int i = 0; i < AHEAD; i++)
        words[i] = twist(words[i], words[i + 1], words[i + MIDDLE]);
    for (int i = AHEAD; i < MT_WORDS - 1; i++)
        words[i] = twist(words[i], words[i + 1], words[i - AHEAD]);
    words[MT_WORDS - 1] = twist(words[MT_WORDS - 1], words[0], words[MIDDLE - 1]);
}

void xv_mt_step_plain(uint32_t words[MT_WORDS])
{
    step(words);
}

#if defined(HAS_X86)
AVX2 void xv_mt_step_avx2(uint32_t words[MT_WORDS])
{
    step(words);
}
#endif

xv_mt_stepper *xv_mt_step = xv_mt_step_plain;

void xv_mt_skip(struct xv_mt *state, uint64_t count)
{
    while (count > MT_WORDS - state->place) {
        count -= MT_WORDS - state->place;
        xv_mt_step(state->words);
        state->place = 0;
    }
    state->place += (uint32_t)count;
}

void xv_mt_draw(struct xv_mt *state, size_t count, uint32_t *out)
{
    while (count > 0) {
        if (state->place == MT_WORDS) {
            xv_mt_step(state->words);
            state->place = 0;
        }
        size_t ready = MT_WORDS - state->place, taken = ready < count ? ready : count;
        memcpy(out, state->words + state->place, taken * sizeof *out);
        state->place += (uint32_t)taken;
        out += taken;
        count -= taken;
    }
}
