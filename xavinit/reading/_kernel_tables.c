/* Counting: keys -> the tables of a thread -> the counts of a tensor. */
#include "_kernel.h"

#include <string.h>

void xr_count_keys(struct xr_scratch *scratch, const uint16_t *keys, size_t count)
{
    uint32_t *a = scratch->tables[0], *b = scratch->tables[1];
    uint32_t *c = scratch->tables[2], *d = scratch->tables[3];
    uint8_t *groups = scratch->groups;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        a[keys[i]]++;
        b[keys[i + 1]]++;
        c[keys[i + 2]]++;
        d[keys[i + 3]]++;
        groups[keys[i] / XR_GROUP] = 1;
        groups[keys[i + 1] / XR_GROUP] = 1;
        groups[keys[i + 2] / XR_GROUP] = 1;
        groups[keys[i + 3] / XR_GROUP] = 1;
    }
    for (; i < count; i++) {
        a[keys[i]]++;
        groups[keys[i] / XR_GROUP] = 1;
    }
    scratch->counted += count;
}

static void merge_facts(struct xr_facts *into, const struct xr_facts *from)
{
    if (from->finite > 0) {
        if (into->finite == 0 || from->low < into->low)
            into->low = from->low;
        if (into->finite == 0 || from->high > into->high)
            into->high = from->high;
    }
    into->finite += from->finite;
    into->zeros += from->zeros;
    into->nans += from->nans;
    into->positive_infinities += from->positive_infinities;
    into->negative_infinities += from->negative_infinities;
}

void xr_flush(struct xr_scratch *scratch, struct xr_totals *totals)
{
    for (size_t group = 0; group < XR_GROUPS; group++) {
        if (!scratch->groups[group])
            continue;
        size_t first = group * XR_GROUP;
        uint64_t *counts = totals->counts + first;
        for (int table = 0; table < XR_TABLES; table++) {
            uint32_t *from = scratch->tables[table] + first;
            for (size_t i = 0; i < XR_GROUP; i++)
                counts[i] += from[i];
            memset(from, 0, XR_GROUP * sizeof *from);
        }
        totals->groups[group] = 1;
        scratch->groups[group] = 0;
    }
    merge_facts(&totals->facts, &scratch->facts);
    scratch->facts = (struct xr_facts){0};
    scratch->counted = 0;
}

void xr_clear(struct xr_totals *totals)
{
    for (size_t group = 0; group < XR_GROUPS; group++) {
        if (totals->groups[group])
            memset(totals->counts + group * XR_GROUP, 0, XR_GROUP * sizeof *totals->counts);
        totals->groups[group] = 0;
    }
    totals->facts = (struct xr_facts){0};
}
