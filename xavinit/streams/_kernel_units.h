/* Vector units: what a function compiled for each is marked with, and which this processor has. */
#ifndef XAVINIT_KERNEL_UNITS_H
#define XAVINIT_KERNEL_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define HAS_X86
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#endif

/* How many of plain, AVX2 and AVX-512 this processor can run. */
static inline size_t count_units(void)
{
#if defined(HAS_X86)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return 1;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return 2;
    return 3;
#else
    return 1;
#endif
}

/* The unit to use of those asked for, 0 for plain; the best where none of that number is there, and
 * plain where there is no fused multiply-add beside it. */
static inline int choose_fused_unit(int index)
{
#if defined(HAS_X86)
    int best = (int)count_units() - 1;
    if (index < 0 || index > best)
        index = best;
    return index > 0 && __builtin_cpu_supports("fma") ? index : 0;
#else
    (void)index;
    return 0;
#endif
}

/* Does every processor of this kind have a fused multiply-add? */
#if defined(__aarch64__) && defined(__GNUC__)
#define HARD_EVERYWHERE true
#else
#define HARD_EVERYWHERE false
#endif

#endif
