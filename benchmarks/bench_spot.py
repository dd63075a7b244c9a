"""Coronagraphic spots: a flat shifted by a fraction of pixels.

python benchmarks/bench_spot.py [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import spot
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Rows are independent."""
    flat = Planes.of(shape).ref_sci
    sci, err = np.empty(shape, np.float32), np.empty(shape, np.float32)
    sci[:], err[:] = 0.0, 0.0
    yield Kernel("shift", lambda r: spot.shift(flat, 3.3, -2.7, r.start, sci[r], err[r]), 12, [sci, err])


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
