"""All benchmarks, one after the other, into one file of figures; about half an hour with the official programs.

python benchmarks/run_all.py --official DIR --json FILE [--resume] [--only calacs-flc,run-wfc]

Needs 6 GB in the folder for temporary files (TMPDIR).  What the scripts print goes into a file beside FILE.  With
``--resume``, what FILE holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from helpers import table

HERE = Path(__file__).parent
KERNELS = sorted({path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")})
TASKS = ("acsccd", "acscte", "acs2d", "acsrej", "calacs", "run", "startup")
RUNS: dict[str, str] = {
    "calacs-flt": "calacs --cases flt --threads 1,2 -n 5",
    "calacs-flc": "calacs --cases flc --threads 1,2 -n 2",
    "calacs-crsplit": "calacs --cases crsplit -n 1",
    "run-wfc": "run --inputs wfc --numbers 1,5,20 --threads 1,2 -n 1",
    "run-small": "run --inputs 1k,hrc --threads 1,2 -n 2",
    "acsccd": "acsccd --threads 1,2 -n 5",
    "acs2d": "acs2d --threads 1,2 -n 5",
    "acscte": "acscte --frames full:sparse-20 --threads 1,2 -n 1",
    "acscte-rows": "acscte --frames WFC1A-512:sparse-20,WFC1A-1K:sparse-20,WFC1A-2K:sparse-20 --threads 1,2 -n 1",
    "calacs-sizes": "calacs --cases flt-512,flt-1k,flt-2k,flt-10s,flt-crowded,hrc,hrc-crsplit,sbc -n 3",
    "calacs-sizes-cte": "calacs --cases flc-512,flc-1k,flc-2k -n 1",
    "acsrej": "acsrej -n 2",
    "startup": "startup -n 3",
    "acscte-fields": "acscte --frames full:sparse-1,full:sparse-100,full:crowded-1,full:crowded-20,full:crowded-100 -n 1",
    **{name: f"{name} --threads 1,2 -n {1 if name == 'cte' else 3}" for name in KERNELS if name not in TASKS},
}
"""Scripts and their options, the main ones first."""


def main() -> int:
    """Run what is wanted; print the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", metavar="DIR", help="folder of the official programs (default: those on PATH)")
    parser.add_argument("--json", type=Path, metavar="FILE", required=True, help="file of figures, replaced")
    parser.add_argument("--resume", action="store_true", help="add to FILE instead")
    parser.add_argument("--only", default=",".join(RUNS), help="which of them, comma-separated (default: all)")
    parser.add_argument("--note", help="something to say about the conditions")
    options = parser.parse_args()
    log = options.json.with_suffix(".log")
    if not options.resume:
        options.json.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    failed = []
    for key in options.only.split(","):
        done = read(options.json).get("done", {})
        if key in done:
            continue
        script, *words = RUNS[key].split()
        command = [sys.executable, str(HERE / f"bench_{script}.py"), *words, "--json", str(options.json)]
        if options.official:
            command += ["--official", options.official]
        print(f"{key:18s} {RUNS[key]}", end="", flush=True)
        started = time.monotonic()
        with log.open("a") as file:
            status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
        seconds = time.monotonic() - started
        print(f": {seconds:.0f} s{f', FAILED, see {log}' if status else ''}", flush=True)
        if status:
            failed.append(key)
        else:
            data = read(options.json)
            data["done"] = {**data.get("done", {}), key: round(seconds)}
            options.json.write_text(json.dumps(data, indent=1) + "\n")
    if options.note:
        data = read(options.json)
        data["conditions"]["note"] = options.note
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    goals = read(options.json).get("goals", {})
    rows = [("goal", "limit", "measured", "")]
    rows += [(name, g["limit"], f"{g['measured']:.2f}", "met" if g["met"] else "MISSED") for name, g in goals.items()]
    print(f"\n{table(rows)}")
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


def read(path: Path) -> dict[str, Any]:
    """The file of figures, or nothing."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
