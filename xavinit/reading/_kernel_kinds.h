/* Wide numbers as values, as integers in the order of their values, and as keys. */
#ifndef XAVINIT_READING_KERNEL_KINDS_H
#define XAVINIT_READING_KERNEL_KINDS_H

#include "../streams/_kernel_bits.h"
#include "_kernel.h"

#define LARGEST_FLOAT32 INT64_C(0x7F7FFFFF)
#define LARGEST_FLOAT64 INT64_C(0x7FEFFFFFFFFFFFFF)

INLINE uint32_t load32(const unsigned char *numbers, size_t i)
{
    uint32_t bits;
    memcpy(&bits, numbers + 4 * i, sizeof bits);
    return bits;
}

INLINE uint64_t load64(const unsigned char *numbers, size_t i)
{
    uint64_t bits;
    memcpy(&bits, numbers + 8 * i, sizeof bits);
    return bits;
}

/* -0 and 0 are both 0. */
INLINE int32_t order32(uint32_t bits)
{
    int32_t magnitude = (int32_t)(bits & 0x7FFFFFFF), sign = (int32_t)bits >> 31;
    return (magnitude ^ sign) - sign;
}

INLINE int64_t order64(uint64_t bits)
{
    int64_t magnitude = (int64_t)(bits & UINT64_C(0x7FFFFFFFFFFFFFFF)), sign = (int64_t)bits >> 63;
    return (magnitude ^ sign) - sign;
}

INLINE uint16_t key32(int32_t order)
{
    return (uint16_t)((order >> 16) + 32768);
}

/* The exponents of float64 from 2^-127 to 2^127: smaller numbers go into the bins beside zero,
 * larger ones into the outermost. Infinity and NaN lie beyond, as they do in float32. */
#define WINDOW (INT64_C(896) << 52)
#define TOP (INT64_C(0x7F80) << 45)

INLINE uint16_t key64(uint64_t bits)
{
    int64_t magnitude = (int64_t)(bits & UINT64_C(0x7FFFFFFFFFFFFFFF)), sign = (int64_t)bits >> 63;
    int64_t place = magnitude - WINDOW;
    place = place < 1 ? (int64_t)(magnitude != 0) : place;
    place = place > TOP - 1 ? TOP - 1 : place;
    place = magnitude > LARGEST_FLOAT64 ? TOP + (magnitude > LARGEST_FLOAT64 + 1) : place;
    place = (place ^ sign) - sign;
    return (uint16_t)((place >> 45) + 32768);
}

/* For each kind: its order as an integer, its value, and its key. */
#define ORDER_float32(n, i) ((int64_t)order32(load32(n, i)))
#define VALUE_float32(n, i) ((double)as_float(load32(n, i)))
#define KEY_float32(n, i) key32(order32(load32(n, i)))
#define ORDER_float64(n, i) order64(load64(n, i))
#define VALUE_float64(n, i) as_double(load64(n, i))
#define KEY_float64(n, i) key64(load64(n, i))
#define ORDER_int32(n, i) ((int64_t)(int32_t)load32(n, i))
#define VALUE_int32(n, i) ((double)(int32_t)load32(n, i))
#define KEY_int32(n, i) key64(double_bits(VALUE_int32(n, i)))
#define ORDER_uint32(n, i) ((int64_t)load32(n, i))
#define VALUE_uint32(n, i) ((double)load32(n, i))
#define KEY_uint32(n, i) key64(double_bits(VALUE_uint32(n, i)))
#define ORDER_int64(n, i) ((int64_t)load64(n, i))
#define VALUE_int64(n, i) ((double)(int64_t)load64(n, i))
#define KEY_int64(n, i) key64(double_bits(VALUE_int64(n, i)))
#define ORDER_uint64(n, i) ((int64_t)(load64(n, i) ^ UINT64_C(0x8000000000000000)))
#define VALUE_uint64(n, i) ((double)load64(n, i))
#define KEY_uint64(n, i) key64(double_bits(VALUE_uint64(n, i)))

#define WIDE_KINDS(ROW) \
    ROW(float32)        \
    ROW(float64)        \
    ROW(int32)          \
    ROW(uint32)         \
    ROW(int64)          \
    ROW(uint64)

#endif
