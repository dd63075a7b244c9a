"""acs2d on a WFC full frame, in process and as a command, beside the official program.

python benchmarks/bench_acs2d.py [--official DIR]
"""

from __future__ import annotations

import sys

from calacs import acsccd
from helpers import (
    Usage,
    arguments,
    in_turn,
    official_program,
    report,
    run_command,
    run_python,
    same_pixels,
    simulated,
    workspace,
)

IN_PROCESS = """
from calacs import acs2d
def prepare():
    return {path!r}
def work(path):
    acs2d.run(path, n_threads={threads}).write({target!r}, clobber=True)
"""
COMMAND = "from calacs import acs2d; acs2d.acs2d({name!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def main() -> None:
    """Run the benchmark."""
    options = arguments(__doc__ or "").parse_args()
    with workspace(options) as folder:
        raw = simulated(folder, "WFC", options.seed, exptime=500.0)
        path = raw.with_name(raw.name.replace("_raw", "_blv_tmp"))
        acsccd.run(raw).write(path, clobber=True)
        product, ours = path.with_name(raw.name.replace("_raw", "_flt")), folder / "ours.fits"
        program = official_program(options, "acs2d.e")

        def official() -> Usage:
            product.unlink(missing_ok=True)
            return run_command([program or "", "-q", path.name], folder)

        def command(threads: str) -> Usage:
            product.unlink(missing_ok=True)
            code = COMMAND.format(name=path.name, threads=threads)
            return run_command([sys.executable, "-W", "ignore", "-c", code], folder)

        runs = {}
        for threads in options.threads.split(","):
            code = IN_PROCESS.format(path=str(path), target=str(ours), threads=threads)
            runs[f"in process, {threads} threads"] = lambda code=code: run_python(code, folder)
            runs[f"as a command, {threads} threads"] = lambda threads=threads: command(threads)
        if program:
            runs["official"] = official
        figures = in_turn(runs, options.repeat)
        if program:
            assert same_pixels(product, ours), "the products differ"
        report("acs2d, WFC full frame", figures, "official", options)


if __name__ == "__main__":
    main()
