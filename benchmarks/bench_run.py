"""Many exposures: one process for all of them (``calacs run``) beside a command for each, and the official program.

python benchmarks/bench_run.py [--official DIR] [--inputs wfc,1k,hrc] [--numbers 1,2,5,10,20]

The exposures are one simulated exposure under many names; the products of the last one are compared.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from helpers import (
    PEAK,
    Case,
    Run,
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
MEMORY = """
import json, os
from pathlib import Path
from calacs.calacs import process_all
from calacs.door import FileDoor
peaks = []
for outcome in process_all(map(Path, {names}), FileDoor("calacs", quiet=True, n_threads={threads})):
    for product in outcome.products:
        os.remove(product)
    peaks.append(peak())
print(json.dumps(peaks))
"""
"""Largest memory so far (MB), after each exposure."""


def one_by_one(command: Sequence[str], names: Sequence[str], folder: Path) -> Usage:
    """Run a command for each exposure."""
    usages = [run_command([*command, name], folder) for name in names]
    return Usage(sum(u.wall for u in usages), sum(u.cpu for u in usages), max(u.peak for u in usages))


def leave_last(run: Run, last: str, folder: Path) -> Usage:
    """Remove the products of all exposures but the last: 20 of them take gigabytes."""
    usage = run(folder)
    for path in folder.glob("*_fl[tc].fits"):
        if not path.name.startswith(last):
            path.unlink()
    return usage


def bench(key: str, raw: Path, n: int, options: argparse.Namespace) -> None:
    """Run exposures together and apart."""
    title = f"{INPUTS[key][0]}, {n} of them" if n > 1 else f"{INPUTS[key][0]}, one of them"
    paths = [raw.with_name(f"j{key}{i:02d}".ljust(8, "0") + "q_raw.fits") for i in range(n)]
    for path in paths:
        os.link(raw, path)
    names = [path.name for path in paths]
    runs: dict[Way, Run] = {}
    for threads in options.threads:
        command = [sys.executable, "-m", "calacs", "run", "--clobber", "-j", str(threads)]
        runs[Way("one process for all", threads)] = partial(run_command, [*command, *names])
        runs[Way("a command for each", threads)] = partial(one_by_one, command, names)
    program = official_program(options, "calacs.e")
    if program:
        runs[Way("official", 1)] = partial(one_by_one, [program, "-q", "-1"], names)
    runs = {way: partial(leave_last, run, names[-1][:9]) for way, run in runs.items()}
    case = Case(f"run-{key}-{n}", title, paths, "", ["calacs.e"], exposures=n, series=f"run-{key}")
    figures = measure(case, runs, options)
    if n == options.numbers[-1]:
        for threads in options.threads:
            one, many = (figures[Way(how, threads)] for how in ("one process for all", "a command for each"))
            goal = f"{title}, {plural(threads, 'thread')}: wall, times less in one process than as commands"
            options.book.judge(goal, many.wall / one.wall, at_least=1.5)
        peaks = run_code(PEAK + MEMORY.format(names=names, threads=options.threads[-1]), raw.parent)
        after = [(str(i), f"{peaks[i - 1]:.0f}") for i in sorted({1, 2, 3, n}) if i <= n]
        show(f"{title}, {plural(options.threads[-1], 'thread')}: largest memory so far", [("after", "MB"), *after])
        options.book.put("memory", key, peaks)
        goal = f"{title}: memory after the last, times that after the third"
        options.book.judge(goal, peaks[-1] / peaks[min(2, n - 1)], at_most=1.1)
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
