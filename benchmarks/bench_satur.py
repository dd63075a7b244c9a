"""Full wells: flags where an image is above another.

python benchmarks/bench_satur.py [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import satur
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """One pixel in a hundred is above the level."""
    planes = Planes.of(shape)
    sci, dq, level = planes.sci, planes.dq, np.full(shape, 1000.0, np.float32)

    def flag(rows: slice) -> None:
        part = sci[rows]
        satur.flag(part, dq[rows], level[rows], (0, part.shape[0]), (0, part.shape[1]), 256)

    yield Kernel("flag", flag, 8, [dq])


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
