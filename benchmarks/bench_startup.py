"""How fast the programs start: ratios to a bare interpreter.

``--version`` is compared with ``python -c pass``; the time until a program opens its input, with the time that
``import numpy, astropy.io.fits`` takes.  Exit status 1 if a ratio is above its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from calacs.executables import write_launchers
from calacs.report import format_table

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


def main() -> int:
    """Measure, print and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--repeat", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    python = sys.executable
    figures = []
    with tempfile.TemporaryDirectory(prefix="calacs-bench-") as name:
        programs, folder = Path(name, "bin"), Path(name, "work")
        write_launchers(programs)
        folder.mkdir()
        bare = [python, "-c", "pass"]
        libraries = [python, "-c", "import numpy, astropy.io.fits"]
        for program, words in INPUTS.items():
            path = programs / f"{program}.e"
            if program != "acsrej":  # which does not know the option
                version = [path, "--version"]
                base, ours = interleaved(options.repeat, lambda: seconds(bare), lambda v=version: seconds(v))
                figures.append((program, "--version", ours, base))
            run, first = [path, *words.split()], words.replace(",", " ").split()[0]
            base, ours = interleaved(
                options.repeat,
                lambda: seconds(libraries),
                lambda r=run, f=first: seconds_to_input(r, folder, f),
            )
            figures.append((program, "first byte", ours, base))
    rows = [("program", "what", "seconds", "interpreter", "ratio", "limit")]
    for program, what, ours, base in figures:
        rows.append((program, what, f"{ours:.3f}", f"{base:.3f}", f"{ours / base:.2f}", f"{LIMITS[what]:g}"))
    print(format_table(rows))
    if options.json:
        keys = ("program", "what", "seconds", "interpreter")
        options.json.write_text(json.dumps([dict(zip(keys, one, strict=True)) for one in figures], indent=1) + "\n")
    return int(any(ours / base > LIMITS[what] for _, what, ours, base in figures))


if __name__ == "__main__":
    sys.exit(main())
