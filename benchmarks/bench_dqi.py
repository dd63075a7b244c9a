"""Flags of bad pixels: a level, and runs of a table.

python benchmarks/bench_dqi.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import dqi
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Runs: a bad column for every 500 pixels of a row, 1 pixel in 500 besides."""
    planes = Planes.of(shape)
    n_row, n_col = shape
    rng = np.random.default_rng(1)
    runs = np.ones((shape[0] * shape[1] // 500, 5), np.int32)
    runs[:, 0], runs[:, 1] = rng.integers(1, n_col, len(runs)), rng.integers(1, n_row, len(runs))
    runs[:, 4] = 4
    runs[: n_col // 500, 1:4] = (1, n_row, 2)
    flagged = int(runs[:, 2].sum())
    sci, dq = planes.sci, planes.dq
    yield Kernel("flag_above", lambda rows: dqi.flag_above(sci[rows], dq[rows], 2000.0, 256), 6, [dq])
    yield Kernel("flag_runs", lambda _: dqi.flag_runs(dq, runs, 0.0, 0.0), 4, [dq], flagged, splits=False)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acsccd", "DQICORR"))
