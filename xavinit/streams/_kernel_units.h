/* Vector units: what a function compiled for each is marked with, and which this processor has. */
#ifndef XAVINIT_KERNEL_UNITS_H
#define XAVINIT_KERNEL_UNITS_H

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

#endif
