"""The pipeline from raw exposures to products, in process and as a command, beside the official program.

python benchmarks/bench_calacs.py [--official DIR] [--cases wfc_flt,wfc_flc,wfc_crsplit,hrc,sbc]

Every product is compared with the official one, and those of all numbers of threads with one another, before any ratio
is printed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calacs import sim
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

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "wfc_flt": ("WFC full frame, raw to flt", "WFC", {"exptime": 500.0, "keywords": {"PCTECORR": "OMIT"}}),
    "wfc_flc": ("WFC full frame, raw to flt and flc", "WFC", {"exptime": 500.0, "keywords": {"PCTECORR": "PERFORM"}}),
    "wfc_crsplit": (
        "WFC association of two, raw to flt, flc, crj and crc",
        "WFC",
        {"exptime": 500.0, "n_exposure": 2, "keywords": {"PCTECORR": "PERFORM"}},
    ),
    "hrc": ("HRC, raw to flt", "HRC", {"exptime": 200.0}),
    "sbc": ("SBC, raw to flt", "SBC", {"exptime": 600.0}),
}
"""Title, detector, and arguments of the simulation."""

IN_PROCESS = """
import os, pathlib
from calacs import calacs
os.environ["imclobber"] = "yes"
def prepare():
    return {name!r}
def work(name):
    calacs.calacs(name, quiet=True, exe_args=["--nthreads", "{threads}"])
"""
COMMAND = "from calacs import calacs; calacs.calacs({name!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def write_inputs(folder: Path, case: str, seed: int) -> Path:
    """Write the inputs of a case into a folder of its own; the file to process."""
    _, detector, how = CASES[case]
    place = folder / case
    place.mkdir(exist_ok=True)
    if "n_exposure" not in how:
        path = simulated(folder, detector, seed, **how)
        target = place / path.name
        if not target.exists():
            shutil.move(path, target)
        return target
    found = list(place.glob("*_asn.fits"))
    simulated_references(folder, detector, seed)
    references = sim.ReferenceSet(detector, seed=seed)
    return (
        found[0]
        if found
        else sim.simulate_association("CR-SPLIT", detector, seed=seed, references=references, **how).write(place)
    )


def simulated_references(folder: Path, detector: str, seed: int) -> None:
    """Write the reference files of a detector, once; set the variable jref."""
    jref = folder / "jref"
    jref.mkdir(exist_ok=True)
    os.environ["jref"] = f"{jref}{os.sep}"
    if not any(jref.glob(f"*{detector.lower()}*")):
        sim.ReferenceSet(detector, seed=seed).write(jref)


def copy_inputs(source: Path, target: Path) -> Path:
    """Copy the inputs of a case, so that each program works in a folder of its own."""
    target.mkdir(exist_ok=True)
    for path in source.parent.glob("*.fits"):
        if path.name.endswith(("_raw.fits", "_asn.fits", "_spt.fits")):
            shutil.copyfile(path, target / path.name)
    return target / source.name


def remove_products(path: Path, inputs: set[str]) -> None:
    """Leave the inputs alone."""
    for one in path.parent.iterdir():
        if one.name not in inputs:
            one.unlink()


def images(folder: Path, inputs: set[str]) -> dict[str, Path]:
    """Products by name, support files aside."""
    return {p.name: p for p in sorted(folder.glob("*.fits")) if p.name not in inputs and "_spt" not in p.name}


def measure(case: str, folder: Path, options: Any) -> None:
    """Run one case with all programs, compare the products, and print the figures."""
    source = write_inputs(folder, case, options.seed)
    program = official_program(options, "calacs.e")
    places: dict[str, Path] = {}
    runs: dict[str, Callable[[], Usage]] = {}
    inputs = {path.name for path in source.parent.glob("*.fits")}

    def place(label: str) -> Path:
        path = copy_inputs(source, source.parent / label.replace(" ", "_").replace(",", ""))
        places[label] = path.parent
        return path

    def command(path: Path, words: list[str]) -> Usage:
        remove_products(path, inputs)
        return run_command(words, path.parent)

    def in_process(path: Path, threads: str) -> Usage:
        remove_products(path, inputs)
        return run_python(IN_PROCESS.format(name=path.name, threads=threads), path.parent)

    for threads in options.threads.split(","):
        path = place(f"in process, {threads} threads")
        runs[f"in process, {threads} threads"] = lambda path=path, threads=threads: in_process(path, threads)
        path = place(f"as a command, {threads} threads")
        words = [sys.executable, "-W", "ignore", "-c", COMMAND.format(name=path.name, threads=threads)]
        runs[f"as a command, {threads} threads"] = lambda path=path, words=words: command(path, words)
        if program:
            path = place(f"official, {threads} threads")
            flags = ["-1"] if threads == "1" else ["--nthreads", threads]
            words = [program, "-q", *flags, path.name]
            runs[f"official, {threads} threads"] = lambda path=path, words=words: command(path, words)
    figures = in_turn(runs, options.repeat)
    wanted = images(places[next(reversed(places))], inputs)
    for label, where in places.items():
        found = images(where, inputs)
        assert found.keys() == wanted.keys(), f"{label}: {sorted(found)} instead of {sorted(wanted)}"
        assert all(same_pixels(wanted[name], found[name]) for name in wanted), f"{label}: the products differ"
    first = f"official, {options.threads.split(',')[0]} threads"
    report(f"{CASES[case][0]}: {', '.join(wanted)}", figures, first, options)
    for where in places.values():
        shutil.rmtree(where)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--cases", default=",".join(CASES), help="which of them, comma-separated (default: all)")
    options = parser.parse_args()
    with workspace(options) as folder:
        for case in options.cases.split(","):
            measure(case, folder, options)


if __name__ == "__main__":
    main()
