/* PyTorch's generator as functions of the module: they check arguments, release the interpreter
 * lock and call. */

#define PY_SSIZE_T_CLEAN
#include "_kernel_mt_module.h"

#include "_kernel_mt.h"

#include <string.h>

/* In bytes: drawing this many takes as long as giving up the interpreter lock. */
#define WORTH_UNLOCKING 16384

/* The state in a buffer, copied: a buffer need not be aligned. */
static int read_state(const Py_buffer *buffer, struct xv_mt *state)
{
    if (buffer->len != (Py_ssize_t)sizeof *state) {
        PyErr_Format(PyExc_ValueError, "a state has %zd bytes; got %zd", sizeof *state,
                     buffer->len);
        return -1;
    }
    memcpy(state, buffer->buf, sizeof *state);
    if (state->place > MT_WORDS) {
        PyErr_Format(PyExc_ValueError, "a state has used at most %d words; got %u", MT_WORDS,
                     (unsigned)state->place);
        return -1;
    }
    return 0;
}

PyObject *xv_mt_py_seed(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned long seed;
    struct xv_mt state;
    if (!PyArg_ParseTuple(arguments, "k:mt_seed", &seed))
        return NULL;
    xv_mt_seed(&state, (uint32_t)seed);
    return PyByteArray_FromStringAndSize((const char *)&state, sizeof state);
}

PyObject *xv_mt_py_skip(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer buffer;
    unsigned long long count;
    struct xv_mt state;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*K:mt_skip", &buffer, &count))
        return NULL;
    if (read_state(&buffer, &state) == 0) {
        Py_BEGIN_ALLOW_THREADS
        xv_mt_skip(&state, count);
        Py_END_ALLOW_THREADS
        memcpy(buffer.buf, &state, sizeof state);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&buffer);
    return result;
}

enum kind { UNIFORM, NORMAL, PAIRS };

static void draw(enum kind kind, struct xv_mt *state, struct xv_mt_law law, size_t count,
                 char *out)
{
    if (kind == UNIFORM)
        xv_mt_uniform(state, law, count, out);
    else if (kind == NORMAL)
        xv_mt_normal(state, law, count, out);
    else
        xv_mt_normal_pairs(state, law, count, out);
}

PyObject *xv_mt_py_fill(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer buffer, out;
    int kind, dtype, fused;
    double first, second;
    struct xv_mt state;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*w*iipdd:mt_fill", &buffer, &out, &kind, &dtype, &fused,
                          &first, &second))
        return NULL;
    if (read_state(&buffer, &state) < 0)
        goto end;
    if (kind < UNIFORM || kind > PAIRS ||
        (dtype != XV_float64 && dtype != XV_float32 && dtype != XV_float16 &&
         dtype != XV_bfloat16)) {
        PyErr_Format(PyExc_ValueError, "no such law: kind %d, dtype %d", kind, dtype);
        goto end;
    }
    size_t itemsize = xv_dtype_facts[dtype].itemsize, count = (size_t)out.len / itemsize;
    if ((size_t)out.len % itemsize != 0 || (kind == NORMAL && count % 16 != 0)) {
        PyErr_Format(PyExc_ValueError, "a buffer of whole blocks is needed; got %zd bytes",
                     out.len);
        goto end;
    }
    struct xv_mt_law law = {(enum xv_dtype)dtype, fused != 0, first, second};
    if (out.len < WORTH_UNLOCKING) {
        draw((enum kind)kind, &state, law, count, out.buf);
    } else {
        Py_BEGIN_ALLOW_THREADS
        draw((enum kind)kind, &state, law, count, out.buf);
        Py_END_ALLOW_THREADS
    }
    memcpy(buffer.buf, &state, sizeof state);
    result = Py_NewRef(Py_None);
end:
    PyBuffer_Release(&buffer);
    PyBuffer_Release(&out);
    return result;
}

PyObject *xv_mt_py_evaluate(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer values, out;
    int function;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*y*i:mt_evaluate", &out, &values, &function))
        return NULL;
    Py_ssize_t itemsize = function < 4 ? 8 : 4;
    if (function < 0 || function > 9 || values.len != out.len || out.len % itemsize != 0) {
        PyErr_SetString(PyExc_ValueError, "no such function, or buffers of other lengths");
    } else {
        xv_mt_evaluate(function, values.buf, (size_t)(out.len / itemsize), out.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&out);
    return result;
}
