"""Counting losses of the SBC: flags around pixels above a limit.

python benchmarks/bench_nonlin.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import nonlin
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """No pixel above the limit, and one in a hundred."""
    planes = Planes.of(shape)
    sci, dq = planes.sci, planes.dq
    for name, limit in (("none above", 1e9), ("1 % above", 1000.0)):
        call = lambda _, limit=limit: nonlin.flag(sci, dq, limit, 3.0, 256)  # noqa: E731
        yield Kernel(f"flag, {name}", call, 4, [dq], splits=False)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acs2d", "GLINCORR"), detector="SBC", exptime=600.0)
