"""Build the native kernels where a C compiler is; without them the package runs on NumPy alone.

The samples go into the package, beside its templates, for `xavinit new`.

Their sources and compiler flags stand in pyproject.toml, with everything else.
"""

import sysconfig
import tomllib
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

PROJECT = Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8")
KERNELS = tomllib.loads(PROJECT)["tool"]["xavinit"]["kernel"]


class BuildKernels(build_ext):
    """Choose the flags by the kind of compiler, which is not known before."""

    def build_extensions(self) -> None:
        kind = "microsoft" if self.compiler.compiler_type == "msvc" else "unix"
        for extension in self.extensions:
            extension.extra_compile_args = KERNELS["flags"][kind]
        super().build_extensions()


class BuildPackage(build_py):
    """Take the samples along, which lie outside of the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # a checkout has them where they are
            folder = Path(self.build_lib, "xavinit", "templates")
            for sample in glob("sample_specs/*.yaml"):
                self.copy_file(sample, str(folder))


# One build serves CPython 3.11 and all later ones, except those without the interpreter lock.
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            f"{folder.replace('/', '.')}._kernel",
            sources,
            depends=sorted(glob("xavinit/*/_kernel*.h")),
            py_limited_api=LIMITED,
            define_macros=[("Py_LIMITED_API", KERNELS["limited-api"])] if LIMITED else [],
            optional=True,  # without a compiler: a warning, and no kernel
        )
        for folder, sources in KERNELS["sources"].items()
    ],
    cmdclass={"build_ext": BuildKernels, "build_py": BuildPackage},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
)
