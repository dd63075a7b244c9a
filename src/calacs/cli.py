"""The command line: ``calacs run``, ``check``, ``info``, ``demo`` and ``executables``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calacs._version import OFFICIAL_VERSION, __version__

if TYPE_CHECKING:
    from calacs.flow import Plan
    from calacs.refs import Problems

EXIT_FAILURE = 1
"""Some exposure could not be calibrated, or has problems."""
EXIT_USAGE = 2
"""The command line is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, which is not 0 after any failure."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return EXIT_FAILURE
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        print("calacs: interrupted; nothing half-written is left", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return EXIT_FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="calacs", description="Calibrate exposures of the Hubble Space Telescope's Advanced Camera for Surveys."
    )
    parser.add_argument(
        "--version", action="version", version=f"calacs {__version__} (results of official CALACS {OFFICIAL_VERSION})"
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser("run", help="calibrate raw exposures: x_raw.fits becomes x_flt.fits")
    _add_inputs(run)
    run.add_argument(
        "-j", "--threads", type=int, default=0, metavar="N", help="threads to use (default: all processors)"
    )
    run.add_argument(
        "--save-temporaries", action="store_true", help="keep the intermediate files (x_blv_tmp.fits, ...)"
    )
    run.add_argument("--clobber", action="store_true", help="replace existing products")
    run.add_argument(
        "--reference-cache",
        type=float,
        default=0,
        metavar="MB",
        help="pixels of reference images to keep in memory for the next exposures (default: none; a WFC frame uses 390)",
    )
    run.add_argument("-v", "--verbose", action="store_true", help="show the messages of all steps")
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="find and check all reference files; change nothing")
    _add_inputs(check)
    check.set_defaults(command=_check)

    info = commands.add_parser("info", help="tell what an exposure is and what each switch will do")
    _add_inputs(info, needed=False)
    info.add_argument("--system", action="store_true", help="tell which versions and which instruction set run")
    info.set_defaults(command=_info)

    demo = commands.add_parser("demo", help="simulate exposures, calibrate them and compare with the truth")
    demo.add_argument("folder", nargs="?", default="calacs-demo", help="where to put the files (default: %(default)s)")
    demo.add_argument(
        "-j", "--threads", type=int, default=0, metavar="N", help="threads to use (default: all processors)"
    )
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulation (default: %(default)s)")
    demo.set_defaults(command=_demo)

    programs = commands.add_parser(
        "executables", help="write calacs.e, acsccd.e ... for those who call the official ones"
    )
    programs.add_argument("folder", metavar="DIR", help="where to put them; made if necessary")
    programs.set_defaults(command=_executables)
    return parser


def _add_inputs(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    parser.add_argument(
        "files",
        nargs="+" if needed else "*",
        metavar="FILE",
        help="raw exposures or association tables: names, wildcards, @list",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a switch, a reference file, a header keyword or a table value, e.g. --set flatcorr=OMIT",
    )


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    return dict(_assignment(text) for text in options.set)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SystemExit(f"calacs: --set {text}: write NAME=VALUE")
    for convert in (int, float):
        try:
            return name.lower(), convert(value)
        except ValueError:
            continue
    return name.lower(), value


def _show_warnings() -> None:
    """Show every warning in one line, whatever filters Python was started with."""
    from calacs.errors import CalacsWarning

    warnings.simplefilter("always", CalacsWarning)
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"calacs: warning: {message}", file=sys.stderr)


def _inputs(options: argparse.Namespace) -> list[Path]:
    from calacs.door import expand_input

    return expand_input(options.files)


def _run(options: argparse.Namespace) -> int:
    from calacs.calacs import process_all
    from calacs.door import FileDoor
    from calacs.errors import CalacsError
    from calacs.progress import ProgressLine
    from calacs.refcache import ReferenceCache

    failed = 0
    cache = ReferenceCache(int(max(options.reference_cache, 0) * 2**20))
    with warnings.catch_warnings():
        _show_warnings()
        try:
            paths = _inputs(options)
            with ProgressLine(len(paths)) as progress:
                door = FileDoor(
                    "calacs",
                    verbose=options.verbose,
                    quiet=not options.verbose,
                    clobber=options.clobber,
                    n_threads=options.threads,
                )
                for outcome in process_all(
                    progress.over(paths),
                    door,
                    keep_temporaries=options.save_temporaries,
                    progress=progress,
                    overrides=_overrides(options),
                    cache=cache,
                ):
                    progress.clear()
                    if outcome.error is None:
                        made = ", ".join(product.name for product in outcome.products)
                        print(f"{outcome.path} -> {made}", flush=True)
                    else:
                        failed += 1
                        _fail(outcome.error)
        except (CalacsError, TypeError, ValueError) as error:
            return _fail(error)
    if failed:
        print(f"calacs: {failed} of {len(paths)} exposures failed", file=sys.stderr)
    return EXIT_FAILURE if failed else 0


def _fail(error: Exception) -> int:
    print(f"calacs: error: {error}", file=sys.stderr)
    return EXIT_FAILURE


def _plans(options: argparse.Namespace, *parts: str) -> int:
    from calacs import report
    from calacs.errors import CalacsError

    status = 0
    with warnings.catch_warnings():
        _show_warnings()
        try:
            paths = _inputs(options)
        except CalacsError as error:
            return _fail(error)
        for path in paths:
            try:
                plans, problems = _plan(path, _overrides(options))
            except (CalacsError, TypeError, ValueError) as error:
                status = _fail(error)
                continue
            for made in plans:
                print("\n\n".join(text for text in (getattr(report, part)(made) for part in parts) if text), end="\n\n")
            if problems.found:
                print(f"{path.name}: {report.count(problems)}:\n{report.describe_problems(problems)}\n")
                status = EXIT_FAILURE
            sys.stdout.flush()
    return status


def _plan(path: Path, given: dict[str, Any]) -> tuple[list[Plan], Problems]:
    from calacs.calacs import plan, plan_association

    if "_asn" in path.name:
        return plan_association(path, **given)
    made = plan(path, **given)
    return [made], made.problems


def _check(options: argparse.Namespace) -> int:
    return _plans(options, "describe_exposure", "describe_references")


def _info(options: argparse.Namespace) -> int:
    if options.system:
        from calacs.system import describe_system

        print(describe_system())
    elif not options.files:
        print("calacs: error: info: name an exposure, or --system", file=sys.stderr)
        return EXIT_USAGE
    return _plans(options, "describe_exposure", "describe_steps") if options.files else 0


def _demo(options: argparse.Namespace) -> int:
    from calacs.demo import run_demo
    from calacs.errors import CalacsError

    try:
        return int(run_demo(Path(options.folder), n_threads=options.threads, seed=options.seed))
    except CalacsError as error:
        return _fail(error)


def _executables(options: argparse.Namespace) -> int:
    from calacs.errors import CalacsError
    from calacs.executables import write_launchers

    try:
        made = write_launchers(options.folder)
    except CalacsError as error:
        return _fail(error)
    folder = Path(options.folder).resolve()
    print(f"{', '.join(path.name for path in made)}\nin {folder}; to use them: export PATH={folder}:$PATH")
    return 0
