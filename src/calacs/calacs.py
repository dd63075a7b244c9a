"""The pipeline: one raw exposure, or an association of them, through all tasks::

    from calacs import calacs
    calacs.calacs("j8bt05njq_raw.fits")                       # files: j8bt05njq_flt.fits
    products = calacs.run("j8bt05njq_raw.fits", n_threads=2)  # in memory: products["flt"]

Exposures pass from task to task in memory; intermediate files are written on request only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calacs import acs2d, acsccd, acscte, fits
from calacs.door import FileDoor
from calacs.errors import FileNotReadable, NothingToDo, Unsupported
from calacs.exposure import Exposure
from calacs.log import banner
from calacs.names import with_suffix
from calacs.observation import Observation
from calacs.overrides import Overrides
from calacs.refs import Problems, References
from calacs.step import Job, State, read_switch

__all__ = ["Plan", "Products", "calacs", "plan", "run"]

CCD_SWITCHES = ("DQICORR", "ATODCORR", "BIASCORR", "BLEVCORR")
IMAGE_SWITCHES = ("DARKCORR", "FLSHCORR", "FLATCORR", "SHADCORR", "PHOTCORR", "GLINCORR", "LFLGCORR")

Progress = Callable[[str], None]


class Products(dict[str, Exposure]):
    """Calibrated exposures by file name; a suffix that only one of them has ("flt") will do as a key."""

    def __missing__(self, suffix: str) -> Exposure:
        matches = [name for name in self if name.endswith(f"_{suffix}.fits")]
        if len(matches) != 1:
            raise KeyError(f"{suffix!r}: {len(matches)} of the products {', '.join(self)} end so; give a whole name")
        return self[matches[0]]


@dataclass(slots=True)
class Plan:
    """What the pipeline is going to do with one exposure, found out from headers and reference files alone.

    Attributes
    ----------
    exposure : Exposure
        Headers of the raw exposure; its pixels are not read.
    jobs : list of Job
        The tasks in order, prepared; empty where there is nothing to do.
    problems : Problems
        All that is wrong.
    """

    exposure: Exposure
    jobs: list[Job] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)


@dataclass(frozen=True, slots=True)
class Flow:
    """Which tasks an exposure goes through.

    Attributes
    ----------
    ccd, cte, image : bool
        Whether acsccd, acscte and acs2d have something to do.
    expscorr : bool
        Whether EXPSCORR is PERFORM.
    """

    ccd: bool
    cte: bool
    image: bool
    expscorr: bool

    @classmethod
    def of(cls, exposure: Exposure) -> Flow:
        """Look at the switches of a raw exposure."""
        header = exposure.primary
        observation = Observation.of(header)

        def any_performed(*switches: str) -> bool:
            return any(read_switch(header, switch) is State.PERFORM for switch in switches)

        if not observation.is_ccd:
            return cls(False, False, any_performed("DQICORR", *IMAGE_SWITCHES), any_performed("EXPSCORR"))
        return cls(
            any_performed(*CCD_SWITCHES),
            any_performed("PCTECORR"),
            any_performed(*IMAGE_SWITCHES),
            any_performed("EXPSCORR"),
        )

    @property
    def nothing(self) -> bool:
        """Whether no task has anything to do."""
        return not (self.ccd or self.cte or self.image)


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
    """
    exposure = fits.as_headers(source)
    given = Overrides.of(overrides)
    given.apply(exposure)
    refs = References(exposure.primary, given.references, given.columns)
    return _plan(exposure, given, refs)


def _plan(exposure: Exposure, given: Overrides, refs: References) -> Plan:
    made = Plan(exposure)
    problems = made.problems
    with problems:
        flow = Flow.of(exposure)
        if flow.nothing:
            raise _nothing(exposure)
        shadow = exposure
        if flow.ccd:
            made.jobs.append(acsccd.prepare(exposure, given, refs=refs, problems=problems))
            shadow = acsccd.predict(made.jobs[-1])
        if len(shadow.imsets) < len(exposure.imsets):
            return made
        if flow.cte:
            with problems:
                made.jobs.append(acscte.prepare(shadow.copy_headers(), given, refs=refs, problems=problems))
        if flow.image:
            for cte_corrected in (False, True)[: 1 + flow.cte]:
                with problems:
                    job = acs2d.prepare(
                        shadow.copy_headers(),
                        given,
                        refs=refs,
                        problems=problems,
                        cte_corrected=cte_corrected,
                        expscorr=flow.expscorr,
                    )
                    made.jobs.append(job)
    return made


def _nothing(exposure: Exposure) -> NothingToDo:
    return NothingToDo(f"{exposure.name}: no calibration switch is PERFORM: nothing to do")


def run(source: Any, *, n_threads: int = 1, progress: Progress | None = None, **overrides: Any) -> Products:
    """Calibrate a raw exposure in memory.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Raw exposure of any ACS detector; it is not changed.
    n_threads : int
        Threads to use; the result does not depend on it.
    progress : callable
        Called with a text before each step.
    **overrides
        Switches (``flatcorr="OMIT"``), reference files (``darkfile=path_or_hdulist``), header values
        (``darktime=510.0``) and values of table columns (``readnsea=4.1``) that replace those of the exposure.

    Returns
    -------
    Products
        ``products["flt"]`` and, with PCTECORR, ``products["flc"]``.

    Raises
    ------
    CalacsError
        Something is wrong with the exposure or its reference files: all problems that can be seen beforehand are
        reported together, before the first pixel changes.
    """
    exposure = fits.as_exposure(source)
    given = Overrides.of(overrides)
    given.apply(exposure)
    products = Products()
    for name, product in _calibrate(exposure, given, n_threads, progress):
        if not name.endswith("_tmp.fits"):
            given.add_history(product)
            products[name] = product
    return products


def _calibrate(
    exposure: Exposure, given: Overrides, n_threads: int, progress: Progress | None
) -> Iterator[tuple[str, Exposure]]:
    """Yield intermediate and final exposures with their file names; what was yielded may be changed afterwards."""
    refs = References(exposure.primary, given.references, given.columns)
    planned = _plan(exposure.copy_headers(), given, refs)
    planned.problems.raise_all(exposure.name)
    flow = Flow.of(exposure)

    def name(suffix: str) -> str:
        return with_suffix(exposure.name, "_raw", suffix).name

    if flow.ccd:
        acsccd.finish(acsccd.prepare(exposure, given, n_threads=n_threads, refs=refs), name("_blv_tmp"), progress)
        yield name("_blv_tmp"), exposure
    corrected = None
    if flow.cte:
        corrected = exposure.copy()
        acscte.finish(acscte.prepare(corrected, given, n_threads=n_threads, refs=refs), name("_blc_tmp"), progress)
        yield name("_blc_tmp"), corrected
    for product, suffix in ((exposure, "_flt"), (corrected, "_flc")):
        if product is None:
            continue
        if flow.image:
            job = acs2d.prepare(
                product,
                given,
                n_threads=n_threads,
                refs=refs,
                cte_corrected=product is corrected,
                expscorr=flow.expscorr,
            )
            acs2d.finish(job, name(suffix), progress)
        else:
            product.primary.set("FILENAME", name(suffix))
        yield name(suffix), product


def calacs(
    input_file: str | os.PathLike[str],
    exec_path: str | None = None,
    time_stamps: bool = False,
    temp_files: bool = False,
    verbose: bool = False,
    debug: bool = False,
    quiet: bool = False,
    single_core: bool = False,
    exe_args: list[str] | None = None,
) -> list[Path]:
    """Calibrate a raw exposure in files: ``x_raw.fits`` becomes ``x_flt.fits`` and, with PCTECORR, ``x_flc.fits``.

    Parameters
    ----------
    input_file : path-like
        Raw exposure.
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
        Nothing half-written is left; products that were finished before the failure stay.
    """
    door = FileDoor("calacs", exec_path, time_stamps, verbose or debug, quiet, exe_args)
    if single_core:
        door.n_threads = 1
    return process(Path(input_file), door, keep_temporaries=temp_files)


def process(
    path: Path,
    door: FileDoor,
    *,
    keep_temporaries: bool = False,
    progress: Progress | None = None,
    overrides: dict[str, Any] | None = None,
) -> list[Path]:
    """Calibrate a file and write its products beside it."""
    if not path.exists():
        raise FileNotReadable(f"{path}: no such file; check the name and the folder")
    if "_asn" in path.name:
        raise Unsupported(f"{path}: associations cannot be processed yet; run calacs on the raw exposures one by one")
    given = Overrides.of(overrides or {})
    products: list[Path] = []
    with door.trailer(with_suffix(path, "_raw", "").with_suffix(".tra")), banner("calacs", ("Input", path)):
        exposure = fits.read_exposure(path)
        given.apply(exposure)
        for target in _targets(exposure, path, keep_temporaries):
            fits.refuse_existing(target, clobber=door.clobber)
        for name, product in _calibrate(exposure, given, door.n_threads, progress):
            if name.endswith("_tmp.fits") and not keep_temporaries:
                continue
            given.add_history(product)
            products.append(fits.write_exposure(product, path.with_name(name), clobber=door.clobber))
    return products


def _targets(exposure: Exposure, path: Path, keep_temporaries: bool) -> list[Path]:
    flow = Flow.of(exposure)
    suffixes = ["_flt"] + ["_flc"] * flow.cte
    if keep_temporaries:
        suffixes += ["_blv_tmp"] * flow.ccd + ["_blc_tmp"] * flow.cte
    return [with_suffix(path, "_raw", suffix) for suffix in suffixes]
