/* Laws: random words -> values, in variants for the processors' vector units. */
#ifndef XAVINIT_KERNEL_LAWS_H
#define XAVINIT_KERNEL_LAWS_H

#include "_kernel.h"
#include "_kernel_words.h"

#include <stddef.h>

/* Elements sampled at a time: their words and their values stay in the first-level cache. */
#define TILE 2048

/* Write the values of at most TILE words; words and out are aligned to their types. */
typedef void xv_sampler(struct xv_law law, const void *words, size_t count, void *out);

struct xv_variant {
    const char *name;
    xv_drawer *draw;
    xv_sampler *sample;
};

/* The variant in use: set by xv_use_variant, nothing before that. */
extern struct xv_variant xv_chosen;

#endif
