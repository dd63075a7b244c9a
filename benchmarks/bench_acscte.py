"""acscte on simulated WFC frames of different sky, exposure time, crowding and size, beside the official program.

python benchmarks/bench_acscte.py [--official DIR] [--frames full:sparse-20,WFC1A-1K:sparse-20] [--threads 1,2]

The last table tells where the CPU time goes, in process and on one thread, for each instruction set.  The subarrays have
the same 2072 columns and 512, 1024 and 2068 rows.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calacs import acsccd, acscte, cte, fits
from calacs.sim import ALL_EFFECTS, Scene
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
    show,
    simulated,
    workspace,
)

EXPTIME = {1: 30.0, 20: 500.0, 100: 1000.0, 200: 1200.0}
"""Exposure time (s) of each sky level (electron)."""
STARS = {"sparse": 2e-4, "crowded": 1e-2}
"""Stars per pixel."""
FRAMES = tuple(f"full:{stars}-{sky}" for sky in (20, 1, 100) for stars in STARS)
ROWS = ("WFC1A-512:sparse-20", "WFC1A-1K:sparse-20", "WFC1A-2K:sparse-20")
MODEL = "full:sparse-20"
"""The frame that stands beside smaller ones."""
PARTS = {"smoothing": "smooth", "trap map": "trap_map", "inversion": "inverse", "recombination": "combine"}
"""Kernels, and the functions of `calacs.cte` that run them."""
FASTER = {"avx512": 20.0, "avx2": 12.0, "baseline": 5.0}
"""How many times less CPU the kernels should need than the official program."""


def name_of(frame: str) -> str:
    """Aperture, field and sky of a frame, for people."""
    aperture, _, field = frame.partition(":")
    return f"{'WFC full frame' if aperture == 'full' else aperture}, {field.replace('-', ' field, sky ')} e-"


def make_frame(folder: Path, frame: str, seed: int) -> Path:
    """A bias-subtracted frame."""
    aperture, _, field = frame.partition(":")
    stars, _, sky = field.partition("-")
    exptime = EXPTIME[int(sky)]
    root = f"j{aperture[-3:].strip('-').lower():0<3}{stars[0]}{sky:0>3}q"
    path = folder / f"{root}_blv_tmp.fits"
    if not path.exists():
        scene = Scene(sky=int(sky) / exptime, star_density=STARS[stars])
        how: dict[str, Any] = {"aperture": aperture, "amps": aperture[4:5]} if aperture != "full" else {}
        effects = set(ALL_EFFECTS) - {"delta_flat", "spots", "shading", "flash", "nonlinearity"}
        raw = simulated(folder, "WFC", seed, exptime=exptime, scene=scene, effects=effects, rootname=root, **how)
        acsccd.run(raw).write(path)
    return path


def case_of(path: Path, frame: str) -> Case:
    """What is run."""
    return Case(
        f"acscte-{frame.replace(':', '-')}",
        f"acscte, {name_of(frame)}",
        [path],
        f"acscte.acscte({path.name!r}, quiet=True, exe_args=['--nthreads', '{{threads}}'])",
        ["acscte.e", "-q", path.name],
        pixels=sum(imset.sci.size for imset in fits.read_exposure(path)),
        series="acscte" if frame.partition(":")[2] == MODEL.partition(":")[2] else "",
    )


def break_down(path: Path, isa: str) -> dict[str, float]:
    """CPU seconds spent in each part of the task, with the kernels of an instruction set."""
    spent: dict[str, float] = defaultdict(float)
    kept = {name: getattr(cte, name) for name in PARTS.values()}
    chosen = {"smoothing": {"isa": isa}, "inversion": {"isa": isa}}

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **options, **chosen.get(part, {}))
            finally:
                spent[part] += time.process_time() - started

        return call

    for part, name in PARTS.items():
        setattr(cte, name, timed(part, kept[name]))
    try:
        exposure = timed("reading", fits.read_exposure)(path)
        started = time.process_time()
        product = acscte.run(exposure)
        spent["tables, copies, rest"] = time.process_time() - started - sum(spent[part] for part in PARTS)
        target = path.with_name("breakdown.fits")
        timed("writing", fits.write_exposure)(product, target, clobber=True)
        target.unlink()
    finally:
        for name, function in kept.items():
            setattr(cte, name, function)
    return dict(spent)


def measure_parts(path: Path, frame: str, figures: dict[Way, Figures], options: argparse.Namespace) -> None:
    """Where the time goes, beside the CPU time of the whole official program."""
    official = next((f for way, f in figures.items() if way.how == "official"), None)
    measured: dict[str, dict[str, float]] = {}
    for isa in cte.available_isas()[1:]:
        runs = [break_down(path, isa) for _ in range(options.repeat)]
        spent = measured[isa] = {part: min(run[part] for run in runs) for part in runs[0]}
        if official and frame.startswith("full:"):
            times = official.cpu / sum(spent[part] for part in PARTS)
            goal = f"acscte, {name_of(frame)}, {isa} kernels: CPU, times less than official"
            options.book.judge(goal, times, at_least=FASTER[isa])
    options.book.put("parts", frame, measured)


def print_parts(frames: list[str], options: argparse.Namespace) -> None:
    """One line for each frame and instruction set."""
    parts = options.book.data["parts"]
    names = list(next(iter(parts[frames[0]].values())))
    rows = [("frame", "instructions", *names, "kernels", "all")]
    for frame in frames:
        for isa, spent in parts[frame].items():
            sums = sum(spent[part] for part in PARTS), sum(spent.values())
            rows.append((frame, isa, *(f"{seconds:.2f}" for seconds in (*spent.values(), *sums))))
    show("Where the CPU time goes, one thread, seconds", rows)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--frames", default=",".join((*FRAMES, *ROWS)), help="frames, comma-separated (%(default)s)")
    options = parse(parser)
    frames = options.frames.split(",")
    with workspace(options) as folder:
        for frame in frames:
            path = make_frame(folder, frame, options.seed)
            figures = compare(case_of(path, frame), options)
            if frame.startswith("full:") and any(way.how == "official" for way in figures):
                for n in options.threads:
                    way = Way("as a command", n)
                    goal = f"acscte, {name_of(frame)}, {'one thread' if n == 1 else f'{n} threads'} each"
                    options.book.judge(f"{goal}: wall, times less", ratio(figures, way, "wall"), at_least=15)
                    options.book.judge(f"{goal}: memory", 1 / ratio(figures, way, "peak"), at_most=1.3)
            measure_parts(path, frame, figures, options)
            path.unlink()
    print_parts(frames, options)
    if options.plot:
        curves = growth(options.book, "acscte", "pixels")
        plot_growth(
            options.plot / "acscte.png", "acscte: 512, 1024 and 2068 rows, full frame", "pixels", "wall s", curves
        )


if __name__ == "__main__":
    main()
