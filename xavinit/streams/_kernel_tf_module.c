/* TensorFlow's numbers as a function of the module: it checks arguments, releases the interpreter
 * lock and calls. */

#define PY_SSIZE_T_CLEAN
#include "_kernel_tf_module.h"

#include "_kernel_tf.h"

#include <string.h>

/* In bytes: drawing this many takes as long as giving up the interpreter lock. */
#define WORTH_UNLOCKING 16384

PyObject *xv_tf_py_fill(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer out, key;
    int kind, dtype;
    double first, second;
    unsigned long long start;
    uint32_t words[4];
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*y*iiddK:tf_fill", &out, &key, &kind, &dtype, &first,
                          &second, &start))
        return NULL;
    if (key.len != (Py_ssize_t)sizeof words) {
        PyErr_Format(PyExc_ValueError, "a key has 16 bytes; got %zd", key.len);
        goto end;
    }
    if (kind < XV_TF_UNIFORM || kind > XV_TF_TRUNCATED ||
        (dtype != XV_float64 && dtype != XV_float32 && dtype != XV_float16 &&
         dtype != XV_bfloat16)) {
        PyErr_Format(PyExc_ValueError, "no such law: kind %d, dtype %d", kind, dtype);
        goto end;
    }
    size_t itemsize = xv_dtype_facts[dtype].itemsize, count = (size_t)out.len / itemsize;
    if ((size_t)out.len % itemsize != 0) {
        PyErr_Format(PyExc_ValueError, "a buffer of whole elements is needed; got %zd bytes",
                     out.len);
        goto end;
    }
    memcpy(words, key.buf, sizeof words);
    struct xv_tf_law law = {(enum xv_tf_kind)kind, (enum xv_dtype)dtype, first, second};
    if (out.len < WORTH_UNLOCKING) {
        xv_tf_fill(law, words, start, count, out.buf);
    } else {
        Py_BEGIN_ALLOW_THREADS
        xv_tf_fill(law, words, start, count, out.buf);
        Py_END_ALLOW_THREADS
    }
    result = Py_NewRef(Py_None);
end:
    PyBuffer_Release(&out);
    PyBuffer_Release(&key);
    return result;
}
