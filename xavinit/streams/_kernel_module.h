/* What the parts of the module share: arguments of Python as the kernel takes them. */
#ifndef XAVINIT_KERNEL_MODULE_H
#define XAVINIT_KERNEL_MODULE_H

#include <Python.h>

#include "_kernel.h"

/* The axes of a tuple of tuples, and their number, or -1 with an error set; from `place` on, none
 * may leave a buffer of so many elements. */
int xv_parse_axes(PyObject *tuple, struct xv_axis *axes, Py_ssize_t elements, Py_ssize_t place);

/* Do so many elements take longer than to give up the interpreter lock? */
int xv_is_long(const struct xv_axis *axes, int rank);

#endif
