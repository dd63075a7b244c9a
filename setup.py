"""Build the C core as a static library and one thin Cython module per kernel family."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MSVC = sys.platform == "win32"
# Contraction to fused multiply-add would change last bits from machine to machine.  Floating-point exceptions and errno of
# the mathematical functions are not looked at; without them conditional sums and roots are vectorized, with the same bits.
C_FLAGS = (
    ["/O2", "/fp:precise", "/W3"]
    if MSVC
    else ["-std=c99", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
    + ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow"]
)
CYTHON_FLAGS = ["/O2"] if MSVC else ["-O2", "-g0", "-ffp-contract=off"]
# Cython's own helpers, which all modules share.
SHARED = "calacs._core._cyutility"
MODULES = sorted(Path("src/calacs/_core").glob("*.pyx"))


class BuildExt(build_ext):
    """`build_ext` alone, as editable installs run it, must build the static library too."""

    def run(self):
        self.run_command("build_clib")
        super().run()


setup(
    libraries=[
        (
            "calacs",
            {
                "sources": sorted(str(path) for path in Path("csrc").glob("*.c")),
                "include_dirs": ["csrc"],
                "obj_deps": {"": sorted(str(path) for path in Path("csrc").glob("*.h"))},
                "cflags": C_FLAGS,
            },
        )
    ],
    ext_modules=cythonize(
        [
            Extension(
                f"calacs._core.{path.stem}",
                [str(path)],
                include_dirs=["csrc"],
                depends=sorted(str(p) for p in [*Path("csrc").glob("*.[ch]"), *Path("src/calacs/_core").glob("*.pxd")]),
                extra_compile_args=CYTHON_FLAGS,
            )
            for path in MODULES
        ]
        + [Extension(SHARED, [f"src/{SHARED.replace('.', '/')}.c"], extra_compile_args=CYTHON_FLAGS)],
        shared_utility_qualified_name=SHARED,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "freethreading_compatible": True,
            "binding": True,
            "embedsignature": True,
        },
    ),
    cmdclass={"build_ext": BuildExt},
)
