"""Stripes: bias statistics of one amplifier, and the subtraction from its pixels.

python benchmarks/bench_destripe.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import destripe
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Measured are 24 columns of each row; corrected is half of the chip."""
    sci = Planes.of(shape, sky=2500.0).sci
    half = sci.size // 2
    pattern, level, stripe, _ = destripe.measure(sci, 2)
    stripe = np.ascontiguousarray(stripe)
    yield Kernel("measure", lambda _: destripe.measure(sci, 2), 4, [], shape[0] * 24, splits=False)
    yield Kernel("subtract", lambda _: destripe.subtract(sci, 2, pattern, level, stripe), 8, [sci], half, splits=False)


if __name__ == "__main__":
    sizes = [(n_row, 4144) for n_row in (517, 1034, 2068)]
    bench_kernels(__doc__ or "", kernels, sizes=sizes)
