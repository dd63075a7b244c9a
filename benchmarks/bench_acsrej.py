"""acsrej on lists of WFC full frames, in process and as a command, beside the official program.

python benchmarks/bench_acsrej.py [--official DIR] [--lists 2,4,8] [--aperture WFC1A-512]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calacs import acsccd, fits
from helpers import Case, arguments, compare, growth, parse, plot_growth, run_code, simulated, workspace


def calibrated(folder: Path, seed: int, **how: Any) -> Path:
    """A bias-subtracted exposure; the raw one is not kept."""
    path = folder / f"jrej{seed:04d}q_blv_tmp.fits"
    if not path.exists():
        raw = simulated(
            folder, "WFC", seed, rootname=path.name[:9], exptime=500.0, keywords={"CRCORR": "PERFORM"}, **how
        )
        acsccd.run(raw).write(path)
        raw.unlink()
    return path


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--lists", default="2,4,8", help="numbers of exposures, comma-separated")
    parser.add_argument("--aperture", default="", help="a subarray instead of full frames")
    options = parse(parser)
    how = {"aperture": options.aperture, "amps": options.aperture[4:5]} if options.aperture else {}
    with workspace(options) as folder:
        for n in map(int, options.lists.split(",")):
            paths = [calibrated(folder, options.seed + i, **how) for i in range(n)]
            names, product = [path.name for path in paths], f"combined{n:02d}_crj.fits"
            # The flags of cosmic rays go into the inputs and from there into the product of the next run.
            run_code(f"from calacs import acsrej; acsrej.acsrej({names!r}, {product!r}); print(0)", folder)
            (folder / product).unlink()
            case = Case(
                f"acsrej-{n}",
                f"acsrej, {n} WFC exposures",
                paths,
                f"acsrej.acsrej({names!r}, {product!r}, exe_args=['--nthreads', '{{threads}}'])",
                ["acsrej.e", ",".join(names), product],
                exposures=n,
                pixels=n * sum(imset.sci.size for imset in fits.read_exposure(paths[0])),
                series="acsrej",
                copy=True,
            )
            compare(case, options)
    if options.plot:
        curves = growth(options.book, "acsrej", "exposures")
        plot_growth(options.plot / "acsrej.png", "acsrej, WFC full frames", "exposures", "wall seconds", curves)


if __name__ == "__main__":
    main()
