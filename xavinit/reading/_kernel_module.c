/* The kernel as a Python module: it checks arguments, releases the interpreter lock and calls. */

/* setup.py defines Py_LIMITED_API where it can: one build for CPython 3.11 and all that follow. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_kernel.h"

/* In bytes: counting this many takes as long as giving up the interpreter lock and getting it
 * back. */
#define WORTH_UNLOCKING 16384

static const Py_ssize_t BITS[] = {
#define XR_BITS(name, bits, wide) bits,
    XR_KINDS(XR_BITS)
#undef XR_BITS
};

/* Is this memory of so many bytes, aligned to 8? */
static int check_memory(const Py_buffer *memory, size_t nbytes, const char *name)
{
    if ((size_t)memory->len == nbytes && (nbytes == 0 || (uintptr_t)memory->buf % 8 == 0))
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must be %zu bytes, aligned to 8; got %zd", name, nbytes,
                 memory->len);
    return -1;
}

/* Without room for runs, none will end. */
static int check_block(const struct xr_scratch *scratch, int kind, const Py_buffer *block,
                       const Py_buffer *runs)
{
    if (kind < 0 || kind >= XR_KIND_COUNT) {
        PyErr_Format(PyExc_ValueError, "no such kind: %d", kind);
        return -1;
    }
    if (block->len > UINT32_MAX / 8 || block->len * 8 % BITS[kind] != 0) {
        PyErr_Format(PyExc_ValueError, "a block of %zd bytes is too large, or broken off",
                     block->len);
        return -1;
    }
    uint64_t count = (uint64_t)(block->len * 8 / BITS[kind]);
    if (scratch->counted + count > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "flush must come first: the tables are full");
        return -1;
    }
    if (runs == NULL)
        return 0;
    uint64_t most = (scratch->position + count) / XR_RUN + 1;
    if ((uintptr_t)runs->buf % 8 != 0 || (uint64_t)runs->len / sizeof(struct xr_run) < most) {
        PyErr_Format(PyExc_ValueError, "there must be room for %llu runs",
                     (unsigned long long)most);
        return -1;
    }
    return 0;
}

static PyObject *scan(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer memory, block, runs;
    PyObject *result = NULL;
    int kind, is_last;
    size_t closed;
    if (!PyArg_ParseTuple(arguments, "w*iy*pw*:scan", &memory, &kind, &block, &is_last, &runs))
        return NULL;
    if (check_memory(&memory, sizeof(struct xr_scratch), "scratch") < 0 ||
        check_block(memory.buf, kind, &block, &runs) < 0)
        goto end;
    if (block.len < WORTH_UNLOCKING) {
        closed = xr_scan(memory.buf, (enum xr_kind)kind, block.buf, (size_t)block.len, is_last,
                         runs.buf);
    } else {
        Py_BEGIN_ALLOW_THREADS
        closed = xr_scan(memory.buf, (enum xr_kind)kind, block.buf, (size_t)block.len, is_last,
                         runs.buf);
        Py_END_ALLOW_THREADS
    }
    result = PyLong_FromSize_t(closed);
end:
    PyBuffer_Release(&memory);
    PyBuffer_Release(&block);
    PyBuffer_Release(&runs);
    return result;
}

static int check_zoom(const struct xr_zoom *zoom, int kind)
{
    if (kind >= XR_float32 && zoom->shift >= 0 && zoom->shift < 64 && zoom->first <= zoom->last &&
        (uint64_t)(zoom->last >> zoom->shift) - (uint64_t)(zoom->first >> zoom->shift) < XR_OUTSIDE)
        return 0;
    PyErr_SetString(PyExc_ValueError, "no such zoom");
    return -1;
}

static PyObject *look(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer memory, block;
    PyObject *result = NULL;
    struct xr_zoom zoom;
    int kind;
    long long first, last;
    if (!PyArg_ParseTuple(arguments, "w*iy*LLi:look", &memory, &kind, &block, &first, &last,
                          &zoom.shift))
        return NULL;
    zoom.first = first;
    zoom.last = last;
    if (check_memory(&memory, sizeof(struct xr_scratch), "scratch") == 0 &&
        check_block(memory.buf, kind, &block, NULL) == 0 && check_zoom(&zoom, kind) == 0) {
        Py_BEGIN_ALLOW_THREADS
        xr_look(memory.buf, (enum xr_kind)kind, block.buf, (size_t)block.len, &zoom);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&memory);
    PyBuffer_Release(&block);
    return result;
}

static PyObject *flush(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer scratch, totals;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*w*:flush", &scratch, &totals))
        return NULL;
    if (check_memory(&scratch, sizeof(struct xr_scratch), "scratch") == 0 &&
        check_memory(&totals, sizeof(struct xr_totals), "totals") == 0) {
        xr_flush(scratch.buf, totals.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&scratch);
    PyBuffer_Release(&totals);
    return result;
}

static PyObject *clear(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer totals;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "w*:clear", &totals))
        return NULL;
    if (check_memory(&totals, sizeof(struct xr_totals), "totals") == 0) {
        xr_clear(totals.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&totals);
    return result;
}

static PyObject *read_facts(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer totals;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "y*:read_facts", &totals))
        return NULL;
    if (check_memory(&totals, sizeof(struct xr_totals), "totals") == 0) {
        const struct xr_facts *f = &((const struct xr_totals *)totals.buf)->facts;
        result = Py_BuildValue("K(KKKK)LL", (unsigned long long)f->finite,
                               (unsigned long long)f->zeros, (unsigned long long)f->nans,
                               (unsigned long long)f->positive_infinities,
                               (unsigned long long)f->negative_infinities, (long long)f->low,
                               (long long)f->high);
    }
    PyBuffer_Release(&totals);
    return result;
}

static PyObject *count_bins(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer totals;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "y*:count_bins", &totals))
        return NULL;
    if (check_memory(&totals, sizeof(struct xr_totals), "totals") == 0)
        result = PyLong_FromSize_t(xr_count_bins(totals.buf));
    PyBuffer_Release(&totals);
    return result;
}

/* Within these, no magnitude leaves the tables, and no power of two the normal float64s. */
static int check_layout(const struct xr_layout *layout, int order)
{
    int is_float = order <= XR_EXPONENTS;
    if (order >= 0 && order < XR_ORDER_COUNT && layout->bits >= 2 && layout->bits <= 16 &&
        layout->mantissa >= 0 && layout->mantissa < 16 && layout->smallest_exponent >= -200 &&
        layout->smallest_exponent <= 200 &&
        (!is_float || (1 << layout->bits) >> layout->mantissa <= 512) &&
        layout->finite <= 1u << (layout->bits - (order != XR_EXPONENTS)))
        return 0;
    PyErr_SetString(PyExc_ValueError, "no such layout");
    return -1;
}

static PyObject *list_bins(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer totals, out[4];
    PyObject *result = NULL;
    struct xr_layout layout;
    struct xr_codes codes;
    int order;
    if (!PyArg_ParseTuple(arguments, "y*(iiiiIpp)w*w*w*w*:list_bins", &totals, &order,
                          &layout.bits, &layout.mantissa, &layout.smallest_exponent,
                          &layout.finite, &layout.has_infinity, &layout.has_negative_zero, &out[0],
                          &out[1], &out[2], &out[3]))
        return NULL;
    if (check_memory(&totals, sizeof(struct xr_totals), "totals") < 0 ||
        check_layout(&layout, order) < 0)
        goto end;
    for (int i = 0; i < 4; i++)
        if (check_memory(&out[i], (size_t)out[0].len / 8 * 8, "bins") < 0)
            goto end;
    layout.order = (enum xr_order)order;
    struct xr_bins bins = {out[0].buf, out[1].buf, out[2].buf, out[3].buf, (size_t)out[0].len / 8};
    size_t size = xr_list_bins(totals.buf, &layout, &bins, &codes);
    result = Py_BuildValue("n(KKKK)(dddd)", (Py_ssize_t)size, (unsigned long long)codes.zeros,
                           (unsigned long long)codes.nans,
                           (unsigned long long)codes.positive_infinities,
                           (unsigned long long)codes.negative_infinities, codes.finite,
                           codes.pivot, codes.sum, codes.squares);
end:
    PyBuffer_Release(&totals);
    for (int i = 0; i < 4; i++)
        PyBuffer_Release(&out[i]);
    return result;
}

static PyObject *list_variants(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
    PyObject *names = PyList_New(0);
    for (const char *const *name = xr_variants(); names != NULL && *name != NULL; name++) {
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
    for (const char *const *name = xr_variants(); *name != NULL; name++)
        count++;
    if (index >= count) {
        PyErr_Format(PyExc_ValueError, "no such variant: %d", index);
        return NULL;
    }
    xr_use_variant(index);
    return Py_NewRef(Py_None);
}

static PyMethodDef METHODS[] = {
    {"scan", scan, METH_VARARGS, NULL},
    {"look", look, METH_VARARGS, NULL},
    {"flush", flush, METH_VARARGS, NULL},
    {"clear", clear, METH_VARARGS, NULL},
    {"read_facts", read_facts, METH_VARARGS, NULL},
    {"count_bins", count_bins, METH_VARARGS, NULL},
    {"list_bins", list_bins, METH_VARARGS, NULL},
    {"list_variants", list_variants, METH_NOARGS, NULL},
    {"use_variant", use_variant, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* Give the module a table: name -> number. */
static int add_table(PyObject *module, const char *title, const char *const *names, int count)
{
    PyObject *table = PyDict_New();
    for (int i = 0; i < count && table != NULL; i++) {
        PyObject *number = PyLong_FromLong(i);
        if (number == NULL || PyDict_SetItemString(table, names[i], number) < 0)
            Py_CLEAR(table);
        Py_XDECREF(number);
    }
    int result = PyModule_AddObjectRef(module, title, table); /* fails where that is NULL */
    Py_XDECREF(table);
    return result;
}

static int execute(PyObject *module)
{
#define XR_KIND_NAME(name, bits, wide) #name,
#define XR_ORDER_NAME(name) #name,
    static const char *const KINDS[] = {XR_KINDS(XR_KIND_NAME)};
    static const char *const ORDERS[] = {XR_ORDERS(XR_ORDER_NAME)};
    xr_use_variant(-1);
    if (add_table(module, "KINDS", KINDS, XR_KIND_COUNT) < 0 ||
        add_table(module, "ORDERS", ORDERS, XR_ORDER_COUNT) < 0 ||
        PyModule_AddIntConstant(module, "SCRATCH", sizeof(struct xr_scratch)) < 0 ||
        PyModule_AddIntConstant(module, "TOTALS", sizeof(struct xr_totals)) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "RUN", XR_RUN);
}

static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_kernel",
    .m_doc = "The native kernel of reading; _kernel.pyi describes it.",
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
