"""The task acsccd: raw CCD exposures to bias-subtracted, trimmed images in electrons::

    from calacs import acsccd
    acsccd.acsccd("*_raw.fits")                             # files, as ACSTOOLS does it: x_raw.fits -> x_blv_tmp.fits
    exposure = acsccd.run("x_raw.fits", blevcorr="OMIT")    # in memory

The first works on files with the names and arguments of ACSTOOLS, the second leaves all files alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits, reftables
from calacs._core import imarith
from calacs.detector import trimmed_shape
from calacs.door import FileDoor
from calacs.errors import NothingToDo
from calacs.exposure import Exposure, ImSet, blank_imset
from calacs.log import banner
from calacs.names import filename_keyword, with_own_suffix, with_suffix
from calacs.observation import AMPS, Observation
from calacs.overrides import Overrides
from calacs.parallel import run_parallel
from calacs.refcache import ReferenceCache
from calacs.refs import Problems, References
from calacs.step import Chip, Job, State, Step, execute, prepare_steps, read_switch
from calacs.steps.bias import bias
from calacs.steps.blev import blev
from calacs.steps.darktime import darktime
from calacs.steps.dqi import dqi
from calacs.steps.electrons import UNIT, electrons
from calacs.steps.noise import noise
from calacs.steps.satur import satur
from calacs.steps.sink import sink
from calacs.versions import stamp

__all__ = ["acsccd", "run"]

STEPS: tuple[Step, ...] = (
    dqi,  # flags
    bias,  # DN
    electrons,  # DN -> electron
    blev,  # electron
    darktime,  # s
    satur,  # flags
    noise,  # electron
    sink,  # flags
)
SWITCHES = ("DQICORR", "ATODCORR", "BIASCORR", "BLEVCORR", "SINKCORR")


def acsccd(
    input: Any,
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    exe_args: list[str] | None = None,
) -> list[Path]:
    r"""Do the basic CCD reduction of files: ``x_raw.fits`` becomes ``x_blv_tmp.fits``.

    Parameters
    ----------
    input : str, path-like or list
        A file name, a list of them, a name with wildcards (``'*_raw.fits'``), a comma-separated text, or ``@file`` with
        one name per line.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose, quiet : bool
        Time of each message, more messages, no messages on standard output.
    exe_args : list of str
        Command-line options of the official program that mean something here.

    Returns
    -------
    list of Path
        The products, in the order of the inputs.

    Raises
    ------
    CalacsError
        A file cannot be calibrated; files before it in the list are finished, nothing half-written is left.
    """
    door = FileDoor("acsccd", exec_path, time_stamps, verbose, quiet, exe_args)
    return door.map(input, _calibrate_file)


def _calibrate_file(path: Path, door: FileDoor) -> Path | None:
    # PARITY: the file read is always the one with the raw suffix, whatever name was given.
    source, target = with_own_suffix(path, "_raw"), with_suffix(path, "_raw", "_blv_tmp")
    door.require(source)
    with (
        door.trailer(with_suffix(path, "_raw", "").with_suffix(".tra")),
        banner("acsccd", ("Input", source), ("Output", target)),
    ):
        fits.refuse_existing(target, clobber=door.clobber)
        exposure = fits.read_exposure(source, n_threads=door.n_threads)
        if not Observation.of(exposure.primary).is_ccd:
            door.warn(f"{source}: SBC data are not processed by acsccd; run acs2d")
            return None
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
    """Do the basic CCD reduction of an exposure in memory.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Raw exposure; it is not changed.
    n_threads : int
        Threads to use, 0 for all processors; the result does not depend on it.
    progress : callable
        Called with a text before each step.
    cache : ReferenceCache
        Reference files that other runs have opened, and where those of this one are left for others.
    **overrides
        Switches (``blevcorr="OMIT"``), reference files (``biasfile=path_or_hdulist``), header values
        (``darktime=510.0``) and values of table columns (``readnsea=4.1``) that replace those of the exposure.

    Returns
    -------
    Exposure
        Trimmed image in electrons with uncertainties and flags; ``records`` tells what each step did.

    Raises
    ------
    CalacsError
        Something is wrong with the exposure or its reference files; all problems that can be seen beforehand are
        reported together.
    """
    exposure = fits.as_exposure(source, n_threads=n_threads)
    given = Overrides.of(overrides)
    given.apply(exposure)
    refs = References(exposure.primary, given.references, given.columns, cache)
    job = prepare(exposure, given, n_threads=n_threads, refs=refs)
    finish(job, with_suffix(exposure.name, "_raw", "_blv_tmp").name, progress)
    given.add_history(exposure)
    return exposure


def prepare(
    exposure: Exposure,
    given: Overrides,
    *,
    n_threads: int = 1,
    refs: References | None = None,
    problems: Problems | None = None,
) -> Job:
    """Check everything that the task needs, before the first pixel changes.

    Parameters
    ----------
    exposure : Exposure
        Raw exposure, changed by `finish`.
    given : Overrides
        What the caller replaces.
    n_threads : int
        Threads to use.
    refs : References
        Reference files, where another task of the same exposure has opened some already.
    problems : Problems
        Collects what is wrong instead of raising it.

    Raises
    ------
    CalacsError
        The one problem that was found, or `PreflightFailed` with all of them.
    """
    observation = Observation.of(exposure.primary)
    if not observation.is_ccd:
        raise NothingToDo(f"{exposure.name}: SBC data are not processed by acsccd; run acs2d")
    refs = refs or References(exposure.primary, given.references, given.columns)
    states = {switch: read_switch(exposure.primary, switch) for switch in SWITCHES}
    job = Job("acsccd", exposure, observation, refs, states, always=("CCDTAB", "OSCNTAB"), n_threads=n_threads)
    collected = problems or Problems()
    with collected:
        ccdtab = refs.require("CCDTAB")
    with collected:
        oscntab = refs.require("OSCNTAB")
        if oscntab.dummy:
            # PARITY: a dummy OSCNTAB turns BLEVCORR from OMIT to "skipped" as well.
            states["BLEVCORR"] = State.DUMMY
    if not collected.found:
        with collected:
            for imset in exposure.imsets:
                job.chips.append(_choose_rows(job, imset, ccdtab.table, oscntab.table))
    if states["ATODCORR"] is State.PERFORM:
        # The conversion is never applied, but its table must exist.
        with collected:
            if refs.require("ATODTAB").dummy:
                states["ATODCORR"] = State.DUMMY
    if states["BIASCORR"] is State.PERFORM:
        job.always += ("SATUFILE",)
        with collected:
            refs.require("SATUFILE")
    prepare_steps(job, STEPS, collected, lookups=len(job.chips) == len(exposure.imsets))
    if problems is None:
        collected.raise_all(exposure.name)
    if State.PERFORM not in states.values():
        raise NothingToDo(
            f"{exposure.name}: none of {', '.join(SWITCHES)} is PERFORM (or its reference file is a dummy): nothing to do"
        )
    return job


def _choose_rows(job: Job, imset: ImSet, ccdtab: fits.Table, oscntab: fits.Table) -> Chip:
    ccd = reftables.ccd_params(ccdtab, job.observation, imset.chip, imset.shape[1])
    overscan = reftables.overscan(oscntab, job.observation, imset.chip, imset.shape)
    reference = job.refs["CCDTAB"]
    if not job.chips:
        reference.row_text = ccd.row
    reference.note(f"row {ccd.row.number}")
    if ccd.row.pedigree.startswith("DUMMY"):
        job.warn(f"row {ccd.row.number} of CCDTAB {reference.name} is a dummy; its values are used")
    if overscan is None:
        n_row, n_col = imset.shape
        job.warn(f"OSCNTAB {job.refs['OSCNTAB'].name} has no row for {n_col} x {n_row} pixels of chip {imset.chip}")
    else:
        job.refs["OSCNTAB"].note(f"row {overscan.row.number}")
    return Chip(imset, ccd, overscan)


def finish(job: Job, filename: str, progress: Callable[[str], None] | None = None) -> None:
    """Run the steps of a prepared job, trim the overscan and complete the headers."""
    write_ccd_keywords(job)
    execute(job, STEPS, progress)
    stamp(job.exposure, filename_keyword(filename))
    run_parallel([partial(trim, chip) for chip in job.chips if _is_leveled(job, chip)], job.n_threads)
    for chip in job.chips:
        fits.settle_planes(chip.imset)
    _write_bias_levels(job)


def write_ccd_keywords(job: Job) -> None:
    """Write gains and read noises, and name the table they come from."""
    primary, ccd = job.exposure.primary, job.chips[0].ccd
    for amp, gain in zip(AMPS, ccd.gain, strict=True):
        primary.set(f"ATODGN{amp}", np.float32(gain))
    for amp, read_noise in zip(AMPS, ccd.read_noise, strict=True):
        primary.set(f"READNSE{amp}", np.float32(read_noise))
    primary.add_history("CCD parameters table: ")
    for text in job.refs["CCDTAB"].history():
        primary.add_history(text)


def _is_leveled(job: Job, chip: Chip) -> bool:
    """Whether the bias level of an image set was dealt with, so that its overscan has done its service."""
    if job.states["BLEVCORR"] is not State.PERFORM:
        return False
    observation = job.observation
    full_frame = observation.detector == "WFC" and observation.post_sm4 and not observation.subarray
    return not full_frame or (len(job.chips) == 2 and all(one.overscan is not None for one in job.chips))


def trim(chip: Chip) -> None:
    """Cut the overscan off, and shift the coordinates of the headers accordingly."""
    imset, overscan = chip.imset, chip.overscan
    (left, right), (bottom, top) = (overscan.trim_x, overscan.trim_y) if overscan else ((0, 0), (0, 0))
    imset.corner = float(imset.err[0, 0]), int(imset.dq[0, 0])
    n_row, n_col = imset.shape
    for plane in ("sci", "err", "dq"):
        setattr(imset, plane, crop(getattr(imset, plane), (bottom, n_row - top), (left, n_col - right)))
    shift_origin(imset, left, bottom)


def crop(plane: NDArray[Any], rows: tuple[int, int], cols: tuple[int, int]) -> NDArray[Any]:
    """Keep a part of a plane, in its own memory: what was the plane must not be used any more."""
    size = plane.itemsize
    imarith.crop(plane.view(np.uint8), rows, (cols[0] * size, cols[1] * size))
    shape = rows[1] - rows[0], cols[1] - cols[0]
    return plane.reshape(-1)[: shape[0] * shape[1]].reshape(shape)


def shift_origin(imset: ImSet, left: int, bottom: int) -> None:
    """Write the size of a trimmed image, and move the origin of its coordinates."""
    header = imset.header["SCI"]
    header.set("SIZAXIS1", imset.shape[1])
    header.set("SIZAXIS2", imset.shape[0])
    for header in imset.header.values():
        for axis, offset in ((1, left), (2, bottom)):
            if f"LTV{axis}" in header:
                header.set(f"LTV{axis}", np.float32(header.get_float(f"LTV{axis}")) - np.float32(offset))
            if f"CRPIX{axis}" in header:
                header.set(f"CRPIX{axis}", header.get_float(f"CRPIX{axis}") - offset)


def predict(job: Job) -> Exposure:
    """Foresee the task's product without its pixels, so that the tasks after it can be checked beforehand.

    Returns
    -------
    Exposure
        Headers as they will be where later tasks look at them; all pixels are one 0 each, read-only.
    """
    exposure = Exposure(job.exposure.primary.copy(), (), job.exposure.path)
    for amp, gain in zip(AMPS, job.chips[0].ccd.gain if job.chips else (), strict=False):
        exposure.primary.set(f"ATODGN{amp}", np.float32(gain))
    for switch in ("DQICORR", "BIASCORR", "BLEVCORR", "SINKCORR"):
        if job.states[switch] is not State.OMIT:
            exposure.primary.set(switch, "COMPLETE")
    if job.chips:
        for amp, gain in zip(AMPS, job.chips[0].ccd.gain, strict=True):
            exposure.primary.set(f"ATODGN{amp}", np.float32(gain))
    imsets = []
    for chip in job.chips:
        left = bottom = 0
        shape = chip.imset.shape
        if chip.overscan is not None and _is_leveled(job, chip):
            left, bottom = chip.overscan.trim_x[0], chip.overscan.trim_y[0]
            shape = trimmed_shape(shape, chip.overscan.trim_x, chip.overscan.trim_y)
        imset = blank_imset(chip.imset, shape)
        for plane in ("SCI", "ERR"):
            imset.header[plane].set("BUNIT", UNIT)
        if _is_leveled(job, chip):
            shift_origin(imset, left, bottom)
        imsets.append(imset)
    exposure.imsets = tuple(imsets)
    return exposure


def _write_bias_levels(job: Job) -> None:
    primary = job.exposure.primary
    if "BIASLEVA" not in primary:
        return
    for amp in AMPS:
        # PARITY: a level of exactly 0 is not written.
        if job.amp_levels.get(amp, 0.0) != 0.0:
            primary.set(f"BIASLEV{amp}", np.float32(job.amp_levels[amp]), "mean of amp's bias level")
