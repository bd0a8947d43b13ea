/* The kernel as a Python module: it checks arguments, releases the interpreter lock and calls. */

/* setup.py defines Py_LIMITED_API where it can: one build for CPython 3.11 and all that follow. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_kernel_jax.h"
#include "_kernel_jax_module.h"
#include "_kernel_module.h"
#include "_kernel_mt.h"
#include "_kernel_mt_module.h"
#include "_kernel_tf.h"
#include "_kernel_tf_module.h"

#include <string.h>

static int parse_law(int distribution, int dtype, double scale, struct xv_law *law)
{
    if (distribution < 0 || distribution >= XV_DISTRIBUTION_COUNT || dtype < 0 ||
        dtype >= XV_DTYPE_COUNT) {
        PyErr_Format(PyExc_ValueError, "no such law: distribution %d, dtype %d", distribution,
                     dtype);
        return -1;
    }
    law->distribution = (enum xv_distribution)distribution;
    law->dtype = (enum xv_dtype)dtype;
    law->scale = scale;
    return 0;
}

static int refuse_axes(void)
{
    PyErr_SetString(PyExc_ValueError, "an axis leaves the buffer");
    return -1;
}

int xv_parse_axes(PyObject *tuple, struct xv_axis *axes, Py_ssize_t elements, Py_ssize_t place)
{
    Py_ssize_t rank = PyTuple_Size(tuple), low = place, high = place;
    int is_empty = 0;
    if (rank < 0 || rank > XV_MOST_AXES) {
        PyErr_Format(PyExc_ValueError, "at most %d axes; got %zd", XV_MOST_AXES, rank);
        return -1;
    }
    if (place < 0 || place > elements)
        return refuse_axes();
    for (Py_ssize_t i = 0; i < rank; i++) {
        PyObject *axis = PyTuple_GetItem(tuple, i);
        Py_ssize_t count, step, stride;
        if (axis == NULL)
            return -1;
        if (!PyTuple_Check(axis)) {
            PyErr_SetString(PyExc_TypeError, "an axis must be a tuple");
            return -1;
        }
        if (!PyArg_ParseTuple(axis, "nnn", &count, &step, &stride))
            return -1;
        if (count < 0 || count > elements || step < 0)
            return refuse_axes();
        if (count <= 1) {
            step = stride = 1; /* no element takes a step, whatever its size */
        } else {
            /* First one step must stay within, so that the product of all cannot overflow. */
            if (stride > elements || stride < -elements ||
                (stride != 0 && count - 1 > elements / (stride < 0 ? -stride : stride)))
                return refuse_axes();
            if (stride < 0)
                low += (count - 1) * stride;
            else
                high += (count - 1) * stride;
            if (low < 0 || high >= elements)
                return refuse_axes();
        }
        axes[i] = (struct xv_axis){(uint64_t)count, (uint64_t)step, stride};
        is_empty |= count == 0;
    }
    return !is_empty && place >= elements ? refuse_axes() : (int)rank;
}

/* In elements: drawing this many takes as long as giving up the interpreter lock and getting it
 * back. */
#define WORTH_UNLOCKING 4096

int xv_is_long(const struct xv_axis *axes, int rank)
{
    uint64_t count = 1;
    for (int i = 0; i < rank && count < WORTH_UNLOCKING; i++)
        count *= axes[i].count < WORTH_UNLOCKING ? axes[i].count : WORTH_UNLOCKING;
    return count >= WORTH_UNLOCKING;
}

static PyObject *fill(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer out, key;
    PyObject *tuple, *result = NULL;
    int distribution, dtype;
    double scale;
    unsigned long long first;
    Py_ssize_t place;
    struct xv_law law;
    struct xv_axis axes[XV_MOST_AXES];
    uint64_t words[2];
    if (!PyArg_ParseTuple(arguments, "w*y*iidKnO!:fill", &out, &key, &distribution, &dtype, &scale,
                          &first, &place, &PyTuple_Type, &tuple))
        return NULL;
    if (parse_law(distribution, dtype, scale, &law) < 0)
        goto end;
    if (key.len != (Py_ssize_t)sizeof words) {
        PyErr_Format(PyExc_ValueError, "a key has 16 bytes; got %zd", key.len);
        goto end;
    }
    memcpy(words, key.buf, sizeof words);
    Py_ssize_t size = (Py_ssize_t)xv_dtype_facts[law.dtype].itemsize;
    int rank = xv_parse_axes(tuple, axes, out.len / size, place);
    if (rank < 0)
        goto end;
    char *start = (char *)out.buf + place * size;
    if (!xv_is_long(axes, rank)) {
        xv_fill(law, words, first, axes, rank, start);
    } else {
        Py_BEGIN_ALLOW_THREADS
        xv_fill(law, words, first, axes, rank, start);
        Py_END_ALLOW_THREADS
    }
    result = Py_NewRef(Py_None);
end:
    PyBuffer_Release(&out);
    PyBuffer_Release(&key);
    return result;
}

static PyObject *convert(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer out, words;
    PyObject *result = NULL;
    int distribution, dtype;
    double scale;
    struct xv_law law;
    if (!PyArg_ParseTuple(arguments, "w*y*iid:convert", &out, &words, &distribution, &dtype,
                          &scale))
        return NULL;
    if (parse_law(distribution, dtype, scale, &law) < 0)
        goto end;
    Py_ssize_t count = words.len / (Py_ssize_t)xv_dtype_facts[law.dtype].wordsize;
    if (out.len != count * (Py_ssize_t)xv_dtype_facts[law.dtype].itemsize) {
        PyErr_Format(PyExc_ValueError, "the buffer of %zd values has %zd bytes", count, out.len);
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    xv_convert(law, words.buf, (size_t)count, out.buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
end:
    PyBuffer_Release(&out);
    PyBuffer_Release(&words);
    return result;
}

static PyObject *list_variants(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
    PyObject *names = PyList_New(0);
    for (const char *const *name = xv_variants(); names != NULL && *name != NULL; name++) {
        PyObject *text = PyUnicode_FromString(*name);
        if (text == NULL || PyList_Append(names, text) < 0)
            Py_CLEAR(names);
        Py_XDECREF(text);
    }
    return names;
}

static PyObject *use_variant(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int index, count = 0;
    if (!PyArg_ParseTuple(arguments, "i:use_variant", &index))
        return NULL;
    for (const char *const *name = xv_variants(); *name != NULL; name++)
        count++;
    if (index >= count) {
        PyErr_Format(PyExc_ValueError, "no such variant: %d", index);
        return NULL;
    }
    xv_use_variant(index);
    xv_mt_use_variant(index);
    xv_jax_use_variant(index);
    xv_tf_use_variant(index);
    return Py_NewRef(Py_None);
}

static PyMethodDef METHODS[] = {
    {"fill", fill, METH_VARARGS, NULL},
    {"convert", convert, METH_VARARGS, NULL},
    {"list_variants", list_variants, METH_NOARGS, NULL},
    {"use_variant", use_variant, METH_VARARGS, NULL},
    XV_MT_METHODS,
    XV_JAX_METHODS,
    XV_TF_METHODS,
    {NULL, NULL, 0, NULL},
};

/* The table of distributions: name -> number. */
static PyObject *make_distributions(void)
{
    PyObject *table = PyDict_New();
    for (int i = 0; i < XV_DISTRIBUTION_COUNT && table != NULL; i++) {
        PyObject *number = PyLong_FromLong(i);
        if (number == NULL || PyDict_SetItemString(table, xv_distribution_names[i], number) < 0)
            Py_CLEAR(table);
        Py_XDECREF(number);
    }
    return table;
}

/* The table of dtypes: name -> (number, itemsize, mantissa, smallest exponent, has a -0). */
static PyObject *make_dtypes(void)
{
    PyObject *table = PyDict_New();
    for (int i = 0; i < XV_DTYPE_COUNT && table != NULL; i++) {
        const struct xv_facts *row = &xv_dtype_facts[i];
        PyObject *facts = Py_BuildValue("iniiO", i, (Py_ssize_t)row->itemsize, row->mantissa,
                                        row->smallest_exponent,
                                        row->has_negative_zero ? Py_True : Py_False);
        if (facts == NULL || PyDict_SetItemString(table, row->name, facts) < 0)
            Py_CLEAR(table);
        Py_XDECREF(facts);
    }
    return table;
}

/* Give the module an attribute, and give up our reference to it. */
static int add(PyObject *module, const char *name, PyObject *value)
{
    int result = PyModule_AddObjectRef(module, name, value); /* fails where value is NULL */
    Py_XDECREF(value);
    return result;
}

static int execute(PyObject *module)
{
    xv_use_variant(-1);
    xv_mt_use_variant(-1);
    xv_jax_use_variant(-1);
    xv_tf_use_variant(-1);
    if (add(module, "DISTRIBUTIONS", make_distributions()) < 0)
        return -1;
    return add(module, "DTYPES", make_dtypes());
}

static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_kernel",
    .m_doc = "The native kernel; _kernel.pyi describes it.",
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
