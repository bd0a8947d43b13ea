/* What TensorFlow's numbers add to the module. */
#ifndef XAVINIT_KERNEL_TF_MODULE_H
#define XAVINIT_KERNEL_TF_MODULE_H

#include <Python.h>

PyObject *xv_tf_py_fill(PyObject *module, PyObject *arguments);

#define XV_TF_METHODS {"tf_fill", xv_tf_py_fill, METH_VARARGS, NULL}

#endif
