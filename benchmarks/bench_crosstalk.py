"""Cross-talk: what the amplifier on the other side of a chip took away.

python benchmarks/bench_crosstalk.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import crosstalk
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Rows are independent."""
    sci = Planes.of(shape).sci
    yield Kernel("correct", lambda rows: crosstalk.correct(sci[rows]), 8, [sci])


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
