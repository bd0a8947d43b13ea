/* JAX's numbers as a function of the module: it checks arguments, releases the interpreter lock and
 * calls. */

#define PY_SSIZE_T_CLEAN
#include "_kernel_jax_module.h"

#include "_kernel_jax.h"
#include "_kernel_module.h"

static int parse_law(int kind, int dtype, struct xv_jax_law *law)
{
    int is_half = dtype == XV_float16 || dtype == XV_bfloat16;
    int is_known = kind == XV_JAX_UNIFORM || kind == XV_JAX_JOINED
                       ? is_half || dtype == XV_float64 || dtype == XV_float32
                       : kind > 0 && kind < XV_JAX_KIND_COUNT && dtype == XV_float32;
    if (!is_known) {
        PyErr_Format(PyExc_ValueError, "no such law: kind %d, dtype %d", kind, dtype);
        return -1;
    }
    law->kind = (enum xv_jax_kind)kind;
    law->dtype = (enum xv_dtype)dtype;
    return 0;
}

PyObject *xv_jax_py_fill(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer out;
    PyObject *tuple, *result = NULL;
    int kind, dtype;
    unsigned int k0, k1;
    unsigned long long first;
    Py_ssize_t place;
    struct xv_jax_law law;
    struct xv_axis axes[XV_MOST_AXES];
    if (!PyArg_ParseTuple(arguments, "w*(II)ii(ddd)KnO!:jax_fill", &out, &k0, &k1, &kind, &dtype,
                          &law.first, &law.second, &law.scale, &first, &place, &PyTuple_Type,
                          &tuple))
        return NULL;
    if (parse_law(kind, dtype, &law) < 0)
        goto end;
    Py_ssize_t size = (Py_ssize_t)xv_dtype_facts[law.dtype].itemsize;
    int rank = xv_parse_axes(tuple, axes, out.len / size, place);
    if (rank < 0)
        goto end;
    const uint32_t key[2] = {k0, k1};
    char *start = (char *)out.buf + place * size;
    if (xv_is_long(axes, rank)) {
        Py_BEGIN_ALLOW_THREADS
        xv_jax_fill(law, key, first, axes, rank, start);
        Py_END_ALLOW_THREADS
    } else {
        xv_jax_fill(law, key, first, axes, rank, start);
    }
    result = Py_NewRef(Py_None);
end:
    PyBuffer_Release(&out);
    return result;
}
