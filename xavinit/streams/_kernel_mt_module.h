/* What PyTorch's generator adds to the module. */
#ifndef XAVINIT_KERNEL_MT_MODULE_H
#define XAVINIT_KERNEL_MT_MODULE_H

#include <Python.h>

PyObject *xv_mt_py_seed(PyObject *module, PyObject *arguments);
PyObject *xv_mt_py_skip(PyObject *module, PyObject *arguments);
PyObject *xv_mt_py_fill(PyObject *module, PyObject *arguments);
PyObject *xv_mt_py_evaluate(PyObject *module, PyObject *arguments);

#define XV_MT_METHODS                                        \
    {"mt_seed", xv_mt_py_seed, METH_VARARGS, NULL},          \
    {"mt_skip", xv_mt_py_skip, METH_VARARGS, NULL},          \
    {"mt_fill", xv_mt_py_fill, METH_VARARGS, NULL},          \
    {"mt_evaluate", xv_mt_py_evaluate, METH_VARARGS, NULL}

#endif
