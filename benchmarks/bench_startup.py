"""How fast the programs start: ratios to a bare interpreter.

``--version`` is compared with ``python -c pass``; the time until a program opens its input, with the time that
``import numpy, astropy.io.fits`` takes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from calacs.executables import write_launchers
from helpers import arguments, parse, show, workspace

LIMITS = {"--version": 3.0, "first byte": 1.3}
INPUTS = {
    "calacs": "x_raw.fits",
    "acsccd": "x_raw.fits",
    "acscte": "x_blv_tmp.fits",
    "acs2d": "x_blv_tmp.fits",
    "acssum": "x_flt.fits,y_flt.fits z_sfl.fits",
    "acsrej": "x_blv_tmp.fits,y_blv_tmp.fits z_crj.fits",
}


def seconds(command: Sequence[str | Path]) -> float:
    """Wall time of a command."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def seconds_to_input(command: Sequence[str | Path], folder: Path, name: str) -> float:
    """Wall time until a command opens its input, which is a pipe that waits for that."""
    pipe = folder / name
    os.mkfifo(pipe)
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(os.open(pipe, os.O_WRONLY))
    taken = time.perf_counter() - started
    process.wait()
    for path in folder.iterdir():
        path.unlink()
    return taken


def interleaved(n: int, *measures: Callable[[], float]) -> list[float]:
    """Medians of measurements that take turns, so that a busy machine slows all of them."""
    return [statistics.median(values) for values in zip(*([one() for one in measures] for _ in range(n)), strict=True)]


def main() -> None:
    """Measure, print and compare with the limits."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--programs", default=",".join(INPUTS), help="which of them, comma-separated (%(default)s)")
    options = parse(parser)
    python, n = sys.executable, 3 * options.repeat
    with workspace(options) as place:
        programs, folder = place / "bin", place / "work"
        write_launchers(programs)
        folder.mkdir()
        bare, libraries = [python, "-c", "pass"], [python, "-c", "import numpy, astropy.io.fits"]
        rows: list[Sequence[str]] = [("program", "what", "seconds", "interpreter", "ratio", "at most")]
        worst = dict.fromkeys(LIMITS, 0.0)
        for program in options.programs.split(","):
            words = INPUTS[program]
            launcher = programs / f"{program}.e"
            run: list[str | Path] = [launcher, *words.split()]
            first = words.replace(",", " ").split()[0]
            pairs = {"first byte": (partial(seconds, libraries), partial(seconds_to_input, run, folder, first))}
            if program != "acsrej":  # which does not know the option
                pairs["--version"] = (partial(seconds, bare), partial(seconds, [launcher, "--version"]))
            for what, (reference, program_itself) in pairs.items():
                base, ours = interleaved(n, reference, program_itself)
                worst[what] = max(worst[what], ours / base)
                rows.append((program, what, f"{ours:.3f}", f"{base:.3f}", f"{ours / base:.2f}", f"{LIMITS[what]:g}"))
    show("How fast the programs start, median seconds", rows)
    for what, limit in LIMITS.items():
        options.book.judge(f"start, {what}: times the interpreter's, the slowest program", worst[what], at_most=limit)


if __name__ == "__main__":
    main()
