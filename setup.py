"""The native kernel, built where a C compiler is; without it the package runs on NumPy alone.

All else is in pyproject.toml.
"""

import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# Each operation is rounded as it is written: no fusing, nothing reordered. Without traps and errno,
# which nothing here looks at, the compiler may vectorize.
UNIX = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
MICROSOFT = ["/std:c11", "/O2", "/fp:precise"]


class BuildKernel(build_ext):
    """Compiler flags by the kind of compiler, which is known only here."""

    def build_extensions(self) -> None:
        flags = MICROSOFT if self.compiler.compiler_type == "msvc" else UNIX
        for extension in self.extensions:
            extension.extra_compile_args = flags
        super().build_extensions()


# One build serves CPython 3.11 and all that follow, but for those without the interpreter lock.
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            "xavinit.streams._kernel",
            ["xavinit/streams/_kernel.c", "xavinit/streams/_kernel_module.c"],
            depends=["xavinit/streams/_kernel.h"],
            py_limited_api=LIMITED,
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED else [],
            optional=True,  # a warning where there is no compiler
        )
    ],
    cmdclass={"build_ext": BuildKernel},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
)
