/* Words: Philox4x64-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3"). */
#ifndef XAVINIT_KERNEL_WORDS_H
#define XAVINIT_KERNEL_WORDS_H

#include "_kernel_bits.h"
#include "_kernel_units.h"

#include <stddef.h>
#include <stdint.h>

/* Philox gives a block of four words at a time. */
#define BLOCK_BYTES 32

/* Write the blocks [first, first + count) of a key. NumPy steps the counter before it uses it, so
 * block b is the cipher of b + 1. */
typedef void xv_drawer(const uint64_t key[2], uint64_t first, size_t count, uint64_t *out);

xv_drawer xv_draw_plain;
#if defined(HAS_X86)
xv_drawer xv_draw_avx2;
#endif

#endif
