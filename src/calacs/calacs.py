"""The pipeline: one raw exposure, or an association of them, through all tasks::

    from calacs import calacs
    calacs.calacs("j8bt05njq_raw.fits")                       # files: j8bt05njq_flt.fits
    products = calacs.run("j8bt05njq_raw.fits", n_threads=2)  # in memory: products["flt"]

Exposures pass from task to task in memory; intermediate files are written on request only.
"""

from __future__ import annotations

import contextvars
import os
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calacs import association_flow, fits
from calacs.door import FileDoor, expand_input
from calacs.errors import CalacsError, ExposuresFailed, FileNotReadable, InvalidValue
from calacs.exposure import Exposure
from calacs.flow import Bench, Flow, Plan, Progress, calibrate, plan_exposure, refuse_existing
from calacs.log import banner, log, muted
from calacs.names import with_suffix, without_gz
from calacs.observation import Observation
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.staging import Staging, Writer

__all__ = ["Outcome", "Plan", "Products", "calacs", "plan", "plan_association", "process", "process_all", "run"]


PRODUCT_SUFFIXES = tuple(
    f"_{suffix}" for suffix in "flt flc crj crc sfl dth spt blv_tmp blc_tmp crj_tmp crc_tmp".split()
)
"""Suffixes of files that the pipeline does not start from."""


class Products(dict[str, Exposure]):
    """Calibrated exposures by file name; a suffix that only one of them has ("flt") will do as a key."""

    def __missing__(self, suffix: str) -> Exposure:
        matches = [name for name in self if name.endswith(f"_{suffix}.fits")]
        if len(matches) != 1:
            raise KeyError(f"{suffix!r}: {len(matches)} of the products {', '.join(self)} end so; give a whole name")
        return self[matches[0]]


def plan(source: Any, **overrides: Any) -> Plan:
    """Find out what the pipeline would do with an exposure, and everything that is wrong with it or its references.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Raw exposure; its pixels are not read.
    **overrides
        As of `run`.

    Returns
    -------
    Plan
        Tasks, steps, reference files and problems; nothing is raised for the latter.

    Raises
    ------
    FileNotReadable
        The exposure itself cannot be read.
    ValueError
        `source` is an association table.
    """
    if _is_association(source):
        raise ValueError(f"{source} is an association table; use plan_association")
    exposure = fits.as_headers(source)
    given = Overrides.of(overrides)
    given.apply(exposure)
    return plan_exposure(exposure, given, References(exposure.primary, given.references, given.columns))


def plan_association(path: str | os.PathLike[str], **overrides: Any) -> tuple[list[Plan], Problems]:
    """Find out what the pipeline would do with an association.

    Parameters
    ----------
    path : path-like
        Association table; the exposures lie beside it, or in the current folder.
    **overrides
        As of `run`.

    Returns
    -------
    plans : list of Plan
        One for each exposure that is present and can be read.
    problems : Problems
        All that is wrong: with exposures, with their combination, and between table and headers.

    Raises
    ------
    CalacsError
        The table cannot be read, or contradicts itself.
    """
    return association_flow.plan(Path(path), Overrides.of(overrides))


def run(
    source: Any,
    *,
    n_threads: int = 1,
    progress: Progress | None = None,
    cache: ReferenceCache | None = None,
    **overrides: Any,
) -> Products:
    """Calibrate a raw exposure, or the exposures of an association, in memory.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Raw exposure of any ACS detector, or the path of an association table (``x_asn.fits``); it is not changed.
    n_threads : int
        Threads to use, 0 for all processors; the result does not depend on it.
    progress : callable
        Called with a text before each step.
    cache : ReferenceCache
        Reference files that other runs have opened, and where those of this one are left for others.
    **overrides
        Switches (``flatcorr="OMIT"``), reference files (``darkfile=path_or_hdulist``), header values
        (``darktime=510.0``) and values of table columns (``readnsea=4.1``) that replace those of the exposure.

    Returns
    -------
    Products
        ``products["flt"]`` and, with PCTECORR, ``products["flc"]``; of an association those of all members, and the
        combined ones: ``products["crj"]``, ``products["crc"]``, ``products["sfl"]``.

    Raises
    ------
    CalacsError
        Something is wrong with the exposure or its reference files: all problems that can be seen beforehand are
        reported together, before the first pixel changes.
    """
    if _is_association(source):
        given = Overrides.of(overrides)
        return Products(association_flow.run(Path(source), given, n_threads=n_threads, progress=progress, cache=cache))
    exposure = fits.as_exposure(source, n_threads=n_threads)
    bench = _bench(exposure, Overrides.of(overrides), n_threads, progress, cache)
    return Products({name: one for name, one in calibrate(exposure, bench) if not name.endswith("_tmp.fits")})


def _is_association(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike)) and "_asn" in Path(source).name


def _bench(
    exposure: Exposure, given: Overrides, n_threads: int, progress: Progress | None, cache: ReferenceCache | None = None
) -> Bench:
    """Apply what the caller replaces, and check everything before the first pixel changes."""
    given.apply(exposure)
    refs = References(exposure.primary, given.references, given.columns, cache)
    with muted():
        planned = plan_exposure(exposure.copy_headers(), given, refs)
    planned.problems.raise_all(exposure.name)
    return Bench(given, refs, n_threads, progress)


def calacs(
    input_file: Any,
    exec_path: str | None = None,
    time_stamps: bool = False,
    temp_files: bool = False,
    verbose: bool = False,
    debug: bool = False,
    quiet: bool = False,
    single_core: bool = False,
    exe_args: list[str] | None = None,
) -> list[Path]:
    """Calibrate raw exposures in files: ``x_raw.fits`` becomes ``x_flt.fits`` and, with PCTECORR, ``x_flc.fits``.

    Of an association table (``x_asn.fits``) all members are calibrated and, where they are repeated exposures, combined
    into ``p_crj.fits`` and ``p_crc.fits`` (CCDs) or ``p_sfl.fits`` (SBC).

    Parameters
    ----------
    input_file : str, path-like or list
        Raw exposures or association tables: a name, a list, a comma-separated text, a name with wildcards
        (``'*_raw.fits'``), or ``@file`` with one name per line.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose, debug, quiet : bool
        Time of each message, more messages (both), no messages on standard output.
    temp_files : bool
        Keep the intermediate files ``x_blv_tmp.fits`` and ``x_blc_tmp.fits``.
    single_core : bool
        Use one thread; by default all processors are used.
    exe_args : list of str
        Command-line options of the official program that mean something here.

    Returns
    -------
    list of Path
        The products.

    Raises
    ------
    CalacsError
        The exposure or association cannot be calibrated; no product of it is made, and earlier ones, its inputs and the
        table are as they were.
    ExposuresFailed
        Some of several exposures or associations cannot be calibrated; the products of the others are complete.
    """
    door = FileDoor("calacs", exec_path, time_stamps, verbose or debug, quiet, exe_args, single_core)
    keep = temp_files or door.options.temp_files
    paths = expand_input(input_file)
    outcomes = list(process_all(paths, door, keep_temporaries=keep, pctetab=door.options.pctetab))
    failures = {outcome.path: outcome.error for outcome in outcomes if outcome.error is not None}
    if failures and len(outcomes) == 1:
        raise failures.popitem()[1]
    products = [product for outcome in outcomes for product in outcome.products]
    if failures:
        raise ExposuresFailed(failures, products, len(outcomes))
    return products


@dataclass(slots=True)
class Outcome:
    """What became of an exposure or association.

    Attributes
    ----------
    path : Path
        The input.
    products : list of Path
        What was made of it.
    error : Exception or None
        Why nothing was made.
    """

    path: Path
    products: list[Path] = field(default_factory=list)
    error: Exception | None = None


def process(path: Path, door: FileDoor, **options: Any) -> list[Path]:
    """Calibrate a file and write its products beside it; `options` are those of `process_all`."""
    (outcome,) = process_all([path], door, **options)
    if outcome.error is not None:
        raise outcome.error
    return outcome.products


def process_all(
    paths: Iterable[Path],
    door: FileDoor,
    *,
    keep_temporaries: bool = False,
    progress: Progress | None = None,
    overrides: dict[str, Any] | None = None,
    pctetab: str | None = None,
    cache: ReferenceCache | None = None,
) -> Iterator[Outcome]:
    """Calibrate files one after the other and write their products beside them; a failure does not stop the others.

    Reference files stay open from one file to the next.  With several threads, the products of a file are written while
    the next one is calibrated.

    Parameters
    ----------
    paths : iterable of Path
        Raw exposures and association tables; each is asked for when the one before it is calibrated.
    door : FileDoor
        Options.
    keep_temporaries : bool
        Whether intermediate files are written.
    progress : callable
        Called with a text before each step.
    overrides : dict
        What replaces switches, reference files and values of the exposures.
    pctetab : str
        CTE parameter table that replaces those of the exposures.
    cache : ReferenceCache
        Reference files that other runs share too.

    Yields
    ------
    Outcome
        Of each file, in order.
    """
    given = Overrides.of(overrides or {})
    if pctetab is not None:
        # As officially, products that are not corrected keep the name that they had.
        given.references["PCTETAB"] = pctetab
        given.unnamed.add("PCTETAB")
    cache = cache or ReferenceCache()
    runs: deque[_Run] = deque()
    with Writer(door.n_threads) as writer:
        try:
            for path in paths:
                stages = _stages(path, door, given, writer, cache, keep_temporaries, progress)
                runs.append(_Run(path, stages))
                runs[-1].calibrate()
                while len(runs) > (door.n_threads > 1):
                    yield runs.popleft().finish()
            while runs:
                yield runs.popleft().finish()
        finally:
            for run in runs:
                run.close()


class _Run:
    """The calibration of one file; it ends when its products have their names, while the next one is calibrated.

    Each run has a context of its own, so that its messages stay apart from those of the next.
    """

    def __init__(self, path: Path, stages: Generator[list[Path], None, None]) -> None:
        self._stages = stages
        self._context = contextvars.copy_context()
        self._outcome = Outcome(path)

    def calibrate(self) -> None:
        """Compute the products and hand them over to the writer."""
        self._outcome.products = self._advance() or []

    def finish(self) -> Outcome:
        """Wait until the products are there."""
        if self._outcome.error is None:
            self._advance()
        return self._outcome

    def close(self) -> None:
        """Give up what is not done yet."""
        self._context.run(self._stages.close)

    def _advance(self) -> list[Path] | None:
        try:
            return self._context.run(next, self._stages, None)
        except (CalacsError, TypeError, ValueError, OSError, MemoryError) as error:
            traceback.clear_frames(error.__traceback__)  # they hold the exposure
            self._outcome.error = error
            self._outcome.products = []
        return None


def _stages(
    path: Path,
    door: FileDoor,
    given: Overrides,
    writer: Writer,
    cache: ReferenceCache,
    keep_temporaries: bool,
    progress: Progress | None,
) -> Generator[list[Path], None, None]:
    """Calibrate a file; pause, with the products, when all of them are computed and handed over to the writer."""
    with door.trailer(None), banner("calacs", ("Input", path)):
        path = find_input(path)
        if _is_association(path):
            table = association_flow.read(path, door)
            run = association_flow.Run(table, door, given, keep_temporaries, progress, writer, cache)
            yield from association_flow.process(run)
            return
        log.info("LoadAsn:  Processing SINGLE exposure")
        exposure = fits.read_exposure(path, n_threads=door.n_threads)
        bench = _bench(exposure, given, door.n_threads, progress, cache)
        flow = Flow.of(exposure)
        refuse_existing(exposure, path.parent, flow, temporaries=keep_temporaries, clobber=door.clobber)
        is_ccd = Observation.of(exposure.primary).is_ccd
        with Staging(path.parent, writer, clobber=door.clobber) as staging:
            with door.trailer(with_suffix(path, "_raw", "").with_suffix(".tra"), revise=not is_ccd):
                products = _calibrate(exposure, bench, staging, path.parent, keep_temporaries)
            del exposure
            staging.finish()
            yield products


def _calibrate(exposure: Exposure, bench: Bench, staging: Staging, folder: Path, keep_temporaries: bool) -> list[Path]:
    products = []
    for name, one in calibrate(exposure, bench):
        is_temporary = name.endswith("_tmp.fits")
        if keep_temporaries or not is_temporary:
            products.append(folder / name)
            staging.write(one, folder / name)
        if is_temporary:
            staging.wait()  # the exposure is changed in place from here on
    return products


def find_input(path: Path) -> Path:
    """Complete the name of an input: without extension, or the root name of an association or exposure.

    Raises
    ------
    FileNotReadable
        There is no such file.
    InvalidValue
        It is a product.
    """
    name = path.name
    if without_gz(path).stem.endswith(PRODUCT_SUFFIXES):
        raise InvalidValue(
            f"{path}: a product is no input of the pipeline; give the raw exposure, or run the single tasks on it"
        )
    names = [name] if ".fit" in name.lower() else [name, f"{name}.fits", f"{name}_asn.fits", f"{name}_raw.fits"]
    for one in names:
        if path.with_name(one).exists():
            return path.with_name(one)
    raise FileNotReadable(f"{path}: no such file; check the name and the folder")
