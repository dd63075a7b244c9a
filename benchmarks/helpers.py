"""What the benchmarks share: inputs, measured runs, comparison of products, and tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from calacs import __version__, fits, sim
from calacs.report import format_table


@dataclass(frozen=True)
class Usage:
    """What one run cost.

    Attributes
    ----------
    wall, cpu : float
        Seconds.
    peak : float
        Largest resident memory in MB.
    """

    wall: float
    cpu: float
    peak: float


def arguments(description: str) -> argparse.ArgumentParser:
    """Options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--official", metavar="DIR", help="folder of the official programs (default: those on PATH)")
    parser.add_argument("-n", "--repeat", type=int, default=3, help="runs of each command; the best one counts")
    parser.add_argument("--threads", default="1", help="numbers of threads, comma-separated")
    parser.add_argument("--folder", type=Path, help="where to keep the simulated files (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser


def official_program(options: argparse.Namespace, name: str) -> str | None:
    """Path of an official program, or None."""
    return shutil.which(name, path=options.official)


@contextmanager
def workspace(options: argparse.Namespace) -> Iterator[Path]:
    """A folder for the files of a benchmark."""
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="calacs-bench-") as folder:
            yield Path(folder)


def simulated(folder: Path, detector: str, seed: int, **how: Any) -> Path:
    """Write a simulated exposure and its reference files, once; set the variable jref."""
    jref = folder / "jref"
    jref.mkdir(exist_ok=True)
    os.environ["jref"] = f"{jref}{os.sep}"
    references = sim.ReferenceSet(detector, seed=seed)
    if not any(jref.glob(f"*{detector.lower()}*")):
        references.write(jref)
    exposure = sim.simulate(detector, seed=seed, references=references, **how)
    path = folder / exposure.filename
    return path if path.exists() else exposure.write(folder)


def best(usages: Sequence[Usage]) -> Usage:
    """Least of each figure."""
    return Usage(*(min(getattr(u, name) for u in usages) for name in ("wall", "cpu", "peak")))


# A process inherits the peak memory of the one that started it; this launcher is small.
_LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, used = os.wait4(child, 0)
print(json.dumps([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_command(command: Sequence[str], folder: Path) -> Usage:
    """Run a command; its own time and memory, children included.

    Raises
    ------
    RuntimeError
        It ended with an error.
    """
    launched = [sys.executable, "-S", "-c", _LAUNCHER, *command]
    finished = subprocess.run(launched, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {finished.stderr}")
    return Usage(*json.loads(finished.stdout))


def run_python(code: str, folder: Path) -> Usage:
    """Run Python code in a process of its own, imports and a first call left out of the figures.

    The code defines ``prepare()`` and ``work(prepared)``.
    """
    program = f"""
import json, re, resource, time
{code}
def peak():
    try:
        return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read()).group(1)) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
prepared = prepare()
work(prepared)
prepared = prepare()
wall, cpu = time.perf_counter(), time.process_time()
work(prepared)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak()]))
"""
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=folder, check=True, capture_output=True
    )
    return Usage(*json.loads(output.stdout.splitlines()[-1]))


def same_pixels(first: Path, second: Path) -> bool:
    """Whether two products have identical SCI, ERR and DQ planes."""
    pairs = zip(fits.read_exposure(first), fits.read_exposure(second), strict=True)
    return all(
        np.array_equal(a.plane(name), b.plane(name), equal_nan=name != "DQ")
        for a, b in pairs
        for name in ("SCI", "ERR", "DQ")
    )


def in_turn(runs: dict[str, Callable[[], Usage]], repeat: int) -> dict[str, Usage]:
    """Run several things in turn, so that a drift of the machine's speed meets them all; the best of each."""
    collected: dict[str, list[Usage]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            collected[name].append(run())
    return {name: best(usages) for name, usages in collected.items()}


@dataclass(frozen=True)
class Case:
    """A task on one input, and what is run for it in the folder of the input.

    Attributes
    ----------
    title : str
    product : Path
        What every run but those in memory makes.
    in_process : str
        Python code for `run_python`.  ``{threads}`` stands for the number of threads, ``{names}``
        for what `values` gives it.
    command : str
        Python code that does the same as a program of its own.
    official : sequence of str
        Official program and its arguments.
    in_memory : str
        As `in_process`, but without a product; none if empty.
    values : mapping
        Of the names in the code, besides ``{product}``, the name of the product.
    """

    title: str
    product: Path
    in_process: str
    command: str
    official: Sequence[str]
    in_memory: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


def compare(case: Case, options: argparse.Namespace) -> None:
    """Run a task in process and as a command with each number of threads, and the official program; report.

    Raises
    ------
    SystemExit
        Two of the products differ.
    """
    folder, product = case.product.parent, case.product
    kept: dict[str, Path] = {}

    def keep(name: str, run: Callable[[], Usage]) -> Callable[[], Usage]:
        def run_and_keep() -> Usage:
            product.unlink(missing_ok=True)
            usage = run()
            kept[name] = product.replace(folder / f"{name.replace(', ', '_').replace(' ', '_')}.fits")
            return usage

        return run_and_keep

    def python(code: str, threads: str) -> Callable[[], Usage]:
        code = code.format(product=product.name, threads=threads, **case.values)
        return lambda: run_python(code, folder)

    def command(threads: str) -> Callable[[], Usage]:
        code = case.command.format(product=product.name, threads=threads, **case.values)
        return lambda: run_command([sys.executable, "-W", "ignore", "-c", code], folder)

    runs: dict[str, Callable[[], Usage]] = {}
    for threads in options.threads.split(","):
        name = f"in process, {threads} threads"
        runs[name] = keep(name, python(case.in_process, threads))
        if case.in_memory:
            runs[f"in memory, {threads} threads"] = python(case.in_memory, threads)
        name = f"as a command, {threads} threads"
        runs[name] = keep(name, command(threads))
    program = official_program(options, case.official[0])
    if program:
        runs["official"] = keep("official", lambda: run_command([program, *case.official[1:]], folder))
    figures = in_turn(runs, options.repeat)
    first, *others = kept.values()
    for other in others:
        if not same_pixels(first, other):
            raise SystemExit(f"{case.title}: the products {first.name} and {other.name} differ")
    for path in kept.values():
        path.unlink()
    report(case.title, figures, "official", options)


def report(title: str, figures: dict[str, Usage], reference: str, options: argparse.Namespace) -> None:
    """Print a Markdown table of figures and of their ratios to a reference, if it was run."""
    rows = [("run", "wall s", "CPU s", "peak MB", "wall ratio", "CPU ratio", "memory ratio")]
    base = figures.get(reference)
    for name, usage in figures.items():
        ratios = ("", "", "")
        if base is not None and name != reference:
            ratios = tuple(  # type: ignore[assignment]
                f"{getattr(usage, key) / getattr(base, key):.2f}" for key in ("wall", "cpu", "peak")
            )
        rows.append((name, f"{usage.wall:.2f}", f"{usage.cpu:.2f}", f"{usage.peak:.0f}", *ratios))
    print(f"\n{title}\n\n{format_table(rows)}", flush=True)
    if options.json:
        entry = {"title": title, "machine": machine(), "figures": {name: asdict(u) for name, u in figures.items()}}
        known = json.loads(options.json.read_text()) if options.json.exists() else []
        options.json.write_text(json.dumps([*known, entry], indent=1))


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "calacs": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": platform.processor() or platform.machine(),
        "cpus": str(os.cpu_count()),
    }
