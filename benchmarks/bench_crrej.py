"""Cosmic rays: sky, first guess, search and sums of acsrej, for one image of a list.

python benchmarks/bench_crrej.py [--json FILE] [--plot DIR]; beside the official program: bench_acsrej.py
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs._core import crrej
from helpers import Kernel, Planes, bench_kernels

RULE = (36.0, 0.0, 0.3, 4.41, 3, 16)
"""Rejection at 6 sigma, neighbors within 2.1 pixels."""


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """The guess is made from 2 and from 8 images; pixels are those of one."""
    planes = Planes.of(shape)
    sci, err, dq = planes.sci, planes.err, planes.dq
    guess, total, time, square = (np.ones(shape, np.float32) for _ in range(4))
    mask, raw, seen, out = (np.zeros(shape, np.int16) for _ in range(4))
    span = crrej.add_to_range(sci, dq, 16, (2147483648.0, 0.0, 0))
    bins = crrej.bins_of(span)
    count = np.zeros(bins[2] + 1, np.int32)
    whole = slice(None)

    def guessed(n: int, median: bool) -> Kernel:
        def call(rows: slice) -> None:
            crrej.guess([(sci[rows], dq[rows], 100.0, 1.0)] * n, median, 16, guess[rows])

        return Kernel(f"guess, {'median' if median else 'minimum'} of {n}", call, 6 * n + 4, [guess])

    yield Kernel("add_to_range", lambda rows: crrej.add_to_range(sci[rows], dq[rows], 16, span), 6)
    yield Kernel("add_to_histogram", lambda _: crrej.add_to_histogram(sci, dq, bins, count), 6, [count], splits=False)
    for n in (2, 8):
        yield guessed(n, median=False)
        yield guessed(n, median=True)
    guess[whole] = sci / 100.0
    yield Kernel(
        "scan",
        lambda _: crrej.scan(sci, err, 100.0, 1.0, RULE, guess, None, shape[0], mask, raw),
        20,
        [mask, raw],
        splits=False,
    )
    yield Kernel(
        "accumulate",
        lambda r: crrej.accumulate(sci[r], err[r], 100.0, 1.0, mask[r], 12, total[r], time[r], square[r]),
        34,
        [total, time, square],
    )
    yield Kernel("merge", lambda r: crrej.merge(mask[r], raw[r], 8192, seen[r], out[r], None), 12, [seen, out])
    yield Kernel("average", lambda r: crrej.average(total[r], time[r], None, guess[r]), 12, [guess])
    yield Kernel(
        "finish",
        lambda r: crrej.finish(total[r], time[r], square[r], None, 200.0, 1.0, sci[r], err[r]),
        20,
        [sci, err],
    )


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels)
