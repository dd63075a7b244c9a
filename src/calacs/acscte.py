"""The task acscte: the pixel-based CTE correction of bias-subtracted, trimmed WFC exposures::

    from calacs import acscte
    acscte.acscte("*_blv_tmp.fits")                     # files, as ACSTOOLS does it: x_blv_tmp.fits -> x_blc_tmp.fits
    exposure = acscte.run("x_blv_tmp.fits", pctenfor=3) # in memory

The kernels are in `calacs.cte`, the step is in `calacs.steps.pcte`, the table is read by `calacs.ctetab`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calacs import fits, reftables
from calacs.acsccd import write_ccd_keywords
from calacs.door import FileDoor
from calacs.errors import NothingToDo, StepNotDone, Unsupported
from calacs.exposure import Exposure, ImSet, blank_imset
from calacs.log import banner, log
from calacs.names import filename_keyword, with_own_suffix, with_suffix
from calacs.observation import Observation
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.step import Chip, Job, State, Step, execute, prepare_steps, read_switch
from calacs.steps.pcte import Plan, pcte, readout
from calacs.versions import stamp

__all__ = ["acscte", "run"]

SWITCH = "PCTECORR"
STEPS: MappingProxyType[str, tuple[Step, ...]] = MappingProxyType(
    {
        "acscte": (pcte,),  # electron
        "acscteforwardmodel": (readout,),  # electron
    }
)
SUFFIX = MappingProxyType({"acscte": "_blc_tmp", "acscteforwardmodel": "_ctefmod"})
ALGORITHM = MappingProxyType({2: ("PixelCTE 2017", "2.0"), 3: ("Par/Serial PixelCTE 2023", "3.0")})
"""CTE_NAME and CTE_VER of the program that used a table of each generation (``pkg/acs/include/acs.h``)."""


def acscte(
    input: Any,
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    single_core: bool = False,
    exe_args: list[str] | None = None,
) -> list[Path]:
    r"""Correct files for charge-transfer inefficiency: ``x_blv_tmp.fits`` becomes ``x_blc_tmp.fits``.

    Parameters
    ----------
    input : str, path-like or list
        A file name, a list of them, a name with wildcards (``'*_blv_tmp.fits'``), a comma-separated text, or ``@file``
        with one name per line.  Files whose PCTECORR is not PERFORM are left out, with a message.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose, quiet : bool
        Time of each message, more messages, no messages on standard output.  On a terminal one line tells the progress
        by amplifier and direction, unless one of the last two is set.
    single_core : bool
        Use one thread; otherwise all processors are used.  The products do not depend on it.
    exe_args : list of str
        Command-line options of the official program that mean something here: ``--nthreads N``, ``--pctetab FILE``,
        ``--forwardModelOnly``; ``--ctegen N`` is accepted and ignored.

    Returns
    -------
    list of Path
        The products, in the order of the inputs.

    Raises
    ------
    CalacsError
        A file cannot be corrected; files before it in the list are finished, nothing half-written is left.
    """
    return run_files("acscte", input, (exec_path, time_stamps, verbose, quiet), single_core, exe_args)


def run_files(
    task: str,
    input: Any,
    options: tuple[str, bool, bool, bool],
    single_core: bool,
    exe_args: Sequence[str] | None,
) -> list[Path]:
    """The file door of the correction and of the forward model."""
    door = FileDoor(task, *options, exe_args, single_core)
    if door.options.forward_model:
        task = "acscteforwardmodel"
    return door.map(input, lambda path, door: _calibrate_file(task, path, door.options.pctetab, door))


def _calibrate_file(task: str, path: Path, pctetab: str | None, door: FileDoor) -> Path | None:
    source, target = with_own_suffix(path, ""), with_suffix(path, "_blv_tmp", SUFFIX[task])
    files = ("Input", source), ("Output", target)
    header = fits.open_image(source).primary
    if read_switch(header, SWITCH) is not State.PERFORM:
        with door.trailer(None):
            log.warning("Skipping %s because PCTECORR is not set to PERFORM.", source)
        return None
    with door.trailer(with_suffix(path, "_blv_tmp", "").with_suffix(".tra")), banner(task, *files):
        fits.refuse_existing(target, clobber=door.clobber)
        if not Observation.of(header).is_ccd:
            door.warn(f"{source}: SBC data are not processed by {task}; run acs2d")
            return None
        given = Overrides.of({"pctetab": pctetab})
        exposure = fits.read_exposure(source, every_sci=task != "acscte", n_threads=door.n_threads)
        job = prepare(exposure, given, n_threads=door.n_threads, task=task)
        with door.progress(source.name) as progress:
            finish(job, target.name, progress)
        return fits.write_exposure(exposure, target, clobber=door.clobber)


def run(
    source: Any,
    *,
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
    cache: ReferenceCache | None = None,
    **overrides: Any,
) -> Exposure:
    """Correct an exposure in memory for charge-transfer inefficiency.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Bias-subtracted, trimmed exposure in electrons, as `calacs.acsccd.run` gives it; it is not changed.
    n_threads : int
        Threads to use, 0 for all processors; the result does not depend on it.
    progress : callable
        Called with a text on the progress, by amplifier and direction; an exception from it ends the work.
    cache : ReferenceCache
        Reference files that other runs have opened, and where those of this one are left for others.
    **overrides
        The switch (``pctecorr="PERFORM"``), reference files (``pctetab=path_or_hdulist``), parameters of PCTETAB
        (``pctetlen``, ``pctenfor``, ``pctenpar``, ``fixrocr``, ``pctetrsh``, ``ctedate0``, ``ctedate1``; they hold for
        every amplifier and both directions), columns of CCDTAB (``readnsea=4.1``) and header values that replace those
        of the exposure.

    Returns
    -------
    Exposure
        Corrected image in electrons with larger uncertainties; ``records`` tells what the step did: smoothing
        iterations, noise set aside, columns with readout cosmic rays, by amplifier and direction.

    Raises
    ------
    CalacsError
        Something is wrong with the exposure or its reference files; all problems that can be seen beforehand are
        reported together.
    NothingToDo
        PCTECORR is not PERFORM, or PCTETAB is a dummy.
    """
    return run_in_memory("acscte", source, n_threads, progress, overrides, cache)


def run_in_memory(
    task: str,
    source: Any,
    n_threads: int,
    progress: Callable[[str], None] | None,
    overrides: dict[str, Any],
    cache: ReferenceCache | None = None,
) -> Exposure:
    """The in-memory door of the correction and of the forward model."""
    exposure = fits.as_exposure(source, every_sci=task != "acscte", n_threads=n_threads)
    given = Overrides.of(overrides)
    given.apply(exposure)
    refs = References(exposure.primary, given.references, given.columns, cache)
    job = prepare(exposure, given, n_threads=n_threads, refs=refs, task=task)
    finish(job, with_suffix(exposure.name, "_blv_tmp", SUFFIX[task]).name, progress)
    given.add_history(exposure)
    return exposure


def prepare(
    exposure: Exposure,
    given: Overrides,
    *,
    n_threads: int = 1,
    refs: References | None = None,
    problems: Problems | None = None,
    task: str = "acscte",
) -> Job:
    """Check everything that the task needs, before the first pixel changes; no pixel is looked at.

    Parameters
    ----------
    exposure : Exposure
        Trimmed exposure, changed by `finish`; or one like it without pixels (`calacs.acsccd.predict`).
    given : Overrides
        What the caller replaces.
    n_threads : int
        Threads to use.
    refs : References
        Reference files, where another task of the same exposure has opened some already.
    problems : Problems
        Collects what is wrong instead of raising it.
    task : str
        "acscte", or "acscteforwardmodel" to simulate the readout.

    Raises
    ------
    CalacsError
        The one problem that was found, or `PreflightFailed` with all of them.
    """
    observation = Observation.of(exposure.primary)
    if not observation.is_ccd:
        raise NothingToDo(f"{exposure.name}: SBC data are not processed by {task}; run acs2d")
    states = {SWITCH: read_switch(exposure.primary, SWITCH)}
    if states[SWITCH] is not State.PERFORM:
        raise NothingToDo(f"{exposure.name}: PCTECORR is not PERFORM: nothing to do")
    if observation.detector != "WFC":
        raise Unsupported(
            f"{exposure.name}: PCTECORR is for WFC data only, these are of {observation.detector}; set it to OMIT"
        )
    refs = refs or References(exposure.primary, given.references, given.columns)
    job = Job(task, exposure, observation, refs, states, always=("CCDTAB",), n_threads=n_threads)
    collected = problems or Problems()
    with collected:
        _check_trimmed(exposure)
    with collected:
        # The official program opens this table, though nothing is read from it.
        _ = refs["OSCNTAB"]
    with collected:
        ccdtab = refs.require("CCDTAB").table
        for imset in exposure.imsets:
            job.chips.append(_choose_row(job, imset, ccdtab))
    if len(job.chips) == len(exposure.imsets):
        prepare_steps(job, STEPS[task], collected)
    else:
        with collected:
            refs.require("PCTETAB")
    if problems is None:
        collected.raise_all(exposure.name)
    if states[SWITCH] is not State.PERFORM:
        raise NothingToDo(f"{exposure.name}: PCTETAB {refs['PCTETAB'].name} is a dummy: nothing to do")
    return job


def _check_trimmed(exposure: Exposure) -> None:
    text = exposure.primary.get_str("BLEVCORR", "")
    read_switch(exposure.primary, "BLEVCORR")
    if text.strip().upper() != "COMPLETE":
        raise StepNotDone(
            f"{exposure.name}: BLEVCORR = {text!r} must be COMPLETE before the CTE correction; run acsccd"
        )
    for imset in exposure.imsets:
        header = imset.header["SCI"]
        ltv = header.get_float("LTV1", 0.0), header.get_float("LTV2", 0.0)
        if max(ltv) > 0:
            raise StepNotDone(f"{header.where}: (LTV1, LTV2) = {ltv}: the overscan is still there; run acsccd")


def _choose_row(job: Job, imset: ImSet, ccdtab: fits.Table) -> Chip:
    ccd = reftables.ccd_params(ccdtab, job.observation, imset.chip, imset.shape[1])
    reference = job.refs["CCDTAB"]
    if not job.chips:
        reference.row_text = ccd.row
    reference.note(f"row {ccd.row.number}")
    return Chip(imset, ccd)


def finish(job: Job, filename: str, progress: Callable[[str], None] | None = None) -> None:
    """Run the step of a prepared job and complete the headers."""
    write_ccd_keywords(job)
    execute(job, STEPS[job.task], progress)
    plan: Plan = job.prepared[SWITCH]
    name, version = ALGORITHM[plan.table.generation]
    primary = job.exposure.primary
    primary.set("CTE_NAME", name, "name of CTE algorithm")
    primary.set("CTE_VER", version, "version of CTE algorithm")
    stamp(job.exposure, filename_keyword(filename))
    for imset in job.exposure.imsets:
        imset.corner = None
        fits.settle_planes(imset)


def predict(job: Job) -> Exposure:
    """Foresee the task's product without its pixels, so that the tasks after it can be checked beforehand."""
    primary = job.exposure.primary.copy()
    primary.set(SWITCH, "COMPLETE")
    imsets = tuple(blank_imset(imset, imset.shape) for imset in job.exposure.imsets)
    return Exposure(primary, imsets, job.exposure.path)
