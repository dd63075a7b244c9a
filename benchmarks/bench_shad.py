"""Shutter shading: expansion of a binned image, and the divisor that it leads to.

python benchmarks/bench_shad.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import shad
from helpers import Kernel, Planes, bench_kernels

RATIO = 8


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Eight by eight pixels for each of the binned image."""
    sci, err, dq = (np.empty(shape, dtype) for dtype in (np.float32, np.float32, np.int16))
    binned = Planes.of((shape[0] // RATIO, shape[1] // RATIO))
    small = binned.ref_sci, binned.ref_err, binned.ref_dq

    def expand(rows: slice) -> None:
        shad.expand(*small, (RATIO, RATIO), rows.start, 0, sci[rows], err[rows], dq[rows])

    expand(slice(0, shape[0]))
    yield Kernel("expand", expand, 10, [sci, err, dq])
    yield Kernel("divisor", lambda rows: shad.divisor(sci[rows], err[rows], 0.002), 16, [sci, err])


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acs2d", "SHADCORR"), detector="HRC", effects="all", exptime=10.0)
