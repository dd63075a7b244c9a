"""Post-flash: subtraction of a scaled image, with its mean by lines.

python benchmarks/bench_flash.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Iterator

from calacs._core import flash
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """All six planes take part."""
    planes = Planes.of(shape)
    yield Kernel("subtract", lambda rows: flash.subtract(*planes.all(rows), 4.0, 16, (0.0, 0.0)), 30, planes.own)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acs2d", "FLSHCORR"), flash=4.0)
