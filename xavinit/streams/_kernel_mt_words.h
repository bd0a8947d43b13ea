/* MT19937: the next words of a state. */
#ifndef XAVINIT_KERNEL_MT_WORDS_H
#define XAVINIT_KERNEL_MT_WORDS_H

#include "_kernel_bits.h"
#include "_kernel_mt.h"
#include "_kernel_units.h"

/* Make the next block of words in place. */
typedef void xv_mt_stepper(uint32_t words[MT_WORDS]);

extern xv_mt_stepper *xv_mt_step;

/* Write the next `count` words as they lie in the block. */
void xv_mt_draw(struct xv_mt *state, size_t count, uint32_t *out);

xv_mt_stepper xv_mt_step_plain;
#if defined(HAS_X86)
xv_mt_stepper xv_mt_step_avx2;
#endif

/* Make them the generator's words. */
INLINE void temper(uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t y = words[i];
        y ^= y >> 11;
        y ^= (y << 7) & UINT32_C(0x9D2C5680);
        y ^= (y << 15) & UINT32_C(0xEFC60000);
        words[i] = y ^ (y >> 18);
    }
}

#endif
