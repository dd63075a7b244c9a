"""The pipeline from raw exposures to products, in process and as a command, beside the official program.

python benchmarks/bench_calacs.py [--official DIR] [--cases flt,flc,crsplit] [--threads 1,2]

Every product is compared with the official one, and those of all numbers of threads with one another, before any ratio
is printed.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calacs import fits, sim
from calacs.sim import Scene
from helpers import (
    Case,
    Figures,
    Way,
    arguments,
    compare,
    growth,
    parse,
    plot_growth,
    ratio,
    references,
    run_code,
    show,
    simulated,
    workspace,
)

CTE, NO_CTE = {"PCTECORR": "PERFORM"}, {"PCTECORR": "OMIT"}
CROWDED = {"star_density": 1e-2}


@dataclass(frozen=True)
class Input:
    """What is simulated; cases of one series differ in their size alone."""

    title: str
    detector: str = "WFC"
    series: str = ""
    scene: dict[str, Any] = field(default_factory=dict)
    how: dict[str, Any] = field(default_factory=dict)


def wfc(title: str, series: str, keywords: dict[str, str], aperture: str = "", **how: Any) -> Input:
    """A WFC exposure of 500 s."""
    place = {"aperture": aperture, "amps": aperture[4:5]} if aperture else {}
    return Input(title, series=series, how={"exptime": 500.0, "keywords": keywords, **place, **how})


APERTURES = {"512": "WFC1A-512", "1k": "WFC1A-1K", "2k": "WFC1A-2K"}
INPUTS = {
    "flt": wfc("WFC full frame without CTE correction", "flt", NO_CTE),
    "flc": wfc("WFC full frame", "flc", CTE),
    "crsplit": wfc("WFC association of two", "", CTE, n_exposure=2),
    **{f"flt-{n}": wfc(f"{a} without CTE correction", "flt", NO_CTE, a) for n, a in APERTURES.items()},
    **{f"flc-{n}": wfc(a, "flc", CTE, a) for n, a in APERTURES.items()},
    "flt-10s": Input("WFC full frame of 10 s, sparse", how={"exptime": 10.0, "keywords": NO_CTE}),
    "flt-crowded": Input(
        "WFC full frame of 1200 s, crowded", scene=CROWDED, how={"exptime": 1200.0, "keywords": NO_CTE}
    ),
    "hrc": Input("HRC", "HRC", how={"exptime": 200.0}),
    "hrc-crsplit": Input("HRC association of two", "HRC", how={"exptime": 200.0, "n_exposure": 2}),
    "sbc": Input("SBC", "SBC", how={"exptime": 600.0}),
}


def write_inputs(folder: Path, key: str, seed: int) -> list[Path]:
    """Write the inputs of a case; the file to process is the first."""
    one = INPUTS[key]
    how: dict[str, Any] = {"scene": Scene(**one.scene), **one.how}
    if "n_exposure" not in how:
        return [
            simulated(folder, one.detector, seed, rootname=f"j{key.replace('-', ''):.7}".ljust(8, "0") + "q", **how)
        ]
    how["references"] = references(one.detector, seed)
    place = folder / key
    exposures = sim.simulate_association("CR-SPLIT", one.detector, seed=seed, **how)
    exposures.members[0].write_references(folder / "jref")
    os.environ["jref"] = f"{folder / 'jref'}{os.sep}"
    exposures.write(place)
    return sorted(place.glob("*.fits"), key=lambda path: "_asn" not in path.name)


STEPS = """
import json, os, time
from calacs import calacs, fits
clock = time.perf_counter
def work():
    started = clock()
    exposure = fits.read_exposure({name!r})
    read = clock()
    products = calacs.run(exposure, n_threads={threads})
    done = clock()
    for name, product in products.items():
        product.write(name, clobber=True)
    written = clock()
    seen, rows = set(), [["", "reading the exposure", read - started]]
    for product in products.values():
        for record in product.records:
            if id(record) not in seen and record.status != "omitted":
                seen.add(id(record))
                rows.append([record.task, record.name, record.seconds])
    steps = sum(row[2] for row in rows[1:])
    rows.append(["", "reference files, headers, copies", done - read - steps])
    rows.append(["", "writing the products", written - done])
    for name in products:
        os.remove(name)
    return rows
work()
print(json.dumps(work()))
"""
"""Seconds of each step, of the second call in a process."""


def print_steps(key: str, path: Path, options: argparse.Namespace) -> None:
    """Wall time of every step, by number of threads."""
    measured = {}
    for n in options.threads:
        runs = [run_code(STEPS.format(name=path.name, threads=n), path.parent) for _ in range(options.repeat)]
        measured[n] = min(runs, key=lambda rows: sum(row[2] for row in rows))
    totals = {n: sum(row[2] for row in rows) for n, rows in measured.items()}
    first = measured[options.threads[0]]
    rows = [("task", "step", *(f"s, {n} threads" if n > 1 else "s, 1 thread" for n in measured), "share")]
    for i, (task, step, seconds) in enumerate(first):
        if seconds < 0.001:
            continue
        cells = (f"{measured[n][i][2]:.3f}" for n in measured)
        rows.append((task, step, *cells, f"{seconds / totals[options.threads[0]]:.0%}"))
    rows.append(("", "all", *(f"{total:.3f}" for total in totals.values()), ""))
    show(f"{INPUTS[key].title}: wall time by step, from 1 ms on", rows)
    options.book.put("steps", key, {str(n): rows for n, rows in measured.items()})


def judge(key: str, figures: dict[Way, Figures], options: argparse.Namespace) -> None:
    """What is wanted of the three main cases."""
    title, book = INPUTS[key].title, options.book
    for n in options.threads:
        command, inside = Way("as a command", n), Way("in process", n)
        each = f"{title}, {'one thread' if n == 1 else f'{n} threads'} each"
        if key == "flc":
            book.judge(f"{each}: wall, times less", ratio(figures, command, "wall"), at_least=15)
            book.judge(f"{each}: memory", 1 / ratio(figures, command, "peak"), at_most=1.5)
        if key == "flt" and n == 1:
            book.judge(f"{title}, in process: CPU, times less", ratio(figures, inside, "cpu"), at_least=2)
            book.judge(f"{title}, as a command: wall, times less", ratio(figures, command, "wall"), at_least=1)
        if key == "crsplit":
            book.judge(f"{each}: wall, times less", ratio(figures, command, "wall"), at_least=12)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--cases", default=",".join(INPUTS), help="which of them, comma-separated (%(default)s)")
    options = parse(parser)
    with workspace(options) as folder:
        for key in options.cases.split(","):
            inputs = write_inputs(folder, key, options.seed)
            name, association = inputs[0].name, "_asn" in inputs[0].name
            raws = [path for path in inputs if path.name.endswith("_raw.fits")]
            case = Case(
                f"calacs-{key}",
                INPUTS[key].title,
                inputs,
                f"calacs.calacs({name!r}, quiet=True, exe_args=['--nthreads', '{{threads}}'])",
                ["calacs.e", "-q", name],
                pixels=sum(imset.sci.size for path in raws for imset in fits.read_exposure(path)),
                exposures=len(raws),
                series=INPUTS[key].series,
            )
            figures = compare(case, options)
            if any(way.how == "official" for way in figures):
                judge(key, figures, options)
            if not association:
                print_steps(key, inputs[0], options)
            for path in inputs:
                path.unlink()
    if options.plot:
        for series, title in (("flt", "Raw to flt"), ("flc", "Raw to flt and flc")):
            curves = growth(options.book, series, "pixels")
            if curves:
                plot_growth(options.plot / f"{series}.png", f"{title}, WFC", "pixels", "wall seconds", curves)


if __name__ == "__main__":
    main()
