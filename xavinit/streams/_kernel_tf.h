/* TensorFlow's stateless numbers: a key and a position -> values, for Keras's initializers.
 *
 *   _kernel_tf_words.h     a key and a counter -> words
 *   _kernel_tf.c           what TensorFlow makes of them, for each kind of processor
 *   _kernel_tf_module.c    the function that Python sees
 *
 * The readable form of the same is philox_tf.py and keras_numpy.py.
 */
#ifndef XAVINIT_KERNEL_TF_H
#define XAVINIT_KERNEL_TF_H

#include "_kernel_tables.h"

#include <stddef.h>
#include <stdint.h>

/* Uniform on [first, second); normal, or normal cut at two stds, with mean `first` and std
 * `second`, that before the cut. */
enum xv_tf_kind { XV_TF_UNIFORM, XV_TF_NORMAL, XV_TF_TRUNCATED };

struct xv_tf_law {
    enum xv_tf_kind kind;
    enum xv_dtype dtype; /* float64, float32, float16 or bfloat16 */
    double first;
    double second;
};

/* Write the elements [start, start + count) of the tensor with this key: the cipher's two words,
 * and the upper two of its counter. */
void xv_tf_fill(struct xv_tf_law law, const uint32_t key[4], uint64_t start, size_t count,
                char *out);

/* Use the variant of this number, as `xv_use_variant` does. */
void xv_tf_use_variant(int index);

#endif
