"""Bias level: medians of the overscan, the fit, and the subtraction.

python benchmarks/bench_blev.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import blev
from helpers import Kernel, Planes, bench_kernels

OVERSCAN = 24
"""Columns or lines of overscan."""


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Pixels are those that the kernel looks at."""
    n_row, n_col = shape
    planes = Planes.of(shape, sky=2500.0)
    sci, dq = planes.sci, planes.dq
    sections, lines = [(0, OVERSCAN - 1)], (n_row - OVERSCAN, n_row - 1)
    level, used = blev.rows(sci, dq, 16, 0, n_row, sections)
    line = (1e-3, 2500.0)

    def subtract(rows: slice) -> None:
        n = len(range(n_row)[rows])
        blev.subtract(sci[rows], (0, n), (0, n_col), line, n_row / 2 - (rows.start or 0), 1e-4, 12.0)

    yield Kernel("rows", lambda _: blev.rows(sci, dq, 16, 0, n_row, sections), 6, [], n_row * OVERSCAN, splits=False)
    yield Kernel("columns", lambda _: blev.columns(sci, dq, 16, 0, n_col, lines), 6, [], n_col * OVERSCAN, splits=False)
    yield Kernel("fit_line", lambda _: blev.fit_line(level, used, 0.0, n_row / 2), 9, [], n_row, splits=False)
    yield Kernel("subtract", subtract, 8, [sci])


if __name__ == "__main__":
    # Before SM4 the bias level is a straight line.
    bench_kernels(__doc__ or "", kernels, step=("acsccd", "BLEVCORR"), mjd=53000.0)
