"""acsccd on a WFC full frame, in process and as a command, beside the official program.

python benchmarks/bench_acsccd.py [--official DIR]
"""

from __future__ import annotations

from helpers import Case, arguments, compare, simulated, workspace

IN_PROCESS = """
from calacs import acsccd
def prepare():
    return {raw!r}
def work(name):
    acsccd.run(name, n_threads={threads}).write({product!r}, clobber=True)
"""
COMMAND = "from calacs import acsccd; acsccd.acsccd({raw!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def main() -> None:
    """Run the benchmark."""
    options = arguments(__doc__ or "").parse_args()
    with workspace(options) as folder:
        raw = simulated(folder, "WFC", options.seed, exptime=500.0)
        compare(
            Case(
                "acsccd, WFC full frame",
                product=raw.with_name(raw.name.replace("_raw", "_blv_tmp")),
                in_process=IN_PROCESS,
                command=COMMAND,
                official=["acsccd.e", "-q", raw.name],
                values={"raw": raw.name},
            ),
            options,
        )


if __name__ == "__main__":
    main()
