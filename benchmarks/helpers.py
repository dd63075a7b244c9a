"""What the benchmarks share: options, inputs, measured runs, comparison of products, kernels, tables, plots.

A script makes `Case`s and calls `compare`, or lists `Kernel`s and calls `bench_kernels`; what it measures is printed as
Markdown and goes into the `Book`, which is a file with ``--json``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calacs import acsccd, fits, sim
from calacs.exposure import Exposure
from calacs.parallel import run_parallel, split_rows
from calacs.system import system

SWITCHES = (
    *("DQICORR", "BIASCORR", "BLEVCORR", "SINKCORR", "PCTECORR", "DARKCORR", "FLSHCORR", "FLATCORR", "SHADCORR"),
    *("PHOTCORR", "GLINCORR", "LFLGCORR"),
)
THREADED = ("calacs.e", "acscte.e")
"""Official programs that use threads."""
Curves: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]


# Options and the file of figures


def arguments(description: str) -> argparse.ArgumentParser:
    """Options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", metavar="DIR", help="folder of the official programs (default: those on PATH)")
    parser.add_argument(
        "-n", "--repeat", type=int, default=3, help="runs of each thing, in turn (default: %(default)s)"
    )
    parser.add_argument("--threads", default="1", help="numbers of threads, comma-separated")
    parser.add_argument("--folder", type=Path, help="where to keep the simulated files (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to a file")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw how the cost grows; needs matplotlib")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; the options hold the book of figures too."""
    options = parser.parse_args()
    options.threads = [int(n) for n in options.threads.split(",")]
    options.book = Book(options.json, conditions(options))
    # The programs replace their products.
    os.environ["imclobber"] = "yes"
    return options


def official_program(options: argparse.Namespace, name: str) -> str | None:
    """Path of an official program, or None."""
    return shutil.which(name, path=options.official)


def conditions(options: argparse.Namespace) -> dict[str, str]:
    """What the figures depend on."""
    facts = system()
    kept = {key: str(facts[key]) for key in ("calacs", "python", "numpy", "platform", "compiler", "isa", "cpus")}
    program = official_program(options, "calacs.e")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False) if program else None
    return {
        **kept,
        "processor": processor(),
        "official": version.stdout.strip() if version else "",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def processor() -> str:
    """Model of the processor."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.M)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


class Book:
    """Figures by section and key, in memory and, if there is a path, in a file that several scripts add to."""

    def __init__(self, path: Path | None, facts: Mapping[str, str]) -> None:
        self.path = path
        self.data: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path and path.exists() else {}
        known = self.data.setdefault("conditions", dict(facts))
        for key in ("calacs", "processor", "python", "compiler", "cpus"):
            if known[key] != facts[key]:
                raise SystemExit(
                    f"{path}: the figures are of {key} {known[key]!r}, not {facts[key]!r}; name another file"
                )
        known.update({key: value for key, value in facts.items() if value})

    def put(self, section: str, key: str, value: Any) -> None:
        """Add a figure, or replace it."""
        self.data.setdefault(section, {})[key] = value
        if self.path:
            self.path.write_text(json.dumps(self.data, indent=1) + "\n")

    def judge(self, goal: str, measured: float, *, at_most: float = math.inf, at_least: float = -math.inf) -> None:
        """Print and keep whether a goal is met."""
        limit = f"at most {at_most:g}" if at_least == -math.inf else f"at least {at_least:g}"
        met = at_least <= measured <= at_most
        self.put("goals", goal, {"measured": measured, "limit": limit, "met": met})
        print(f"\n{goal}: {limit}; measured {measured:.2f}: {'met' if met else 'MISSED'}", flush=True)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, the first of them the heading, as a Markdown table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (n + 2) for n in widths) + "|", *lines[1:]])


def show(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    print(f"\n{title}\n\n{table(rows)}", flush=True)


def plural(n: int, word: str) -> str:
    """A number with a noun."""
    return f"{n} {word}{'s' * (n != 1)}"


# Inputs


@contextmanager
def workspace(options: argparse.Namespace) -> Iterator[Path]:
    """A folder for the files of a benchmark."""
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="calacs-bench-") as folder:
            yield Path(folder)


@cache
def references(detector: str, seed: int) -> sim.ReferenceSet:
    """Reference files of a detector."""
    return sim.ReferenceSet(detector, seed=seed)


def simulated(folder: Path, detector: str, seed: int, *, rootname: str, **how: Any) -> Path:
    """A simulated exposure, written once, with the reference files that it needs; the variable jref leads to them."""
    path, jref = folder / f"{rootname}_raw.fits", folder / "jref"
    os.environ["jref"] = f"{jref}{os.sep}"
    if not path.exists():
        how["references"] = references(detector, seed)
        exposure = sim.simulate(detector, seed=seed, rootname=rootname, n_threads=2, **how)
        exposure.write_references(jref)
        exposure.write(folder)
    return path


# Measured runs


@dataclass(frozen=True)
class Usage:
    """What one run cost: wall and CPU seconds, and largest resident memory in MB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Way:
    """How something was run, and with how many threads; 0 where that means nothing."""

    how: str
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.how}, {plural(self.threads, 'thread')}" if self.threads else self.how


@dataclass(frozen=True)
class Figures:
    """Best and median wall and CPU seconds of some runs, and the largest memory of any in MB."""

    wall: float
    cpu: float
    peak: float
    median_wall: float
    median_cpu: float
    n: int

    @classmethod
    def of(cls, usages: Sequence[Usage]) -> Figures:
        """Summarize some runs."""
        wall, cpu = [u.wall for u in usages], [u.cpu for u in usages]
        peak = max(u.peak for u in usages)
        return cls(min(wall), min(cpu), peak, statistics.median(wall), statistics.median(cpu), len(usages))


def in_turn(runs: Mapping[Way, Callable[[], Usage]], repeat: int) -> dict[Way, Figures]:
    """Run several things in turn, so that a drift of the machine's speed meets them all."""
    collected: dict[Way, list[Usage]] = {way: [] for way in runs}
    for _ in range(repeat):
        for way, run in runs.items():
            collected[way].append(run())
    return {way: Figures.of(usages) for way, usages in collected.items()}


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
    """Run a command; its own time and memory.

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


PEAK = r"""
import re, resource
def peak():
    try:
        return int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read()).group(1)) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""
"""Code of a function for the peak memory (MB) of a process."""

_IN_PROCESS = """
import json, os, time
{imports}
before = set(os.listdir())
def work():
    {call}
def remove_products():
    for name in set(os.listdir()) - before:
        os.remove(name)
work()
remove_products()
wall, cpu = time.perf_counter(), time.process_time()
work()
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak()]))
"""


def run_code(code: str, folder: Path) -> Any:
    """Run Python code in a process of its own; what its last line of output says as JSON.

    Raises
    ------
    RuntimeError
        It failed.
    """
    command = [sys.executable, "-W", "ignore", "-c", code]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"in {folder}: {finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])


def run_in_process(imports: str, call: str, folder: Path) -> Usage:
    """Make a call twice in a process of its own; time and memory of the second, which finds everything imported."""
    return Usage(*run_code(PEAK + _IN_PROCESS.format(imports=imports, call=call), folder))


# Cases: one task on one input, beside the official program


@dataclass(frozen=True)
class Case:
    """A task on some files.

    Attributes
    ----------
    key, title : str
        Name in the book of figures, and in print.
    inputs : sequence of Path
        Files that a run needs in its folder.
    call : str
        Python code that makes the products there, after ``from calacs import`` the module that it begins with;
        ``{threads}`` stands for the number of threads.
    official : sequence of str
        Official program and its arguments.
    pixels, exposures : int
        Size, for the growth.
    series : str
        Cases of one series differ in their size alone.
    copy : bool
        Whether the program changes its inputs, so that every run needs its own.
    """

    key: str
    title: str
    inputs: Sequence[Path]
    call: str
    official: Sequence[str]
    pixels: int = 0
    exposures: int = 1
    series: str = ""
    copy: bool = False


def products(folder: Path, inputs: Iterable[str]) -> dict[str, Path]:
    """Images that a run made, by name."""
    return {p.name: p for p in sorted(folder.glob("*.fits")) if p.name not in inputs and "_spt" not in p.name}


def same_pixels(first: Path, second: Path) -> bool:
    """Whether two products have identical SCI, ERR and DQ planes."""
    pairs = zip(fits.read_exposure(first), fits.read_exposure(second), strict=True)
    return all(
        np.array_equal(a.plane(name), b.plane(name), equal_nan=name != "DQ")
        for a, b in pairs
        for name in ("SCI", "ERR", "DQ")
    )


Run: TypeAlias = Callable[[Path], Usage]
"""Runs something in a folder."""


def compare(case: Case, options: argparse.Namespace, besides: Mapping[Way, Run] | None = None) -> dict[Way, Figures]:
    """Run a task in process and as a command with each number of threads, and the official program; report.

    Parameters
    ----------
    case : Case
        What is run.
    options : argparse.Namespace
        Of the command line.
    besides : mapping of Way to callable
        What else to run in turn with them, without products.
    """
    program = official_program(options, case.official[0])
    imports = f"from calacs import {case.call.partition('.')[0]}"
    runs: dict[Way, Run] = {}
    for n in options.threads:
        call = case.call.format(threads=n)
        command = [sys.executable, "-W", "ignore", "-c", f"{imports}; {call}"]
        runs[Way("in process", n)] = partial(run_in_process, imports, call)
        runs[Way("as a command", n)] = partial(run_command, command)
        if program and (n == options.threads[0] or case.official[0] in THREADED):
            flags = ["--nthreads", str(n)] if case.official[0] in THREADED else []
            runs[Way("official", n)] = partial(run_command, [program, *flags, *case.official[1:]])
    return measure(case, runs, options, besides)


def measure(
    case: Case, runs: Mapping[Way, Run], options: argparse.Namespace, besides: Mapping[Way, Run] | None = None
) -> dict[Way, Figures]:
    """Run some things in turn, each in a folder of its own with the same inputs; compare the products; report.

    Raises
    ------
    SystemExit
        Two of the products differ.
    """
    places = {way: case.inputs[0].parent / f"{case.key}-{way}".replace(", ", "-").replace(" ", "_") for way in runs}
    kept = {path.name for path in case.inputs}

    def clear(way: Way, run: Run) -> Usage:
        for path in places[way].iterdir():
            if path.name not in kept:
                path.unlink()
        return run(places[way])

    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for path in case.inputs:
            (shutil.copy if case.copy else os.link)(path, place / path.name)
    calls = {way: partial(clear, way, run) for way, run in runs.items()}
    calls |= {way: partial(run, case.inputs[0].parent) for way, run in (besides or {}).items()}
    figures = in_turn(calls, options.repeat)
    (_, reference), *others = ((way, products(place, kept)) for way, place in places.items())
    for way, found in others:
        if found.keys() != reference.keys() or not found:
            raise SystemExit(f"{case.title}: {way} made {sorted(found)} instead of {sorted(reference)}")
        for name, path in found.items():
            if not same_pixels(reference[name], path):
                raise SystemExit(f"{case.title}: {name} differs, {way}; see {path}")
    for place in places.values():
        shutil.rmtree(place)
    report(case, figures, options, sorted(reference))
    return figures


def ratio(figures: Mapping[Way, Figures], way: Way, what: str) -> float:
    """Official figure over ours with as many threads."""
    official = figures.get(Way("official", way.threads)) or next(f for w, f in figures.items() if w.how == "official")
    return float(getattr(official, what) / getattr(figures[way], what))


def report(case: Case, figures: Mapping[Way, Figures], options: argparse.Namespace, names: Sequence[str]) -> None:
    """Print and keep the figures of a case."""
    rows: list[Sequence[str]] = [("run", "wall s", "median", "CPU s", "median", "peak MB", "wall", "CPU", "memory")]
    compared = any(way.how == "official" for way in figures)
    for way, f in figures.items():
        ratios: tuple[str, ...] = ("", "", "")
        if compared and way.how != "official":
            ratios = (
                *(f"{ratio(figures, way, what):.1f} x less" for what in ("wall", "cpu")),
                f"{1 / ratio(figures, way, 'peak'):.2f}",
            )
        cells = (f"{v:.2f}" for v in (f.wall, f.median_wall, f.cpu, f.median_cpu))
        rows.append((str(way), *cells, f"{f.peak:.0f}", *ratios))
    products_text = f"{len(names)} products" if len(names) > 6 else ", ".join(names)
    show(f"{case.title} ({products_text}; {plural(options.repeat, 'run')} in turn, best and median)", rows)
    entry = {"title": case.title, "pixels": case.pixels, "exposures": case.exposures, "series": case.series}
    entry["runs"] = [{"how": way.how, "threads": way.threads, **asdict(f)} for way, f in figures.items()]
    options.book.put("cases", case.key, entry)


def compare_step(
    stem: str, task: str, switch: str, options: argparse.Namespace, detector: str = "WFC", **how: Any
) -> None:
    """Run one step alone, reading and writing included, beside the official program."""
    with workspace(options) as folder:
        root = f"j{stem:.7}".ljust(8, "0") + "q"
        path = simulated(folder, detector, options.seed, rootname=root, **how)
        exposure = acsccd.run(path) if task == "acs2d" and detector != "SBC" else fits.read_exposure(path)
        for name in SWITCHES:
            if name in exposure.primary and exposure.primary.get(name) != "COMPLETE":
                exposure.primary.set(name, "PERFORM" if name == switch else "OMIT")
        suffix = "blv_tmp" if task == "acs2d" and detector != "SBC" else "raw"
        path = exposure.write(folder / f"{root}_{suffix}.fits", clobber=True)
        call = f"{task}.{task}({path.name!r}, quiet=True, exe_args=['--nthreads', '{{threads}}'])"
        title = f"{task} with {switch} alone ({stem}), {detector}"
        compare(Case(f"step-{stem}", title, [path], call, [f"{task}.e", "-q", path.name]), options)


def compare_task(task: str, path: Path, product: Exposure, options: argparse.Namespace) -> None:
    """Run acsccd or acs2d, and beside it a mere copy: its input and reference files read, a file like its product written.

    Parameters
    ----------
    task : str
        Name of the task.
    path : Path
        Its input.
    product : Exposure
        What it makes of it.
    """
    names = {text.split()[0].split("$")[-1] for record in product.records for text in record.references.values()}
    read = [path, *(path.parent / "jref" / name for name in sorted(names))]
    written = product.write(path.with_name("size.fits"), clobber=True)
    size = written.stat().st_size
    written.unlink()
    frame = " x ".join(map(str, product.imsets[0].shape[::-1]))
    call = f"{task}.{task}({path.name!r}, quiet=True, exe_args=['--nthreads', '{{threads}}'])"
    title = f"{task}, WFC, {plural(len(product.imsets), 'chip')} of {frame} pixels"
    case = Case(task, title, [path], call, [f"{task}.e", "-q", path.name])
    copies = {Way(how, 0): partial(run_copy, read, size, block) for how, block in COPIES.items()}
    figures = compare(case, options, copies)
    if len(product.imsets) > 1:
        for way in (Way("in process", n) for n in options.threads):
            for copy in copies:
                times = figures[way].wall / figures[copy].wall
                options.book.judge(f"{task}, {way}: wall, times that of {copy.how}", times, at_most=3)


COPIES = {"reading and writing": 0, "copying in blocks": 2**20}
"""What is the least that can be done, and the bytes of a block: whole files in memory, or through a cache."""

_COPY = """
import json, time
data = bytearray(range(256)) * (({block} or {size}) // 256)
def work():
    for name in {read}:
        with open(name, "rb", buffering=0) as file:
            if {block}:
                while file.readinto(data):
                    pass
            else:
                file.read()
    with open("copy.fits", "wb", buffering=0) as file:
        for _ in range({size} // len(data)):
            file.write(data)
work()
wall, cpu = time.perf_counter(), time.process_time()
work()
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak()]))
"""


def run_copy(read: Sequence[Path], size: int, block: int, folder: Path) -> Usage:
    """Read some files and write as many bytes as a product has, the second time."""
    usage = Usage(*run_code(PEAK + _COPY.format(read=[str(p) for p in read], size=size, block=block), folder))
    (folder / "copy.fits").unlink()
    return usage


# Kernels: calls of the C core


@dataclass(frozen=True)
class Kernel:
    """A call of the C core on planes of one size.

    Attributes
    ----------
    name : str
        What it does.
    call : callable
        Takes a slice of rows.
    moved : float
        Bytes read and written per pixel.
    changes : sequence of ndarray
        What it changes: put back before each run, and compared between numbers of threads.
    pixels : int
        If not all that the image has.
    splits : bool
        Whether rows can be divided among threads.
    """

    name: str
    call: Callable[[slice], object]
    moved: float
    changes: Sequence[NDArray[Any]] = ()
    pixels: int = 0
    splits: bool = True


@dataclass(frozen=True)
class Planes:
    """Made-up planes of one image set, and another that serves as reference image."""

    sci: NDArray[np.float32]
    err: NDArray[np.float32]
    dq: NDArray[np.int16]
    ref_sci: NDArray[np.float32]
    ref_err: NDArray[np.float32]
    ref_dq: NDArray[np.int16]

    @classmethod
    def of(cls, shape: tuple[int, int], sky: float = 100.0) -> Planes:
        """Sky with noise and some bright pixels; a reference image near 1."""
        rng = np.random.default_rng(1)
        sci = rng.normal(sky, 5.0 + math.sqrt(sky), shape).astype(np.float32)
        sci.flat[rng.integers(0, sci.size, sci.size // 100)] += 2000.0
        err = rng.uniform(4.0, 12.0, shape).astype(np.float32)
        dq, ref_dq = (np.where(rng.random(shape) < 0.02, 16, 0).astype(np.int16) for _ in range(2))
        ref_sci = rng.normal(1.0, 0.02, shape).astype(np.float32)
        return cls(sci, err, dq, ref_sci, np.full(shape, 0.01, np.float32), ref_dq)

    @property
    def own(self) -> tuple[NDArray[Any], ...]:
        """SCI, ERR and DQ."""
        return self.sci, self.err, self.dq

    def all(self, rows: slice) -> tuple[Any, Any, Any, Any, Any, Any]:
        """Some rows of all six planes."""
        return self.sci[rows], self.err[rows], self.dq[rows], self.ref_sci[rows], self.ref_err[rows], self.ref_dq[rows]


SIZES = ((512, 512), (1024, 1024), (2048, 2048), (2048, 4096))


def bench_kernels(
    description: str,
    kernels: Callable[[tuple[int, int]], Iterable[Kernel]],
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    step: tuple[str, str] | None = None,
    **how: Any,
) -> None:
    """Measure kernels: ns per pixel, beside a plain copy of memory, by size and number of threads.

    Parameters
    ----------
    description : str
        Of the script, whose first words name the group.
    kernels : callable
        Lists the kernels for planes of a shape.
    sizes : sequence of (int, int)
        Shapes (n_row, n_col).
    step : (str, str), optional
        Task and switch of the step that the kernels are for, to run it alone beside the official program; `how` goes to
        the simulation.
    """
    parser = arguments(description)
    parser.add_argument("--sizes", help="shapes instead of the usual, such as 512x512,1024x1024")
    options = parse(parser)
    stem = Path(sys.argv[0]).stem.removeprefix("bench_")
    shapes = [tuple(map(int, s.split("x"))) for s in options.sizes.split(",")] if options.sizes else sizes
    rows = []
    for shape in shapes:
        for kernel in kernels(shape):  # type: ignore[arg-type]
            rows += time_kernel(kernel, shape, options)  # type: ignore[arg-type]
    heading = ("kernel", "image", "threads", "ns per pixel", "median", "GB/s", "share of a memory copy")
    cells = [
        (r["kernel"], f"{r['n_row']} x {r['n_col']}", str(r["threads"]), f"{r['ns']:.3f}", f"{r['median_ns']:.3f}")
        + (f"{r['gb_per_s']:.1f}", f"{r['share']:.0%}")
        for r in rows
    ]
    show(description.partition("\n")[0], [heading, *cells])
    options.book.put("kernels", stem, rows)
    if options.plot:
        curves: dict[str, list[tuple[float, float]]] = {}
        for r in rows:
            if r["threads"] == options.threads[0]:
                curves.setdefault(r["kernel"], []).append((r["pixels"], r["ns"] * r["pixels"] * 1e-6))
        plot_growth(options.plot / f"{stem}.png", f"Kernels of {stem}", "pixels", "milliseconds", curves)
    if step and official_program(options, f"{step[0]}.e"):
        compare_step(stem, *step, options, **how)


def time_kernel(kernel: Kernel, shape: tuple[int, int], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time of a kernel with each number of threads, in turn with a copy of as many bytes.

    Raises
    ------
    SystemExit
        The result depends on the number of threads.
    """
    pixels = kernel.pixels or shape[0] * shape[1]
    kept = [array.copy() for array in kernel.changes]
    source = np.ones(max(int(kernel.moved * pixels) // 2, 1), np.uint8)
    target = np.empty_like(source)
    parts = {n: split_rows(shape[0], n) for n in (options.threads if kernel.splits else [1])}
    spent: dict[int, list[float]] = {n: [] for n in (0, *parts)}
    first: list[NDArray[Any]] = []

    def seconds(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    for _ in range(1 + max(3 * options.repeat, 3)):
        spent[0].append(seconds(lambda: np.copyto(target, source)))
        for n, slices in parts.items():
            for array, original in zip(kernel.changes, kept, strict=True):
                np.copyto(array, original)
            calls = [partial(kernel.call, rows) for rows in slices]
            spent[n].append(seconds(partial(run_parallel, calls, n)))
            first = first or [array.copy() for array in kernel.changes]
            if any(a.tobytes() != b.tobytes() for a, b in zip(first, kernel.changes, strict=True)):
                raise SystemExit(f"{kernel.name}: {plural(n, 'thread')} give other bits")
    for array, original in zip(kernel.changes, kept, strict=True):
        np.copyto(array, original)
    # The first round finds cold memory.
    best, median = ({n: f(taken[1:]) for n, taken in spent.items()} for f in (min, statistics.median))
    return [
        {
            "kernel": kernel.name,
            "n_row": shape[0],
            "n_col": shape[1],
            "pixels": pixels,
            "threads": n,
            "ns": 1e9 * best[n] / pixels,
            "median_ns": 1e9 * median[n] / pixels,
            "gb_per_s": 1e-9 * kernel.moved * pixels / best[n],
            "share": best[0] / best[n],
        }
        for n in parts
    ]


# Growth


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Power of x by which y grows."""
    x, y = np.log(np.array(points, float).T)
    return float(np.polyfit(x, y, 1)[0])


def growth(book: Book, series: str, size: str, what: str = "wall") -> dict[str, list[tuple[float, float]]]:
    """Cost of the cases of a series against their size ("pixels" or "exposures"), by the way they were run."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for entry in book.data.get("cases", {}).values():
        if entry["series"] == series:
            for run in entry["runs"]:
                label = str(Way(run["how"], run["threads"]))
                curves.setdefault(label, []).append((entry[size], run[what]))
    return {label: sorted(points) for label, points in curves.items()}


COLORS = ("#1f5fa8", "#d9631e", "#8a8f98", "#2f8f5b", "#9a4fa3", "#c2a21d", "#4bb3c9", "#b0413e", "#6b6f2a")


STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
"""Of all plots."""


def draw_growth(axes: Any, title: str, xlabel: str, ylabel: str, curves: Curves) -> None:
    """Draw curves with logarithmic axes; their powers stand in the legend."""
    for i, (label, points) in enumerate(curves.items()):
        x, y = zip(*points, strict=True)
        power = f": power {exponent(points):.2f}" if len(points) > 1 else ""
        dashes = "--" if label.startswith("official") else ("-", ":")[i // len(COLORS) % 2]
        axes.plot(x, y, "o", ls=dashes, color=COLORS[i % len(COLORS)], ms=4, lw=1.4, label=f"{label}{power}")
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel, title=title)
    ticks = sorted({x for points in curves.values() for x, _ in points})
    if ticks and ticks[-1] < 10000:
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axes.set_xticks([], minor=True)


def plot_growth(path: Path, title: str, xlabel: str, ylabel: str, curves: Curves) -> None:
    """Write a plot of curves."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 4.2))
        draw_growth(axes, title, xlabel, ylabel, curves)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
        plt.close(figure)
    print(f"\nplot: {path}")
