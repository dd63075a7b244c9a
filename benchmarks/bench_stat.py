"""Statistics of good pixels.

python benchmarks/bench_stat.py [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import stat
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Sums in double, pixel by pixel."""
    planes = Planes.of(shape)
    yield Kernel("good", lambda rows: stat.good(planes.sci[rows], planes.err[rows], planes.dq[rows], 16), 10)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
