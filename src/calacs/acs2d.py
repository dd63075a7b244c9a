"""The task acs2d: two-dimensional calibration of trimmed CCD images and of raw SBC exposures::

    from calacs import acs2d
    acs2d.acs2d("*_blv_tmp.fits")                          # files, as ACSTOOLS does it: x_blv_tmp.fits -> x_flt.fits
    exposure = acs2d.run("x_blv_tmp.fits", flatcorr=False)  # in memory

The steps are in `calacs.steps`, the photometry table is read by `calacs.imphttab`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from calacs import fits, reftables
from calacs.acsccd import write_ccd_keywords
from calacs.combining import append_trailers
from calacs.door import FileDoor, expand_exposures, expand_input
from calacs.dq import serious_bits
from calacs.errors import NothingToDo, StepNotDone
from calacs.exposure import Exposure, ImSet
from calacs.log import banner
from calacs.names import acs2d_output, acs2d_trailer, filename_keyword
from calacs.observation import Observation
from calacs.overrides import Overrides
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.step import HISTORY_TEXT, KEYWORD_VALUE, Chip, Job, State, Step, execute, prepare_steps, read_switch
from calacs.steps.dark import dark, dark_cte
from calacs.steps.dqi import dqi
from calacs.steps.electrons import electrons_if_needed
from calacs.steps.flash import flash
from calacs.steps.flat import flat
from calacs.steps.noise import noise_if_blank
from calacs.steps.nonlin import glin, lflg
from calacs.steps.phot import phot, photmode
from calacs.steps.shad import shad
from calacs.steps.stat import stat
from calacs.versions import stamp

__all__ = ["acs2d", "run"]

STEPS: tuple[Step, ...] = (
    dqi,  # flags
    glin,  # count (SBC)
    lflg,  # flags (SBC)
    electrons_if_needed,  # DN -> electron
    noise_if_blank,  # electron
    dark,  # electron
    flash,  # electron
    flat,  # electron
    shad,  # electron
    photmode,  # header
    phot,  # header
    stat,  # header
)
CTE_STEPS = tuple(dark_cte if one is dark else one for one in STEPS)
"""Steps of exposures whose charge-transfer losses are corrected: they have dark images of their own."""
SWITCHES = ("DQICORR", "GLINCORR", "LFLGCORR", "DARKCORR", "FLSHCORR", "FLATCORR", "SHADCORR", "PHOTCORR")
FOREIGN = {"CCD": ("GLINCORR", "LFLGCORR"), "SBC": ("FLSHCORR", "SHADCORR")}
"""Switches without meaning for a kind of detector."""


def acs2d(
    input: Any,
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    exe_args: list[str] | None = None,
    *,
    output: Any = None,
) -> list[Path]:
    r"""Do the two-dimensional calibration of files: ``x_blv_tmp.fits`` becomes ``x_flt.fits``.

    The suffix of the product follows that of the input: ``_raw`` and ``_blv_tmp`` become ``_flt``, ``_blc_tmp`` becomes
    ``_flc``, ``_crj_tmp`` becomes ``_crj``, ``_crc_tmp`` becomes ``_crc``; ``_flt`` is added to other names.

    Parameters
    ----------
    input : str, path-like or list
        A file name, a list of them, a name with wildcards (``'*_blv_tmp.fits'``), a comma-separated text, or ``@file``
        with one name per line.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose, quiet : bool
        Time of each message, more messages, no messages on standard output.
    exe_args : list of str
        Command-line options of the official program that mean something here.
    output : str, path-like or list
        Names of the products, one per input; ``.fits`` is added where there is no extension.

    Returns
    -------
    list of Path
        The products, in the order of the inputs.

    Raises
    ------
    CalacsError
        A file cannot be calibrated; files before it in the list are finished, nothing half-written is left.
    ValueError
        `output` has not as many names as `input`.
    """
    door = FileDoor("acs2d", exec_path, time_stamps, verbose, quiet, exe_args)
    sources = expand_exposures(input, "acs2d")
    targets = [acs2d_output(source) for source in sources] if output is None else expand_input(output)
    if len(targets) != len(sources):
        raise ValueError(f"output: {len(targets)} names for {len(sources)} inputs; give one for each")
    products: list[Path] = []
    for source, target in zip(sources, targets, strict=True):
        named = target if target.suffix else target.with_name(target.name + ".fits")
        products += door.map(source, partial(_calibrate_file, named))
    return products


def _calibrate_file(target: Path, source: Path, door: FileDoor) -> Path:
    door.require(source)
    trailer, earlier = acs2d_trailer(target), acs2d_trailer(source)
    if earlier != trailer:
        append_trailers([earlier], trailer)
    # What an earlier run said about a raw exposure is replaced, as officially.
    with (
        door.trailer(trailer, revise="_raw" in source.name),
        banner("acs2d", ("Input", source), ("Output", target)),
    ):
        fits.refuse_existing(target, clobber=door.clobber)
        exposure = fits.read_exposure(source, n_threads=door.n_threads)
        job = prepare(exposure, Overrides(), n_threads=door.n_threads)
        finish(job, target.name)
        return fits.write_exposure(exposure, target, clobber=door.clobber)


def run(
    source: Any,
    *,
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
    cache: ReferenceCache | None = None,
    **overrides: Any,
) -> Exposure:
    """Do the two-dimensional calibration of an exposure in memory.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Trimmed CCD exposure (product of acsccd, acscte or acsrej) or raw SBC exposure; it is not changed.
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
    Exposure
        Calibrated image in electrons; ``records`` tells what each step did.

    Raises
    ------
    CalacsError
        Something is wrong with the exposure or its reference files; all problems that can be seen beforehand are
        reported together.
    """
    exposure = fits.as_exposure(source, n_threads=n_threads)
    given = Overrides.of(overrides)
    given.apply(exposure)
    expscorr = given.switches.get("EXPSCORR") == "PERFORM"
    refs = References(exposure.primary, given.references, given.columns, cache)
    job = prepare(exposure, given, n_threads=n_threads, refs=refs, expscorr=expscorr)
    finish(job, acs2d_output(exposure.name).name, progress)
    given.add_history(exposure)
    return exposure


def prepare(
    exposure: Exposure,
    given: Overrides,
    *,
    n_threads: int = 1,
    refs: References | None = None,
    problems: Problems | None = None,
    cte_corrected: bool | None = None,
    expscorr: bool = False,
    switches: Collection[str] | None = None,
) -> Job:
    """Check everything that the task needs, before the first pixel changes.

    Parameters
    ----------
    exposure : Exposure
        Trimmed CCD exposure or raw SBC exposure, changed by `finish`.
    given : Overrides
        What the caller replaces.
    n_threads : int
        Threads to use.
    refs : References
        Reference files, where another task of the same exposure has opened some already.
    problems : Problems
        Collects what is wrong instead of raising it.
    cte_corrected : bool
        Whether charge-transfer losses are corrected, so that DRKCFILE is the dark image; by default the PCTECORR
        keyword tells.
    expscorr : bool
        Whether EXPSCORR is performed: the product is one of the exposures of an association.
    switches : collection of str
        Switches to follow, save for those that are COMPLETE already; by default the header tells.

    Raises
    ------
    CalacsError
        The one problem that was found, or `PreflightFailed` with all of them.
    """
    primary, observation = exposure.primary, Observation.of(exposure.primary)
    states = {switch: read_switch(primary, switch) for switch in SWITCHES}
    if switches is not None:
        followed = {switch for switch in switches if not _is_complete(exposure, switch)}
        states = {switch: State.PERFORM if switch in followed else State.OMIT for switch in SWITCHES}
    states |= dict.fromkeys(FOREIGN["CCD" if observation.is_ccd else "SBC"], State.OMIT)
    if cte_corrected is None:
        cte_corrected = _is_complete(exposure, "PCTECORR")
    job = Job(
        "acs2d",
        exposure,
        observation,
        refs or References(primary, given.references, given.columns),
        states,
        always=("CCDTAB",) if observation.is_ccd else (),
        label="acs2d (CTE-corrected)" if cte_corrected else "acs2d",
        n_threads=n_threads,
    )
    collected = problems or Problems()
    for imset in exposure:
        with collected:
            _check_imset(job, imset)
    if observation.is_ccd:
        with collected:
            ccdtab = job.refs.require("CCDTAB").table
            for imset in exposure:
                job.chips.append(_choose_row(job, imset, ccdtab))
    prepare_steps(job, CTE_STEPS if cte_corrected else STEPS, collected)
    if problems is None:
        collected.raise_all(exposure.name)
    # PARITY: a dummy row of MLINTAB is found too late to count as nothing to do.
    table = job.refs["MLINTAB"] if states["GLINCORR"] is State.DUMMY or states["LFLGCORR"] is State.DUMMY else None
    if not any(states[switch] is State.PERFORM for switch in SWITCHES) and (table is None or table.dummy):
        raise NothingToDo(
            f"{exposure.name}: none of {', '.join(SWITCHES)} is PERFORM (or its reference file is a dummy): nothing to do"
        )
    states["EXPSCORR"] = State.PERFORM if expscorr else State.OMIT
    return job


def _is_complete(exposure: Exposure, switch: str) -> bool:
    read_switch(exposure.primary, switch)
    return exposure.primary.get_str(switch, "").strip().upper() == "COMPLETE"


def _check_imset(job: Job, imset: ImSet) -> None:
    header = imset.header["SCI"]
    serious_bits(header)
    if not job.observation.is_ccd:
        header.get_float("GLOBRATE")
        return
    if header.get_int("NCOMBINE", 1) < 1:
        job.warn(f"image set {imset.extver}: NCOMBINE = {header.get_int('NCOMBINE')} counts as 1")
    ltv = header.get_float("LTV1", 0.0), header.get_float("LTV2", 0.0)
    complete = _is_complete(job.exposure, "BLEVCORR")
    if not complete or max(ltv) > 0.0:
        remedy = (
            "acsccd trims only formats that have a row in OSCNTAB, use a table with a row for this one"
            if complete
            else "run acsccd with BLEVCORR = PERFORM first"
        )
        raise StepNotDone(
            f"{header.where}: the overscan is not trimmed (BLEVCORR = {job.exposure.primary.get('BLEVCORR')!r}, LTV1 and "
            f"LTV2 = {ltv}); {remedy}"
        )


def _choose_row(job: Job, imset: ImSet, ccdtab: fits.Table) -> Chip:
    ccd = reftables.ccd_params(ccdtab, job.observation, imset.chip, imset.shape[1])
    reference = job.refs["CCDTAB"]
    if not job.chips:
        reference.row_text = ccd.row
    reference.note(f"row {ccd.row.number}")
    if ccd.row.pedigree.startswith("DUMMY"):
        job.warn(f"row {ccd.row.number} of CCDTAB {reference.name} is a dummy; its values are used")
    return Chip(imset, ccd)


def finish(job: Job, filename: str, progress: Callable[[str], None] | None = None) -> None:
    """Run the steps of a prepared job and complete the headers."""
    if job.observation.is_ccd:
        write_ccd_keywords(job)
    execute(job, job.steps, progress)
    stamp(job.exposure, filename_keyword(filename))
    if job.states["EXPSCORR"] is State.PERFORM:
        job.exposure.primary.set("EXPSCORR", KEYWORD_VALUE[State.PERFORM])
        job.exposure.primary.add_history(HISTORY_TEXT[State.PERFORM].format("EXPSCORR"))
    for imset in job.exposure:
        imset.corner = None
        fits.settle_planes(imset)
