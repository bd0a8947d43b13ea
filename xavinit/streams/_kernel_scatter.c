/* Filling: values to their places, a run of neighbors at once or along strided axes. */
#include "_kernel_laws.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Room for this many elements of any type, aligned for all of them. */
#define ROOM(count)                                                                              \
    union {                                                                                      \
        uint64_t words64[count];                                                                 \
        uint32_t words32[2 * (count)];                                                           \
        double doubles[count];                                                                   \
        float floats[2 * (count)];                                                               \
        uint16_t halves[4 * (count)];                                                            \
        uint8_t bytes[8 * (count)];                                                              \
    }

/* The words of a tile, and its values where they cannot go straight to where they belong. */
struct tile {
    ROOM(TILE + BLOCK_BYTES / 4) words;
    ROOM(TILE) values;
};

/* Elements that are neighbors both in the tensor and in `out`. */
static void fill_run(struct xv_law law, const uint64_t key[2], uint64_t first, uint64_t count,
                     char *out)
{
    struct tile tile;
    const size_t size = xv_dtype_facts[law.dtype].itemsize;
    const size_t wide = xv_dtype_facts[law.dtype].wordsize;
    const size_t each = BLOCK_BYTES / wide; /* elements of a block */
    while (count) {
        size_t skipped = (size_t)(first % each), some = TILE - skipped;
        if (some > count)
            some = (size_t)count;
        xv_chosen.draw(key, first / each, (skipped + some + each - 1) / each, tile.words.words64);
        /* Skipping whole words keeps them aligned to their own size, which is enough. */
        const char *words = (const char *)tile.words.bytes + skipped * wide;
        if ((uintptr_t)out % size == 0) {
            xv_chosen.sample(law, words, some, out);
        } else {
            xv_chosen.sample(law, words, some, &tile.values);
            memcpy(out, &tile.values, some * size);
        }
        first += some;
        count -= some;
        out += some * size;
    }
}

/* Reads random words of a key and keeps the last blocks, since the next words may lie in them. */
#define AHEAD 16 /* blocks kept at most */
struct reader {
    const uint64_t *key;
    uint64_t block; /* the first that is kept */
    size_t kept;
    uint64_t words[AHEAD * BLOCK_BYTES / 8];
};

/* `wide`, the bytes of a word, is a constant in each call, so that nothing is divided and no copy
 * is a call. */
INLINE void read_words(struct reader *reader, size_t wide, uint64_t first, uint64_t step,
                       size_t count, char *out)
{
    const size_t each = BLOCK_BYTES / wide; /* words of a block */
    while (count) {
        const uint64_t block = first / each;
        size_t place = (size_t)(first % each);
        if (block - reader->block >= reader->kept) {
            size_t needed = step == 1 ? (place + count + each - 1) / each : 1;
            reader->kept = needed < AHEAD ? needed : AHEAD;
            reader->block = block;
            xv_chosen.draw(reader->key, block, reader->kept, reader->words);
        }
        place += (size_t)(block - reader->block) * each;
        const char *words = (const char *)reader->words + place * wide;
        size_t some = 1;
        if (step == 1) {
            some = reader->kept * each - place;
            if (some > count)
                some = count;
            memcpy(out, words, some * wide);
        } else {
            memcpy(out, words, wide);
        }
        out += some * wide;
        first += some * step;
        count -= some;
    }
}

/* Copy runs of `length` values: each begins at its place in `out`, and its values are `stride`
 * apart. Where the runs begin side by side, as in a transposed matrix, all their first values are
 * copied together, then all their second ones: memory is written in longer pieces. */
INLINE void put_runs(const char *values, int64_t size, size_t length, const int64_t *places,
                     size_t runs, int64_t stride, char *out)
{
    bool across = runs > 1;
    for (size_t r = 1; r < runs && across; r++)
        across = places[r] == places[r - 1] + 1;
    if (across) {
        for (size_t i = 0; i < length; i++) {
            char *target = out + (places[0] + (int64_t)i * stride) * size;
            for (size_t r = 0; r < runs; r++)
                memcpy(target + (int64_t)r * size, values + (int64_t)(r * length + i) * size,
                       (size_t)size);
        }
        return;
    }
    for (size_t r = 0; r < runs; r++) {
        char *target = out + places[r] * size;
        for (size_t i = 0; i < length; i++)
            memcpy(target + (int64_t)i * stride * size, values + (int64_t)(r * length + i) * size,
                   (size_t)size);
    }
}

/* Turn a tile's words into values and copy these to their places. The size is a constant in each
 * call, so that each copy becomes one instruction. */
static void scatter(struct xv_law law, struct tile *tile, size_t length, const int64_t *places,
                    size_t runs, int64_t stride, char *out)
{
    const char *values = (const char *)tile->values.bytes;
    xv_chosen.sample(law, &tile->words, length * runs, &tile->values);
    switch (xv_dtype_facts[law.dtype].itemsize) {
    case 8:
        put_runs(values, 8, length, places, runs, stride, out);
        break;
    case 4:
        put_runs(values, 4, length, places, runs, stride, out);
        break;
    case 2:
        put_runs(values, 2, length, places, runs, stride, out);
        break;
    default:
        put_runs(values, 1, length, places, runs, stride, out);
        break;
    }
}

void xv_fill(struct xv_law law, const uint64_t key[2], uint64_t first, const struct xv_axis *axes,
             int rank, char *out)
{
    const struct xv_axis single = {1, 1, 1};
    const struct xv_axis inner = rank ? axes[rank - 1] : single;
    for (int axis = 0; axis < rank; axis++)
        if (axes[axis].count == 0)
            return;
    if (rank <= 1 && inner.step == 1 && inner.stride == 1) {
        fill_run(law, key, first, inner.count, out);
        return;
    }
    struct tile tile;
    struct reader reader = {.key = key};
    const size_t wide = xv_dtype_facts[law.dtype].wordsize;
    int64_t places[TILE], place = 0;
    uint64_t index[XV_MOST_AXES] = {0};
    size_t runs = 0, length = 0; /* the tile holds this many runs, all of this length */
    for (;;) {
        for (uint64_t start = 0; start < inner.count; start += TILE) {
            uint64_t left = inner.count - start;
            size_t some = left < TILE ? (size_t)left : TILE;
            if (runs && (some != length || (runs + 1) * some > TILE)) {
                scatter(law, &tile, length, places, runs, inner.stride, out);
                runs = 0;
            }
            length = some;
            char *words = (char *)tile.words.bytes + runs * length * wide;
            if (wide == 8)
                read_words(&reader, 8, first + start * inner.step, inner.step, some, words);
            else
                read_words(&reader, 4, first + start * inner.step, inner.step, some, words);
            places[runs++] = place + (int64_t)start * inner.stride;
        }
        int axis = rank - 2;
        for (; axis >= 0; axis--) { /* on to the next position of the outer axes */
            first += axes[axis].step;
            place += axes[axis].stride;
            if (++index[axis] < axes[axis].count)
                break;
            first -= axes[axis].step * axes[axis].count;
            place -= axes[axis].stride * (int64_t)axes[axis].count;
            index[axis] = 0;
        }
        if (axis < 0)
            break;
    }
    scatter(law, &tile, length, places, runs, inner.stride, out);
}

void xv_convert(struct xv_law law, const char *words, size_t count, char *out)
{
    struct tile tile;
    const size_t size = xv_dtype_facts[law.dtype].itemsize;
    const size_t wide = xv_dtype_facts[law.dtype].wordsize;
    while (count) {
        size_t some = count < TILE ? count : TILE;
        memcpy(&tile.words, words, some * wide);
        xv_chosen.sample(law, &tile.words, some, &tile.values);
        memcpy(out, &tile.values, some * size);
        words += some * wide;
        out += some * size;
        count -= some;
    }
}
