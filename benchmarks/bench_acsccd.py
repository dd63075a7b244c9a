"""acsccd on a WFC full frame, in process and as a command, beside the official program and a plain copy.

python benchmarks/bench_acsccd.py [--official DIR] [--threads 1,2] [--aperture WFC1A-512]
"""

from __future__ import annotations

from calacs import acsccd
from helpers import arguments, compare_task, parse, simulated, workspace


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--aperture", default="", help="a subarray instead of a full frame")
    options = parse(parser)
    how = {"aperture": options.aperture, "amps": options.aperture[4:5]} if options.aperture else {}
    with workspace(options) as folder:
        raw = simulated(folder, "WFC", options.seed, rootname="jbenchccq", exptime=500.0, **how)
        compare_task("acsccd", raw, acsccd.run(raw), options)


if __name__ == "__main__":
    main()
