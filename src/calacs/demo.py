"""The demonstration: simulate exposures of every detector, calibrate them, and compare with the truth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs.calacs import process
from calacs.door import FileDoor
from calacs.errors import OutputExists
from calacs.exposure import Exposure
from calacs.fits import read_exposure
from calacs.parallel import available_cpus
from calacs.progress import ProgressLine
from calacs.report import format_table

EXPOSURES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("WFC full frame", {"detector": "WFC", "exptime": 500.0}),
    ("WFC subarray", {"detector": "WFC", "aperture": "WFC1A-1K", "exptime": 300.0, "flash": 4.0}),
    ("HRC", {"detector": "HRC", "exptime": 200.0}),
    ("SBC", {"detector": "SBC", "exptime": 600.0}),
)
"""What is simulated: a title, and arguments of `calacs.sim.simulate`."""


def run_demo(folder: Path, *, n_threads: int = 0, seed: int = 1, say: Callable[[str], None] = print) -> int:
    """Simulate, calibrate and compare; return 0 if every product agrees with the truth.

    Parameters
    ----------
    folder : Path
        Where to put the files; made if necessary, and refused if it holds products already.
    n_threads : int
        Threads to use; 0 stands for all processors.
    seed : int
        Seed of the simulation.
    say : callable
        What shows the lines.

    Raises
    ------
    OutputExists
        The folder holds a demonstration already.
    """
    from calacs import sim

    if any(folder.glob("*_raw.fits")):
        raise OutputExists(f"{folder} holds a demonstration already; remove it or name another folder")
    (folder / "jref").mkdir(parents=True, exist_ok=True)
    os.environ["jref"] = f"{(folder / 'jref').resolve()}{os.sep}"
    n_threads = n_threads or available_cpus()
    started = time.perf_counter()
    say(f"simulating {len(EXPOSURES)} exposures and their reference files into {folder}/ ...")
    rows = [("exposure", "what", "product", "seconds", "pixels", "median error", "scatter / sigma")]
    agree = True
    references: dict[str, Any] = {}
    with ProgressLine(2 * len(EXPOSURES)) as progress:
        for number, (title, options) in enumerate(EXPOSURES):
            progress.label = title
            progress("simulating")
            detector = options["detector"]
            if detector not in references:
                references[detector] = sim.ReferenceSet(detector, seed=seed)
            exposure = sim.simulate(**options, seed=seed + number, references=references[detector], n_threads=n_threads)
            exposure.write_references(folder / "jref")
            path = exposure.write(folder)
            progress.done()
            begun = time.perf_counter()
            products = process(path, FileDoor("calacs", quiet=True, n_threads=n_threads), progress=progress)
            seconds = time.perf_counter() - begun
            progress.done()
            for product in products:
                error, scatter, n_pixel = compare(read_exposure(product), exposure.truth)
                agree &= abs(error) < 1.0 and 0.8 < scatter < 1.2
                rows.append(
                    (
                        path.name,
                        title,
                        product.name,
                        f"{seconds:.1f}",
                        f"{n_pixel}",
                        f"{error:+.3f} e-",
                        f"{scatter:.3f}",
                    )
                )
    say(format_table(rows))
    say(
        "\nmedian error: median of product - truth; scatter / sigma: of (product - truth) / ERR, 1 where errors are right;\n"
        "both over unflagged pixels that no cosmic ray hit.  The products are "
        + ("as they should be." if agree else "NOT as they should be.")
    )
    say(f"{time.perf_counter() - started:.1f} s in all; files in {folder}/, reference files in {folder / 'jref'}/")
    say(f"next: export jref={os.environ['jref']}; calacs check {folder}/*_raw.fits")
    return 0 if agree else 1


def compare(product: Exposure, truth: Any) -> tuple[float, float, int]:
    """Compare a product with the truth of its simulation.

    Returns
    -------
    error : float
        Median of product - truth, in the unit of the product.
    scatter : float
        Robust standard deviation of (product - truth) / ERR.
    n_pixel : int
        Pixels compared: no flag, no cosmic ray.
    """
    differences: list[NDArray[np.float32]] = []
    pulls: list[NDArray[np.float32]] = []
    for imset, real in zip(product.imsets, truth, strict=True):
        good = (imset.dq == 0) & (real.cosmic_rays == 0) & (imset.err > 0)
        difference = (imset.sci - real.sci)[good]
        differences.append(difference)
        pulls.append(difference / imset.err[good])
    difference, pull = np.concatenate(differences), np.concatenate(pulls)
    spread = 1.4826 * float(np.median(np.abs(pull - np.median(pull))))
    return float(np.median(difference)), spread, difference.size
