"""Many exposures: one process for all of them (``calacs run``) beside a command for each, and the official program.

python benchmarks/bench_run.py [--official DIR] [--inputs wfc,1k,hrc] [--numbers 1,2,5,10,20]

The exposures are one simulated exposure under many names; the products of the last one are compared.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from helpers import (
    PEAK,
    Case,
    Usage,
    Way,
    arguments,
    growth,
    measure,
    official_program,
    parse,
    plot_growth,
    plural,
    run_code,
    run_command,
    show,
    simulated,
    workspace,
)

INPUTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "wfc": ("WFC full frames without CTE correction", "WFC", {"keywords": {"PCTECORR": "OMIT"}}),
    "1k": ("WFC subarrays of 1024 rows", "WFC", {"aperture": "WFC1A-1K", "amps": "A"}),
    "hrc": ("HRC exposures", "HRC", {}),
}
TOGETHER, APART, OFFICIAL = (Way(how, 0) for how in ("one process for all", "a command for each", "official"))
MEMORY = """
import json, os
from calacs import calacs
peaks = []
for name in {names}:
    for product in calacs.calacs(name, quiet=True, exe_args=["--nthreads", "1"]):
        os.remove(product)
    peaks.append(peak())
print(json.dumps(peaks))
"""
"""Largest memory so far (MB), after each exposure."""


def one_by_one(command: Sequence[str], names: Sequence[str], folder: Path) -> Usage:
    """Run a command for each exposure."""
    usages = [run_command([*command, name], folder) for name in names]
    return Usage(sum(u.wall for u in usages), sum(u.cpu for u in usages), max(u.peak for u in usages))


def leave_last(run: Callable[[Path], Usage], last: str) -> Callable[[Path], Usage]:
    """Remove the products of all exposures but the last: 20 of them take gigabytes."""

    def call(folder: Path) -> Usage:
        usage = run(folder)
        for path in folder.glob("*_fl[tc].fits"):
            if not path.name.startswith(last):
                path.unlink()
        return usage

    return call


def bench(key: str, raw: Path, n: int, options: argparse.Namespace) -> None:
    """Run exposures together and apart."""
    title = f"{plural(n, 'exposure')}: {INPUTS[key][0]}"
    paths = [raw.with_name(f"j{key}{i:02d}".ljust(8, "0") + "q_raw.fits") for i in range(n)]
    for path in paths:
        os.link(raw, path)
    names = [path.name for path in paths]
    command = [sys.executable, "-m", "calacs", "run", "--clobber", "-j", "1"]
    program = official_program(options, "calacs.e")
    runs = {
        TOGETHER: lambda folder: run_command([*command, *names], folder),
        APART: lambda folder: one_by_one(command, names, folder),
    }
    if program:
        runs[OFFICIAL] = lambda folder: one_by_one([program, "-q", "-1"], names, folder)
    runs = {way: leave_last(run, names[-1][:9]) for way, run in runs.items()}
    case = Case(f"run-{key}-{n}", title, paths, "", ["calacs.e"], exposures=n, series=f"run-{key}")
    figures = measure(case, runs, options)
    if n == options.numbers[-1]:
        times = figures[APART].wall / figures[TOGETHER].wall
        options.book.judge(f"{title}: wall, times less in one process than as commands", times, at_least=1.5)
        peaks = run_code(PEAK + MEMORY.format(names=names), raw.parent)
        show(
            f"{title}: memory",
            [("after", "MB"), *((str(i), f"{peaks[i - 1]:.0f}") for i in sorted({1, 2, 3, n}) if i <= n)],
        )
        options.book.put("memory", key, peaks)
        options.book.judge(
            f"{title}: memory after the last beside that after the third",
            peaks[-1] / peaks[min(2, n - 1)],
            at_most=1.02,
        )
    for path in paths:
        path.unlink()


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--inputs", default=",".join(INPUTS), help="which of them, comma-separated (%(default)s)")
    parser.add_argument("--numbers", default="1,2,5,10,20", help="numbers of exposures, comma-separated (%(default)s)")
    options = parse(parser)
    options.numbers = sorted(int(n) for n in options.numbers.split(","))
    with workspace(options) as folder:
        for key in options.inputs.split(","):
            _, detector, how = INPUTS[key]
            raw = simulated(folder, detector, options.seed, rootname="jmanymanq", exptime=100.0, **how)
            for n in options.numbers:
                bench(key, raw, n, options)
            raw.unlink()
            if options.plot:
                curves = growth(options.book, f"run-{key}", "exposures")
                plot_growth(options.plot / f"run-{key}.png", INPUTS[key][0], "exposures", "wall seconds", curves)


if __name__ == "__main__":
    main()
