"""Sink pixels: flags of the pixels of a map and of their trails.

python benchmarks/bench_sink.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import sink
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """One sink pixel in a thousand, each with a neighbor and a trail of ten pixels."""
    planes = Planes.of(shape)
    sci, dq, codes = planes.sci, planes.dq, np.zeros(shape, np.float32)
    rng = np.random.default_rng(2)
    rows, cols = (rng.integers(1, n - 12, sci.size // 1000) for n in shape)
    codes[rows - 1, cols], codes[rows, cols] = -1.0, -20.0
    for i in range(1, 11):
        codes[rows + i, cols] = 60.0
    state = np.zeros(sci.shape[1], np.uint8), np.zeros(sci.shape[1], np.float32)
    yield Kernel("flag", lambda _: sink.flag(sci, dq, codes, True, 1024, *state), 8, [dq, *state], splits=False)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acsccd", "SINKCORR"))
