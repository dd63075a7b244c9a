"""Bias shift: the correction of one amplifier's pixels.

python benchmarks/bench_biasshift.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import biasshift
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """The memory runs from pixel to pixel: rows cannot be divided."""
    sci = Planes.of(shape, sky=2500.0).sci
    yield Kernel("correct", lambda _: biasshift.correct(sci, shape[1], 2), 8, [sci], splits=False)


if __name__ == "__main__":
    sizes = [(biasshift.ROWS + 1, n_col) for n_col in (512, 1024, 2072)]
    bench_kernels(__doc__ or "", kernels, sizes=sizes, step=("acsccd", "BLEVCORR"))
