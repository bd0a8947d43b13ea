/* A second look at wide numbers that lie close together: closer keys, which are counted. */
#include "_kernel.h"
#include "_kernel_kinds.h"

INLINE uint16_t find_key(int64_t order, const struct xr_zoom *zoom)
{
    uint64_t place = (uint64_t)(order >> zoom->shift) - (uint64_t)(zoom->first >> zoom->shift);
    return order < zoom->first || order > zoom->last ? XR_OUTSIDE : (uint16_t)place;
}

#define KEYS_CASE(name)                                           \
    case XR_##name:                                               \
        for (size_t i = 0; i < count; i++)                        \
            keys[i] = find_key(ORDER_##name(numbers, i), zoom);   \
        break;

static void find_keys(enum xr_kind kind, const unsigned char *numbers, size_t count,
                      const struct xr_zoom *zoom, uint16_t *keys)
{
    switch (kind) {
        WIDE_KINDS(KEYS_CASE)
    default:
        break;
    }
}

void xr_look(struct xr_scratch *scratch, enum xr_kind kind, const unsigned char *block,
             size_t nbytes, const struct xr_zoom *zoom)
{
    size_t size = kind == XR_float32 || kind == XR_int32 || kind == XR_uint32 ? 4 : 8;
    uint16_t keys[XR_TILE];
    for (size_t first = 0, count = nbytes / size; first < count; first += XR_TILE) {
        size_t n = count - first < XR_TILE ? count - first : XR_TILE;
        find_keys(kind, block + first * size, n, zoom, keys);
        xr_count_keys(scratch, keys, n);
    }
}
