"""The task acsrej: exposures of one field combined, cosmic rays rejected::

    from calacs import acsrej
    acsrej.acsrej("*blv_tmp.fits", "x_crj.fits", crsigmas="6,5,4")     # files, as ACSTOOLS does it
    product = acsrej.combine(exposures, crradius=0.75, n_threads=2)    # in memory

The array functions are in `calacs.steps.crrej`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from calacs import fits, spt
from calacs.combining import join_trailers
from calacs.door import FileDoor, expand_exposures
from calacs.errors import InvalidValue
from calacs.exposure import Exposure
from calacs.log import banner, log
from calacs.rejection import Given, Plan, execute, flag_files, flag_inputs, flagged, predict, prepare
from calacs.staging import Staging, Writer

__all__ = [
    "ACSREJDeprecationWarning",
    "Given",
    "Plan",
    "acsrej",
    "combine",
    "execute",
    "flag_files",
    "flag_inputs",
    "flagged",
    "predict",
    "prepare",
]


class ACSREJDeprecationWarning(DeprecationWarning):
    """An argument of `acsrej` has another name now."""


def acsrej(
    input: Any,
    output: str | os.PathLike[str],
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    shadcorr: bool = False,
    crrejtab: str = "",
    crmask: bool = False,
    scalense: float | None = None,
    initgues: str = "",
    skysub: str = "",
    crsigmas: str = "",
    crradius: float | None = None,
    crthresh: float | None = None,
    badinpdq: int | None = None,
    newbias: bool = False,
    readnoise_only: bool = False,
    exe_args: list[str] | None = None,
) -> Path:
    r"""Combine exposures in files and reject cosmic rays.

    Parameters
    ----------
    input : str, path-like or list
        Two or more calibrated exposures: a list, a comma-separated text, a name with wildcards (``'*blv_tmp.fits'``),
        ``@file`` with one name per line, or an association table.
    output : path-like
        The product.
    exec_path : str
        Accepted for compatibility with ACSTOOLS and ignored: no executable is run.
    time_stamps, verbose : bool
        Time of each message, more messages.
    shadcorr : bool
        Correct the shutter shading.
    crrejtab : str
        Parameter table instead of that of the first exposure's header.
    crmask : bool
        Flag cosmic rays in the input files; False leaves that to the table.
    scalense : float
        Noise proportional to the signal, 0 to 100 percent.
    initgues : str
        First guess: "med" or "min".
    skysub : str
        Sky: "none" or "mode".
    crsigmas : str
        Rejection limits: ``'6.5,5.5,4.5'``.
    crradius, crthresh : float
        Radius of a cosmic ray (pixel), factor on the limit for its neighbors.
    badinpdq : int
        Bits of bad pixels.
    newbias : bool
        Old name of `readnoise_only`.
    readnoise_only : bool
        Accepted for compatibility; has no effect on the product, as officially.
    exe_args : list of str
        Command-line options of the official program that mean something here.

    Returns
    -------
    Path
        The product.

    Raises
    ------
    ValueError
        `scalense`, `initgues` or `skysub` is outside its domain.
    CalacsError
        The exposures cannot be combined; nothing was changed.
    """
    if newbias:
        text = "newbias is deprecated; use readnoise_only"
        warnings.warn(text, ACSREJDeprecationWarning, stacklevel=2)
    if scalense is not None and not 0 <= scalense <= 100:
        raise ValueError(f"scalense = {scalense} is invalid; it must be 0 to 100")
    if initgues and initgues not in ("med", "min"):
        raise ValueError(f"initgues = {initgues!r} is invalid; it must be 'med' or 'min'")
    if skysub and skysub not in ("none", "mode"):
        raise ValueError(f"skysub = {skysub!r} is invalid; it must be 'none' or 'mode'")
    door = FileDoor("acsrej", exec_path, time_stamps, verbose, False, exe_args)
    given = Given(
        crrejtab=crrejtab or None,
        shadcorr=shadcorr,
        crmask=crmask or None,
        scalense=scalense,
        initgues=initgues or None,
        skysub=skysub or None,
        crsigmas=crsigmas or None,
        crradius=crradius,
        crthresh=crthresh,
        badinpdq=badinpdq,
    )
    # As on a command line, what comes later counts.
    given = replace(given, **door.options.parameters)
    return combine_files(expand_exposures(input), Path(output), given, door)


def combine_files(inputs: Sequence[Path], output: Path, given: Given, door: FileDoor, mtype: str = "") -> Path:
    """Combine files into a file, flag cosmic rays in the inputs if that is wanted, and merge the support files."""
    cte = not any("_blv_tmp" in str(path) for path in inputs)
    trailer = join_trailers(inputs, output, (("_blc_tmp",), ("_crc_tmp",)) if cte else (("_blv_tmp",), ("_crj_tmp",)))
    files = [("Input", path) for path in inputs]
    with door.trailer(trailer), banner("acsrej", *files, ("Output", output)):
        if any(path.exists() and output.exists() and path.samefile(output) for path in inputs):
            raise InvalidValue(f"{output}: the output is one of the inputs; choose another name")
        fits.refuse_existing(output, clobber=door.clobber)
        fits.check_folder(output)
        plan = prepare(inputs, given)
        if plan.crmask and plan.rejects:
            for path in inputs:
                fits.check_updatable(path)
        support = spt.foresee(inputs, output)
        log.info("CRCORR   PERFORM")
        product = execute(plan, output, mtype=mtype, n_threads=door.n_threads)
        with Writer(1) as writer, Staging(output.parent, writer, clobber=door.clobber) as staging:
            staging.write(product, output)
            if support is not None:
                spt.merge(inputs, output, mtype, create=staging.create)
            if plan.crmask:
                flag_files(plan)
        log.info("CRCORR   COMPLETE")
    return output


def combine(
    exposures: Any,
    *,
    output: str | os.PathLike[str] = "",
    mtype: str = "",
    n_threads: int = 1,
    progress: Callable[[str], None] | None = None,
    flag_exposures: bool = False,
    **parameters: Any,
) -> Exposure:
    """Combine exposures in memory and reject cosmic rays.

    Parameters
    ----------
    exposures : sequence of Exposure, path-like or HDUList
        Two or more calibrated exposures (electron) of one field.
    output : path-like
        Name of the product, from which its root name follows; by default that of the first exposure.
    mtype : str
        Its role in an association (``prod-crj``).
    n_threads : int
        Threads to use, 0 for all processors; the result does not depend on it.
    progress : callable
        Called with a text before each step.
    flag_exposures : bool
        Whether cosmic rays may be flagged in the exposures, which must then all be `Exposure`; that happens if `crmask`,
        or the table, says so.  The exposures are not changed otherwise.
    **parameters
        Attributes of `Given`: `crrejtab`, `shadfile`, `shadcorr`, `crmask`, `scalense`, `initgues`, `skysub`, `crsigmas`,
        `crradius`, `crthresh`, `badinpdq`.

    Returns
    -------
    Exposure
        The combined image (electron); ``records[-1].values`` tells sky, rejected pixels and parameters.

    Raises
    ------
    CalacsError
        The exposures cannot be combined.
    """
    plan = prepare(exposures, Given(**parameters))
    if flag_exposures and not all(source.exposure is not None for source in plan.sources):
        raise TypeError("flag_exposures: all exposures must be Exposure objects; use acsrej() for files")
    plan.crmask = plan.crmask and flag_exposures
    product = execute(plan, output, mtype=mtype, n_threads=n_threads, progress=progress)
    if plan.crmask:
        flag_inputs(plan)
    return product
