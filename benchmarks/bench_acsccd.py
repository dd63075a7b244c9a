"""acsccd on a WFC full frame, in process and as a command, beside the official program.

python benchmarks/bench_acsccd.py [--official DIR]
"""

from __future__ import annotations

import sys

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
from calacs import acsccd
def prepare():
    return {path!r}
def work(path):
    acsccd.run(path, n_threads={threads}).write({target!r}, clobber=True)
"""
COMMAND = "from calacs import acsccd; acsccd.acsccd({name!r}, quiet=True, exe_args=['--nthreads', '{threads}'])"


def main() -> None:
    """Run the benchmark."""
    options = arguments(__doc__ or "").parse_args()
    with workspace(options) as folder:
        path = simulated(folder, "WFC", options.seed, exptime=500.0)
        product, ours = path.with_name(path.name.replace("_raw", "_blv_tmp")), folder / "ours.fits"
        program = official_program(options, "acsccd.e")

        def official() -> Usage:
            product.unlink(missing_ok=True)
            usage = run_command([program or "", "-q", path.name], folder)
            return usage

        def command(threads: str) -> Usage:
            product.unlink(missing_ok=True)
            return run_command(
                [sys.executable, "-W", "ignore", "-c", COMMAND.format(name=path.name, threads=threads)], folder
            )

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
        report("acsccd, WFC full frame", figures, "official", options)


if __name__ == "__main__":
    main()
