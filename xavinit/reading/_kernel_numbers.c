#include "_kernel_numbers.h"
#include "../streams/_kernel_units.h"
#include "_kernel_kinds.h"
#include "_kernel_sums.h"

double xr_load(enum xr_kind kind, const unsigned char *numbers, size_t place)
{
#define LOAD_CASE(name) \
    case XR_##name:     \
        return VALUE_##name(numbers, place);
    switch (kind) {
        WIDE_KINDS(LOAD_CASE)
    default:
        return 0.0;
    }
}

/* --- Facts ------------------------------------------------------------------------------------ */

struct extremes {
    int64_t low, high, zeros;
};

INLINE struct extremes measure_float32(const unsigned char *numbers, size_t count, uint16_t *keys)
{
    int32_t low = INT32_MAX, high = INT32_MIN, zeros = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t order = order32(load32(numbers, i));
        low = order < low ? order : low;
        high = order > high ? order : high;
        zeros += order == 0;
        keys[i] = key32(order);
    }
    return (struct extremes){low, high, zeros};
}

#define MEASURE_CASE(name)                                       \
    case XR_##name:                                              \
        for (size_t i = 0; i < count; i++) {                     \
            int64_t order = ORDER_##name(numbers, i);            \
            e.low = order < e.low ? order : e.low;               \
            e.high = order > e.high ? order : e.high;            \
            e.zeros += order == zero;                            \
            keys[i] = KEY_##name(numbers, i);                    \
        }                                                        \
        break;

INLINE struct extremes measure_any(enum xr_kind kind, const unsigned char *numbers, size_t count,
                                   uint16_t *keys)
{
    struct extremes e = {INT64_MAX, INT64_MIN, 0};
    int64_t zero = kind == XR_uint64 ? INT64_MIN : 0;
    switch (kind) {
    case XR_float32:
        return measure_float32(numbers, count, keys);
        MEASURE_CASE(float64)
        MEASURE_CASE(int32)
        MEASURE_CASE(uint32)
        MEASURE_CASE(int64)
        MEASURE_CASE(uint64)
    default:
        break;
    }
    return e;
}

static int64_t find_largest(enum xr_kind kind)
{
    return kind == XR_float32 ? LARGEST_FLOAT32 : kind == XR_float64 ? LARGEST_FLOAT64 : INT64_MAX;
}

static int64_t find_order(enum xr_kind kind, const unsigned char *numbers, size_t i)
{
    return kind == XR_float32 ? ORDER_float32(numbers, i) : ORDER_float64(numbers, i);
}

/* Count the numbers that are not finite; returns the extremes of the others. */
static struct extremes sort_out(enum xr_kind kind, const unsigned char *numbers, size_t count,
                                struct xr_facts *facts, size_t *finite)
{
    struct extremes e = {INT64_MAX, INT64_MIN, 0};
    int64_t largest = find_largest(kind);
    *finite = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t order = find_order(kind, numbers, i);
        if (order == largest + 1) {
            facts->positive_infinities++;
        } else if (order == -largest - 1) {
            facts->negative_infinities++;
        } else if (order > largest || order < -largest) {
            facts->nans++;
        } else {
            e.low = order < e.low ? order : e.low;
            e.high = order > e.high ? order : e.high;
            e.zeros += order == 0;
            ++*finite;
        }
    }
    return e;
}

INLINE size_t measure(enum xr_kind kind, const unsigned char *numbers, size_t count,
                      uint16_t *keys, struct xr_facts *facts)
{
    struct extremes e = measure_any(kind, numbers, count, keys);
    size_t finite = count;
    if ((kind == XR_float32 || kind == XR_float64) &&
        (e.high > find_largest(kind) || e.low < -find_largest(kind)))
        e = sort_out(kind, numbers, count, facts, &finite);
    if (finite > 0) {
        facts->low = facts->finite == 0 || e.low < facts->low ? e.low : facts->low;
        facts->high = facts->finite == 0 || e.high > facts->high ? e.high : facts->high;
    }
    facts->finite += finite;
    facts->zeros += (uint64_t)e.zeros;
    return finite;
}

size_t xr_find_finite(enum xr_kind kind, const unsigned char *numbers, size_t count)
{
    int64_t largest = find_largest(kind);
    size_t i = 0;
    if (kind != XR_float32 && kind != XR_float64)
        return 0;
    while (i < count && (find_order(kind, numbers, i) > largest ||
                         find_order(kind, numbers, i) < -largest))
        i++;
    return i;
}

/* --- Sums ------------------------------------------------------------------------------------- */

/* As many numbers as there are lanes, again and again. The compiler keeps the lanes in registers. */
#define ADD_CASE(name)                                                       \
    case XR_##name:                                                          \
        for (size_t i = 0; i < count; i += XR_LANES)                         \
            for (size_t j = 0; j < XR_LANES; j++) {                          \
                double d = VALUE_##name(numbers, i + j) - pivot;             \
                sums[j] += d;                                                \
                squares[j] += d * d;                                         \
            }                                                                \
        break;

INLINE void add_rows(enum xr_kind kind, const unsigned char *numbers, size_t count, double pivot,
                     double lanes[XR_SUMS][XR_LANES])
{
    if (kind == XR_float64) {
        double all[XR_SUMS][XR_LANES];
        memcpy(all, lanes, sizeof all);
        for (size_t i = 0; i < count; i += XR_LANES)
            for (size_t j = 0; j < XR_LANES; j++)
                add_scaled(VALUE_float64(numbers, i + j), pivot, j, all);
        memcpy(lanes, all, sizeof all);
        return;
    }
    double sums[XR_LANES], squares[XR_LANES];
    memcpy(sums, lanes[SUM], sizeof sums);
    memcpy(squares, lanes[SQUARES], sizeof squares);
    switch (kind) {
        ADD_CASE(float32)
        ADD_CASE(int32)
        ADD_CASE(uint32)
        ADD_CASE(int64)
        ADD_CASE(uint64)
    default:
        break;
    }
    memcpy(lanes[SUM], sums, sizeof sums);
    memcpy(lanes[SQUARES], squares, sizeof squares);
}

static size_t find_size(enum xr_kind kind)
{
    return kind == XR_float32 || kind == XR_int32 || kind == XR_uint32 ? 4 : 8;
}

static void add_one(enum xr_kind kind, const unsigned char *numbers, size_t place, size_t lane,
                    double pivot, double lanes[XR_SUMS][XR_LANES])
{
    double value = xr_load(kind, numbers, place);
    if (kind == XR_float64)
        add_scaled(value, pivot, lane % XR_LANES, lanes);
    else
        add_unscaled(value, pivot, lane % XR_LANES, lanes);
}

/* Up to lane 0 one by one, then all lanes at once, then the rest. */
INLINE void add(enum xr_kind kind, const unsigned char *numbers, size_t count, size_t lane,
                double pivot, double lanes[XR_SUMS][XR_LANES])
{
    size_t i = 0, rows;
    for (; i < count && (lane + i) % XR_LANES != 0; i++)
        add_one(kind, numbers, i, lane + i, pivot, lanes);
    rows = (count - i) / XR_LANES * XR_LANES;
    add_rows(kind, numbers + i * find_size(kind), rows, pivot, lanes);
    for (i += rows; i < count; i++)
        add_one(kind, numbers, i, lane + i, pivot, lanes);
}

void xr_add_finite(enum xr_kind kind, const unsigned char *numbers, size_t count, size_t lane,
                   double pivot, double lanes[XR_SUMS][XR_LANES])
{
    int64_t largest = find_largest(kind);
    for (size_t i = 0; i < count; i++) {
        int64_t order = find_order(kind, numbers, i);
        if (order > largest || order < -largest)
            continue;
        add_one(kind, numbers, i, lane + i, pivot, lanes);
    }
}

/* --- Variants: the same functions, compiled for each kind of vector unit ---------------------- */

#define VARIANT(unit, target)                                                                    \
    target static size_t measure_##unit(enum xr_kind kind, const unsigned char *numbers,         \
                                        size_t count, uint16_t *keys, struct xr_facts *facts)    \
    {                                                                                            \
        return measure(kind, numbers, count, keys, facts);                                       \
    }                                                                                            \
    target static void add_##unit(enum xr_kind kind, const unsigned char *numbers, size_t count, \
                                  size_t lane, double pivot, double lanes[XR_SUMS][XR_LANES])    \
    {                                                                                            \
        add(kind, numbers, count, lane, pivot, lanes);                                           \
    }

VARIANT(plain, )
#if defined(HAS_X86)
VARIANT(avx2, AVX2)
VARIANT(avx512, AVX512)
#endif

/* From the one that every processor can run to the best one. */
static const struct xr_variant VARIANTS[] = {
    {"plain", measure_plain, add_plain},
#if defined(HAS_X86)
    {"avx2", measure_avx2, add_avx2},
    {"avx512", measure_avx512, add_avx512},
#endif
};
#define MOST_VARIANTS (sizeof VARIANTS / sizeof *VARIANTS)

struct xr_variant xr_chosen;

const char *const *xr_variants(void)
{
    static const char *names[MOST_VARIANTS + 1];
    for (size_t i = 0; i < count_units(); i++)
        names[i] = VARIANTS[i].name;
    return names;
}

void xr_use_variant(int index)
{
    xr_chosen = VARIANTS[index < 0 ? count_units() - 1 : (size_t)index];
}
