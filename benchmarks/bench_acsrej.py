"""acsrej on lists of WFC full frames, in process, in memory and as a command, beside the official program.

python benchmarks/bench_acsrej.py [--official DIR] [--lists 2,8]
"""

from __future__ import annotations

import sys
from pathlib import Path

from calacs import acsccd
from helpers import (
    Usage,
    arguments,
    in_turn,
    official_program,
    report,
    run_command,
    run_python,
    same_pixels,
    simulated,
    workspace,
)

IN_PROCESS = """
import os
from calacs import acsrej
def prepare():
    if os.path.exists({target!r}):
        os.remove({target!r})
def work(_):
    acsrej.acsrej({names!r}, {target!r}, exe_args=["--nthreads", "{threads}"])
"""
IN_MEMORY = """
from calacs import acsrej, fits
exposures = [fits.read_exposure(name) for name in {names!r}]
def prepare():
    return exposures
def work(exposures):
    acsrej.combine(exposures, n_threads={threads})
"""
COMMAND = "from calacs import acsrej; acsrej.acsrej({names!r}, {target!r}, exe_args=['--nthreads', '{threads}'])"


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
        program = official_program(options, "acsrej.e")
        for n in map(int, options.lists.split(",")):
            names = [calibrated(folder, options.seed + i).name for i in range(n)]
            product, ours = folder / f"official{n:02d}_crj.fits", folder / f"calacs{n:02d}_crj.fits"

            def official(product: Path = product, names: list[str] = names) -> Usage:
                product.unlink(missing_ok=True)
                return run_command([program or "", ",".join(names), product.name], folder)

            def command(threads: str, ours: Path = ours, names: list[str] = names) -> Usage:
                ours.unlink(missing_ok=True)
                code = COMMAND.format(names=names, target=ours.name, threads=threads)
                return run_command([sys.executable, "-W", "ignore", "-c", code], folder)

            runs = {}
            for threads in options.threads.split(","):
                for where, text in (("in process", IN_PROCESS), ("in memory", IN_MEMORY)):
                    code = text.format(names=names, target=ours.name, threads=threads)
                    runs[f"{where}, {threads} threads"] = lambda code=code: run_python(code, folder)
                runs[f"as a command, {threads} threads"] = lambda threads=threads, run=command: run(threads)
            if program:
                runs["official"] = official
            figures = in_turn(runs, options.repeat)
            if program:
                assert same_pixels(product, ours), "the products differ"
            report(f"acsrej, {n} WFC full frames", figures, "official", options)


if __name__ == "__main__":
    main()
