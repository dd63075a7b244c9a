"""Charge transfer: smoothing, readout, its inverse and the trap map, for each instruction set.

python benchmarks/bench_cte.py [--json FILE] [--plot DIR]; beside the official program: bench_acscte.py

An image is given as columns x rows, as the kernels take it; the cost of threads stands in bench_acscte.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calacs import cte, ctetab, sim
from helpers import Kernel, Planes, bench_kernels

READ_NOISE = 4.2
SKY, OTHERS = 20.0, (1.0, 200.0)
"""Sky (electron) for all instruction sets, and others for the one that runs."""
COLUMNS = 512


def kernels(shape: tuple[int, int]) -> Iterator[Kernel]:
    """Fields with one bright pixel in a hundred, of several sky levels (electron)."""
    table = ctetab.read(sim.files.to_hdulist(sim.ReferenceSet("WFC").hdus("PCTETAB")))
    traps = table.parallel
    release, held = (profile[: traps.n_tail].T for profile in (traps.release, traps.held))
    model = cte.TrapModel(
        traps.charge, traps.capture, release, held, n_transfer=traps.n_transfer, n_iteration=traps.n_iteration
    )
    density = cte.trap_map(shape, traps.index, traps.nodes, first=100).density
    yield Kernel("trap map", lambda _: cte.trap_map(shape, traps.index, traps.nodes, first=100), 4, splits=False)
    isas = cte.available_isas()[1:]
    for sky, chosen in ((SKY, isas), *((other, isas[-1:]) for other in OTHERS)):
        image = Planes.of(shape, sky).sci
        for isa in chosen:
            smooth = cte.smooth(image, READ_NOISE, isa=isa).image
            result = np.empty_like(image)

            def smoothing(
                _: slice, isa: str = isa, image: cte.FloatImage = image, out: cte.FloatImage = result
            ) -> None:
                out[:] = cte.smooth(image, READ_NOISE, isa=isa).image

            def inverse(_: slice, isa: str = isa, image: cte.FloatImage = smooth, out: cte.FloatImage = result) -> None:
                out[:] = cte.inverse(image, density, model, READ_NOISE, isa=isa).image

            def forward(_: slice, isa: str = isa, image: cte.FloatImage = smooth, out: cte.FloatImage = result) -> None:
                out[:] = cte.forward(image, density, model, isa=isa)

            for call in (smoothing, inverse, forward):
                yield Kernel(f"{call.__name__}, {isa}, sky {sky:g}", call, 8, [result], splits=False)


if __name__ == "__main__":
    bench_kernels(__doc__ or "", kernels, sizes=[(COLUMNS, n_row) for n_row in (256, 512, 1024, 2048)])
