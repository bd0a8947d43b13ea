#include "_kernel_tables.h"

#define NAME(name) #name,
const char *const xv_distribution_names[XV_DISTRIBUTION_COUNT] = {XV_DISTRIBUTIONS(NAME)};

#define FACTS(name, stored, word, mantissa, smallest_exponent, has_negative_zero) \
    {#name, sizeof(stored), sizeof(word), mantissa, smallest_exponent, has_negative_zero},
const struct xv_facts xv_dtype_facts[XV_DTYPE_COUNT] = {XV_DTYPES(FACTS)};
