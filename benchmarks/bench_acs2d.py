"""acs2d on a WFC full frame, in process and as a command, beside the official program and a plain copy.

python benchmarks/bench_acs2d.py [--official DIR] [--threads 1,2] [--aperture WFC1A-512]
"""

from __future__ import annotations

from calacs import acs2d, acsccd
from helpers import arguments, compare_task, parse, simulated, workspace


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--aperture", default="", help="a subarray instead of a full frame")
    options = parse(parser)
    how = {"aperture": options.aperture, "amps": options.aperture[4:5]} if options.aperture else {}
    with workspace(options) as folder:
        raw = simulated(folder, "WFC", options.seed, rootname="jbench2dq", exptime=500.0, **how)
        blv = acsccd.run(raw).write(folder / "jbench2dq_blv_tmp.fits", clobber=True)
        compare_task("acs2d", blv, acs2d.run(blv), options)


if __name__ == "__main__":
    main()
