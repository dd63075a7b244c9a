"""acsrej on lists of WFC full frames, in process, in memory and as a command, beside the official program.

python benchmarks/bench_acsrej.py [--official DIR] [--lists 2,8]
"""

from __future__ import annotations

from pathlib import Path

from calacs import acsccd
from helpers import Case, arguments, compare, run_python, simulated, workspace

IN_PROCESS = """
import os
from calacs import acsrej
def prepare():
    if os.path.exists({product!r}):
        os.remove({product!r})
def work(_):
    acsrej.acsrej({names!r}, {product!r}, exe_args=["--nthreads", "{threads}"])
"""
IN_MEMORY = """
from calacs import acsrej, fits
exposures = [fits.read_exposure(name) for name in {names!r}]
def prepare():
    return exposures
def work(exposures):
    acsrej.combine(exposures, n_threads={threads})
"""
COMMAND = "from calacs import acsrej; acsrej.acsrej({names!r}, {product!r}, exe_args=['--nthreads', '{threads}'])"


def calibrated(folder: Path, seed: int) -> Path:
    """A calibrated exposure; the raw one is not kept."""
    path = folder / f"jbench{seed:02d}q_blv_tmp.fits"
    if not path.exists():
        raw = simulated(folder, "WFC", seed, exptime=500.0)
        acsccd.run(raw).write(path)
        raw.unlink()
    return path


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--lists", default="2,8", help="numbers of exposures, comma-separated")
    options = parser.parse_args()
    with workspace(options) as folder:
        for n in map(int, options.lists.split(",")):
            names = [calibrated(folder, options.seed + i).name for i in range(n)]
            product = folder / f"combined{n:02d}_crj.fits"
            # The flags of cosmic rays go into the inputs and from there into the product of the next run.
            run_python(IN_PROCESS.format(names=names, product=product.name, threads=1), folder)
            compare(
                Case(
                    f"acsrej, {n} WFC full frames",
                    product=product,
                    in_process=IN_PROCESS,
                    in_memory=IN_MEMORY,
                    command=COMMAND,
                    official=["acsrej.e", ",".join(names), product.name],
                    values={"names": names},
                ),
                options,
            )


if __name__ == "__main__":
    main()
