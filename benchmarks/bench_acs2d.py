"""acs2d on a WFC full frame, in process and as a command, beside the official program.

python benchmarks/bench_acs2d.py [--official DIR]
"""

from __future__ import annotations

from calacs import acsccd
from helpers import Case, arguments, compare, simulated, workspace

IN_PROCESS = """
from calacs import acs2d
def prepare():
    return {blv!r}
def work(name):
    acs2d.run(name, n_threads={threads}).write({product!r}, clobber=True)
"""
COMMAND = "from calacs import acs2d; acs2d.acs2d({blv!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def main() -> None:
    """Run the benchmark."""
    options = arguments(__doc__ or "").parse_args()
    with workspace(options) as folder:
        raw = simulated(folder, "WFC", options.seed, exptime=500.0)
        blv = raw.with_name(raw.name.replace("_raw", "_blv_tmp"))
        acsccd.run(raw).write(blv, clobber=True)
        compare(
            Case(
                "acs2d, WFC full frame",
                product=raw.with_name(raw.name.replace("_raw", "_flt")),
                in_process=IN_PROCESS,
                command=COMMAND,
                official=["acs2d.e", "-q", blv.name],
                values={"blv": blv.name},
            ),
            options,
        )


if __name__ == "__main__":
    main()
