"""Image arithmetic: gain, bias, flat, and the sums of acssum.

python benchmarks/bench_imarith.py [--official DIR] [--json FILE] [--plot DIR]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from calacs._core import imarith
from calacs.detector import Quadrants
from helpers import Kernel, Planes, bench_kernels


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Three planes with three others, or one or two alone."""
    planes = Planes.of(shape)
    sci, err = planes.sci, planes.err
    gain = Quadrants(shape[1] // 2, shape[0] // 2, (2.0, 2.1, 1.9, 2.0))
    image = sci.view("u1")
    inner = (24, shape[0]), (96, image.shape[1] - 96)

    def pair(function: Callable[..., Any], *more: int) -> Kernel:
        return Kernel(function.__name__, lambda rows: function(*planes.all(rows), *more), 30, planes.own)

    yield Kernel("crop", lambda _: imarith.crop(image, *inner), 8, [sci], splits=False)
    yield Kernel("gain", lambda _: imarith.gain(sci, err, gain), 16, [sci, err], splits=False)
    yield Kernel("scale", lambda rows: imarith.scale(sci[rows], err[rows], 0.5), 16, [sci, err])
    yield pair(imarith.subtract)
    yield pair(imarith.multiply)
    yield pair(imarith.divide, 512)
    yield pair(imarith.sum)
    yield Kernel("square", lambda rows: imarith.square(err[rows]), 8, [err])
    yield Kernel("root", lambda rows: imarith.root(err[rows]), 8, [err])


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, step=("acs2d", "FLATCORR"))
