"""Build the C core as a static library and one thin Cython module per kernel family."""

import platform
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MSVC = sys.platform == "win32" and not sysconfig.get_platform().startswith("mingw")
MSVC_X64 = MSVC and sysconfig.get_platform() == "win-amd64"
# Contraction to fused multiply-add would change last bits from machine to machine.  Floating-point exceptions and errno of
# the mathematical functions are not looked at; without them conditional sums and roots are vectorized, with the same bits.
C_FLAGS = (
    ["/O2", "/fp:precise", "/W3"]
    if MSVC
    else ["-std=c99", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
    + ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow"]
)
CYTHON_FLAGS = ["/O2"] if MSVC else ["-O2", "-g0", "-ffp-contract=off"]
if (
    not MSVC
    and sys.maxsize < 2**32
    and platform.machine().lower() in ("i386", "i586", "i686", "x86", "x86_64", "amd64")
):
    # The x87 unit of 32-bit x86 rounds at other places.
    C_FLAGS += ["-msse2", "-mfpmath=sse"]
# One build for all versions of Python from 3.11 on.  Free-threaded ones have no stable binary interface yet.
STABLE_ABI = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
MACROS = [("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else []
# Cython's own helpers, which all modules share.
SHARED = "calacs._core._cyutility"
MODULES = sorted(Path("src/calacs/_core").glob("*.pyx"))


class BuildExt(build_ext):
    """`build_ext` alone, as editable installs run it, must build the static library too."""

    def run(self):
        self.run_command("build_clib")
        super().run()
        if self.inplace and STABLE_ABI:
            # A module built for one version of Python only would hide the one for all.
            for module in Path("src/calacs/_core").glob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
                module.unlink()


def extension(name, source, **options):
    return Extension(
        name,
        [source],
        extra_compile_args=CYTHON_FLAGS,
        define_macros=MACROS,
        py_limited_api=STABLE_ABI,
        **options,
    )


def library(name, sources, flags=()):
    return (
        name,
        {
            "sources": sorted(map(str, sources)),
            "include_dirs": ["csrc"],
            "obj_deps": {"": sorted(str(path) for path in Path("csrc").glob("*.h"))},
            "cflags": C_FLAGS + list(flags),
        },
    )


SOURCES = set(Path("csrc").glob("*.c"))
# Other compilers find the instruction set in the files themselves.
SETS = {"AVX2": Path("csrc/cte_avx2.c"), "AVX512": Path("csrc/cte_avx512.c")} if MSVC_X64 else {}

setup(
    libraries=[library("calacs", SOURCES - set(SETS.values()))]
    + [library(f"calacs_{name.lower()}", [source], [f"/arch:{name}"]) for name, source in SETS.items()],
    ext_modules=cythonize(
        [
            extension(
                f"calacs._core.{path.stem}",
                str(path),
                include_dirs=["csrc"],
                depends=sorted(str(p) for p in [*Path("csrc").glob("*.[ch]"), *Path("src/calacs/_core").glob("*.pxd")]),
            )
            for path in MODULES
        ]
        + [extension(SHARED, f"src/{SHARED.replace('.', '/')}.c")],
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
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
