/* A block of numbers, tile by tile: keys, which are counted, and the sums of runs. */
#include "_kernel.h"
#include "_kernel_numbers.h"
#include "_kernel_sums.h"

#include <string.h>

static const size_t BITS[] = {
#define XR_BITS(name, bits, wide) [XR_##name] = bits,
    XR_KINDS(XR_BITS)
#undef XR_BITS
};

static int is_wide(enum xr_kind kind)
{
#define XR_WIDE(name, bits, wide) [XR_##name] = wide,
    static const int WIDE[] = {XR_KINDS(XR_WIDE)};
#undef XR_WIDE
    return WIDE[kind];
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- Narrow numbers: the keys are their codes ------------------------------------------------- */

/* Several codes share a byte: the first has its lowest bits. */
static void unpack(enum xr_kind kind, const unsigned char *block, size_t first, size_t count,
                   uint16_t *keys)
{
    size_t bits = BITS[kind];
    for (size_t i = 0; i < count; i++) {
        size_t place = (first + i) * bits, shift = place % 8;
        unsigned code = block[place / 8] >> shift;
        if (shift + bits > 8)
            code |= (unsigned)block[place / 8 + 1] << (8 - shift);
        keys[i] = (uint16_t)(code & ((1u << bits) - 1));
    }
}

static void scan_codes(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *block,
                       size_t count)
{
    uint16_t keys[XR_TILE];
    for (size_t first = 0; first < count; first += XR_TILE) {
        size_t n = min_size(XR_TILE, count - first);
        if (kind == XR_code16)
            memcpy(keys, block + 2 * first, 2 * n);
        else if (kind == XR_code8)
            for (size_t i = 0; i < n; i++)
                keys[i] = block[first + i];
        else
            unpack(kind, block, first, n, keys);
        xr_count_keys(scratch, keys, n);
    }
}

/* --- Wide numbers: their runs too ------------------------------------------------------------- */

static double add_lanes(const double lanes[XR_LANES])
{
    double total = lanes[0];
    for (size_t lane = 1; lane < XR_LANES; lane++)
        total += lanes[lane];
    return total;
}

static void close_run(struct xr_scratch *scratch, struct xr_run *run)
{
    *run = (struct xr_run){
        .finite = (double)scratch->finite,
        .pivot = scratch->pivot,
        .sum = add_lanes(scratch->lanes[SUM]),
        .squares = add_lanes(scratch->lanes[SQUARES]),
        .small_squares = add_lanes(scratch->lanes[SMALL_SQUARES]),
        .large_sum = add_lanes(scratch->lanes[LARGE_SUM]),
        .large_squares = add_lanes(scratch->lanes[LARGE_SQUARES]),
    };
    memset(scratch->lanes, 0, sizeof scratch->lanes);
    scratch->position = scratch->finite = 0;
    scratch->pivot = 0.0;
}

static void scan_tile(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *numbers,
                      size_t count)
{
    uint16_t keys[XR_TILE];
    size_t finite = xr_chosen.measure(kind, numbers, count, keys, &scratch->facts);
    xr_count_keys(scratch, keys, count);
    if (finite > 0) {
        if (scratch->finite == 0)
            scratch->pivot = xr_load(kind, numbers, xr_find_finite(kind, numbers, count));
        xr_adder *add = finite == count ? xr_chosen.add : xr_add_finite;
        add(kind, numbers, count, scratch->position % XR_LANES, scratch->pivot, scratch->lanes);
    }
    scratch->position += count;
    scratch->finite += finite;
}

size_t xr_scan(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *block,
               size_t nbytes, int is_last, struct xr_run *runs)
{
    size_t count = nbytes * 8 / BITS[kind], closed = 0;
    if (!is_wide(kind)) {
        scan_codes(scratch, kind, block, count);
        return 0;
    }
    for (size_t first = 0; first < count;) {
        size_t n = min_size(min_size(XR_TILE, count - first), XR_RUN - scratch->position);
        scan_tile(scratch, kind, block + first * (BITS[kind] / 8), n);
        first += n;
        if (scratch->position == XR_RUN)
            close_run(scratch, &runs[closed++]);
    }
    if (is_last && scratch->position > 0)
        close_run(scratch, &runs[closed++]);
    return closed;
}
