/* The counts of a tensor -> its bins: those that hold something, in the order of their values. */
#include "../streams/_kernel_bits.h"
#include "_kernel.h"

#include <float.h>
#include <stdbool.h>

/* 2^exponent, if that is a normal float64. */
static double power(int exponent)
{
    return as_double((uint64_t)(exponent + 1023) << 52);
}

/* The value of a magnitude in a float with such a mantissa: also where it would stand for infinity
 * or NaN, and of the one after the last. */
static double find_value(const struct xr_layout *layout, uint32_t magnitude)
{
    int mantissa = layout->mantissa, exponent = (int)(magnitude >> mantissa);
    uint32_t fraction = magnitude & ((1u << mantissa) - 1), one = 1u << mantissa;
    bool has_subnormals = layout->order != XR_EXPONENTS && layout->order != XR_BINS_OF_FLOAT64;
    if (layout->order == XR_BINS_OF_FLOAT64 && magnitude == 0)
        return 0.0;
    if (exponent == 0 && has_subnormals)
        return fraction * power(layout->smallest_exponent - mantissa);
    exponent -= has_subnormals;
    return (one + fraction) * power(layout->smallest_exponent - mantissa + exponent);
}

static bool is_group_empty(const struct xr_totals *totals, uint32_t code)
{
    return !totals->groups[code / XR_GROUP];
}

static void add_bin(struct xr_bins *bins, size_t *size, double lower, double upper, double value,
                    uint64_t count)
{
    if (count == 0 || *size == bins->capacity)
        return;
    bins->lower[*size] = lower;
    bins->upper[*size] = upper;
    bins->values[*size] = value;
    bins->counts[(*size)++] = count;
}

/* --- Keys of wide numbers: half-open bins ----------------------------------------------------- */

#define OUTERMOST 0x7F80 /* the key of infinity */

static double find_edge(const struct xr_layout *layout, int key)
{
    double edge = find_value(layout, (uint32_t)(key < 0 ? -key : key));
    return key < 0 ? -edge : edge;
}

static size_t list_wide(const struct xr_totals *totals, const struct xr_layout *layout,
                        struct xr_bins *bins)
{
    size_t size = 0;
    for (int key = -OUTERMOST; key < OUTERMOST; key++) {
        uint32_t place = (uint32_t)(key + XR_KEYS / 2);
        uint64_t count = totals->counts[place];
        if (is_group_empty(totals, place))
            key |= XR_GROUP - 1; /* the last of its group, in two's complement too */
        if (count == 0)
            continue;
        double lower = find_edge(layout, key), upper = find_edge(layout, key + 1);
        double value = key == 0 ? 0.0 : (lower + upper) / 2;
        if (key == -OUTERMOST) /* which also has -infinity */
            count -= totals->facts.negative_infinities;
        if (layout->order == XR_BINS_OF_FLOAT64) { /* the outermost bins take all beyond them */
            lower = key == -OUTERMOST ? -DBL_MAX : lower;
            upper = key == OUTERMOST - 1 ? DBL_MAX : upper;
        }
        add_bin(bins, &size, lower, upper, value, count);
    }
    return size;
}

/* --- Codes: a bin each ------------------------------------------------------------------------ */

static size_t list_integers(const struct xr_totals *totals, const struct xr_layout *layout,
                            struct xr_bins *bins)
{
    size_t size = 0;
    int32_t codes = (int32_t)1 << layout->bits;
    int32_t lowest = layout->order == XR_SIGNED_INTEGERS ? -codes / 2 : 0;
    for (int32_t value = lowest; value < lowest + codes; value++) {
        uint32_t code = (uint32_t)value & (uint32_t)(codes - 1);
        if (is_group_empty(totals, code))
            value |= XR_GROUP - 1; /* the last of its group, in two's complement too */
        else
            add_bin(bins, &size, value - 0.5, value + 0.5, value, totals->counts[code]);
    }
    return size;
}

static size_t list_floats(const struct xr_totals *totals, const struct xr_layout *layout,
                          struct xr_bins *bins, struct xr_codes *codes)
{
    size_t size = 0;
    uint32_t sign = 1u << (layout->bits - 1), finite = layout->finite;
    for (uint32_t magnitude = finite; magnitude-- > 1;) {
        uint64_t count = totals->counts[sign | magnitude];
        if (is_group_empty(totals, sign | magnitude))
            magnitude -= magnitude % XR_GROUP;
        if (count == 0)
            continue;
        double value = find_value(layout, magnitude);
        double inner = (find_value(layout, magnitude - 1) + value) / 2;
        double outer = (value + find_value(layout, magnitude + 1)) / 2;
        add_bin(bins, &size, -outer, -inner, -value, count);
    }
    double nearest = find_value(layout, 1) / 2;
    uint64_t zeros = totals->counts[0];
    if (layout->has_negative_zero)
        zeros += totals->counts[sign];
    else
        codes->nans += totals->counts[sign];
    add_bin(bins, &size, -nearest, nearest, 0.0, zeros);
    for (uint32_t magnitude = 1; magnitude < finite; magnitude++) {
        uint64_t count = totals->counts[magnitude];
        if (is_group_empty(totals, magnitude))
            magnitude |= XR_GROUP - 1;
        if (count == 0)
            continue;
        double value = find_value(layout, magnitude);
        double inner = (find_value(layout, magnitude - 1) + value) / 2;
        double outer = (value + find_value(layout, magnitude + 1)) / 2;
        add_bin(bins, &size, inner, outer, value, count);
    }
    for (uint32_t magnitude = finite; magnitude < sign; magnitude++) {
        if (layout->has_infinity && magnitude == finite) {
            codes->positive_infinities += totals->counts[magnitude];
            codes->negative_infinities += totals->counts[sign | magnitude];
        } else {
            codes->nans += totals->counts[magnitude] + totals->counts[sign | magnitude];
        }
    }
    return size;
}

static size_t list_exponents(const struct xr_totals *totals, const struct xr_layout *layout,
                             struct xr_bins *bins, struct xr_codes *codes)
{
    size_t size = 0;
    double inner = 0.0;
    for (uint32_t code = 0; code < 1u << layout->bits; code++) {
        if (code >= layout->finite) {
            codes->nans += totals->counts[code];
            continue;
        }
        double value = find_value(layout, code);
        double outer = (value + find_value(layout, code + 1)) / 2;
        add_bin(bins, &size, inner, outer, value, totals->counts[code]);
        inner = outer;
    }
    return size;
}

/* The sums of all numbers as of one run. */
static void sum_codes(const struct xr_bins *bins, size_t size, struct xr_codes *codes)
{
    if (size == 0)
        return;
    codes->pivot = bins->values[size / 2];
    for (size_t i = 0; i < size; i++) {
        double count = (double)bins->counts[i], d = bins->values[i] - codes->pivot;
        codes->finite += count;
        codes->sum += count * d;
        codes->squares += count * (d * d);
        codes->zeros += bins->values[i] == 0.0 ? bins->counts[i] : 0;
    }
}

size_t xr_count_bins(const struct xr_totals *totals)
{
    size_t count = 0;
    for (size_t group = 0; group < XR_GROUPS; group++)
        for (size_t i = 0; totals->groups[group] && i < XR_GROUP; i++)
            count += totals->counts[group * XR_GROUP + i] != 0;
    return count;
}

size_t xr_list_bins(const struct xr_totals *totals, const struct xr_layout *layout,
                    struct xr_bins *bins, struct xr_codes *codes)
{
    size_t size = 0;
    *codes = (struct xr_codes){0};
    switch (layout->order) {
    case XR_BINS_OF_FLOAT32:
    case XR_BINS_OF_FLOAT64:
        return list_wide(totals, layout, bins);
    case XR_SIGNED_FLOATS:
        size = list_floats(totals, layout, bins, codes);
        break;
    case XR_EXPONENTS:
        size = list_exponents(totals, layout, bins, codes);
        break;
    default:
        size = list_integers(totals, layout, bins);
        break;
    }
    sum_codes(bins, size, codes);
    return size;
}
