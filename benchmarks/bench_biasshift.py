"""Bias shift: the correction of the pixels of one amplifier, and of two at once.

python benchmarks/bench_biasshift.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import biasshift
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """The memory runs from pixel to pixel: rows cannot be divided."""
    sci = Planes.of(shape, sky=2500.0).sci
    half = shape[1] // 2
    one, both = shape[0] * half, shape[0] * shape[1]
    yield Kernel("correct, one amplifier", lambda _: biasshift.correct(sci, half, 2), 8, [sci], one, splits=False)
    yield Kernel("correct, two at once", lambda _: biasshift.correct(sci, half, 2, 3), 8, [sci], both, splits=False)


if __name__ == "__main__":
    sizes = [(biasshift.ROWS + 1, n_col) for n_col in (1036, 2072, 4144)]
    bench_kernels(__doc__ or "", kernels, sizes=sizes, step=("acsccd", "BLEVCORR"))
