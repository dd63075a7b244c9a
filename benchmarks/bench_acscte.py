"""acscte on simulated WFC frames of different sky, exposure time and crowding, beside the official program.

python benchmarks/bench_acscte.py [--official DIR] [--cases sparse-20,crowded-100] [--aperture WFC1A-1K]

The last part tells where the CPU time goes, in process and on one thread, for each instruction set.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calacs import acsccd, acscte, cte, fits
from calacs.report import format_table
from calacs.sim import ALL_EFFECTS, Scene
from helpers import (
    Usage,
    arguments,
    in_turn,
    official_program,
    report,
    run_command,
    same_pixels,
    simulated,
    workspace,
)

EXPTIME = {1: 30.0, 20: 500.0, 100: 1200.0}
"""Exposure time (s) of each sky level (electron)."""
STARS = {"sparse": 2e-4, "crowded": 1e-2}
"""Stars per pixel."""
CASES = [f"{stars}-{sky}" for stars in STARS for sky in EXPTIME]
KERNELS = ("smoothing", "trap map", "inversion", "recombination")
COMMAND = "from calacs import acscte; acscte.acscte({name!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def make_frame(folder: Path, case: str, aperture: str, seed: int) -> Path:
    """A bias-subtracted frame."""
    stars, _, sky = case.partition("-")
    exptime = EXPTIME[int(sky)]
    root = f"jw{stars[:2]}{int(sky):03d}aq"
    path = folder / f"{root}_blv_tmp.fits"
    if not path.exists():
        scene = Scene(sky=int(sky) / exptime, star_density=STARS[stars])
        how: dict[str, Any] = {"aperture": aperture, "amps": aperture[4:5]} if aperture else {}
        effects = set(ALL_EFFECTS) - {"delta_flat", "spots", "shading", "flash", "nonlinearity"}
        raw = simulated(folder, "WFC", seed, exptime=exptime, scene=scene, effects=effects, rootname=root, **how)
        acsccd.run(raw).write(path)
    return path


def measure(path: Path, program: str | None, threads: list[str], repeat: int) -> dict[str, Usage]:
    """Run the task as a command, with some numbers of threads, and the official program."""
    folder = path.parent
    product = path.with_name(path.name.replace("_blv_tmp", "_blc_tmp"))
    kept = {}

    def run(name: str, command: list[str]) -> Usage:
        product.unlink(missing_ok=True)
        usage = run_command(command, folder)
        kept[name] = product.replace(folder / f"{name.replace(' ', '_')}.fits")
        return usage

    def ours(n: str) -> Callable[[], Usage]:
        command = [sys.executable, "-W", "ignore", "-c", COMMAND.format(name=path.name, threads=n)]
        return lambda: run(f"calacs {n}", command)

    def official(n: str) -> Callable[[], Usage]:
        return lambda: run(f"official {n}", [program or "", "-q", "--nthreads", n, path.name])

    runs = {f"calacs {n}": ours(n) for n in threads}
    if program:
        runs |= {f"official {n}": official(n) for n in threads}
    figures = in_turn(runs, repeat)
    first, *others = kept.values()
    for other in others:
        if not same_pixels(first, other):
            raise SystemExit(f"{path.name}: the products {first.name} and {other.name} differ")
    return figures


def break_down(path: Path, isa: str) -> dict[str, float]:
    """CPU seconds spent in each part of the task, with the kernels of an instruction set."""
    spent: dict[str, float] = defaultdict(float)
    parts = {"smoothing": "smooth", "trap map": "trap_map", "inversion": "inverse", "recombination": "combine"}
    kept = {name: getattr(cte, name) for name in parts.values()}
    chosen = {"smoothing": {"isa": isa}, "inversion": {"isa": isa}}

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **options, **chosen.get(part, {}))
            finally:
                spent[part] += time.process_time() - started

        return call

    for part, name in parts.items():
        setattr(cte, name, timed(part, kept[name]))
    try:
        exposure = timed("reading", fits.read_exposure)(path)
        started = time.process_time()
        product = acscte.run(exposure)
        spent["tables, copies, rest"] = time.process_time() - started - sum(spent[part] for part in parts)
        target = path.with_name("breakdown.fits")
        timed("writing", fits.write_exposure)(product, target, clobber=True)
        target.unlink()
    finally:
        for name, function in kept.items():
            setattr(cte, name, function)
    return dict(spent)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--cases", default=",".join(CASES), help=f"frames, comma-separated, among {', '.join(CASES)}")
    parser.add_argument("--aperture", default="", help="a subarray, such as WFC1A-1K, instead of full frames")
    options = parser.parse_args()
    program, threads = official_program(options, "acscte.e"), options.threads.split(",")
    rows: list[tuple[str, ...]] = []
    ratios = [("frame", "threads", "wall", "CPU", "memory")]
    with workspace(options) as folder:
        os.environ["jref"] = f"{folder / 'jref'}{os.sep}"
        for case in options.cases.split(","):
            path = make_frame(folder, case, options.aperture, options.seed)
            figures = measure(path, program, threads, options.repeat)
            reference = f"official {threads[0]}"
            report(f"acscte, {options.aperture or 'full frame'}, {case}", figures, reference, options)
            for n in threads if program else ():
                ours, theirs = figures[f"calacs {n}"], figures[f"official {n}"]
                faster = (f"{getattr(theirs, key) / getattr(ours, key):.1f} x less" for key in ("wall", "cpu"))
                ratios.append((case, n, *faster, f"{ours.peak / theirs.peak:.2f}"))
            for isa in (name for name in cte.available_isas() if name != "scalar"):
                parts = [break_down(path, isa) for _ in range(options.repeat)]
                spent = {name: min(part[name] for part in parts) for name in parts[0]}
                rows = rows or [("frame", "instructions", *spent, "kernels beside official")]
                kernels = sum(spent[part] for part in KERNELS)
                ratio = f"{figures[reference].cpu / kernels:.1f} x less" if program else ""
                rows.append((case, isa, *(f"{seconds:.2f} s" for seconds in spent.values()), ratio))
    if program:
        print(f"\nBeside the official program, products identical\n\n{format_table(ratios)}")
    print(f"\nWhere the CPU time goes, one thread\n\n{format_table(rows)}")


if __name__ == "__main__":
    main()
