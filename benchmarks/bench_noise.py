"""Uncertainties: photon and read noise of CCDs, photon noise of counts.

python benchmarks/bench_noise.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import noise
from calacs.detector import Quadrants
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """ERR from SCI."""
    planes = Planes.of(shape)
    sci, err, blank = planes.sci, planes.err, np.zeros(shape, np.float32)
    read_noise = Quadrants(shape[1] // 2, shape[0] // 2, (4.0, 4.1, 3.9, 4.0))
    yield Kernel("ccd", lambda _: noise.ccd(sci, err, read_noise, False), 12, [err], splits=False)
    yield Kernel("counts", lambda rows: noise.counts(sci[rows], err[rows]), 8, [err])
    yield Kernel("is_blank", lambda rows: noise.is_blank(blank[rows]), 4)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
