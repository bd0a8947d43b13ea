/* What JAX's numbers add to the module. */
#ifndef XAVINIT_KERNEL_JAX_MODULE_H
#define XAVINIT_KERNEL_JAX_MODULE_H

#include <Python.h>

PyObject *xv_jax_py_fill(PyObject *module, PyObject *arguments);

#define XV_JAX_METHODS {"jax_fill", xv_jax_py_fill, METH_VARARGS, NULL}

#endif
