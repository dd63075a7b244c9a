"""The task acscteforwardmodel: what the traps make of an image when it is read out, with the model of PCTETAB::

    from calacs import acscteforwardmodel
    acscteforwardmodel.acscteforwardmodel("x_blv_tmp.fits")   # files, as ACSTOOLS does it: -> x_ctefmod.fits
    exposure = acscteforwardmodel.run("x_flc.fits", pctecorr="PERFORM")

The step is in `calacs.steps.pcte`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calacs.acscte import run_files, run_in_memory
from calacs.exposure import Exposure

__all__ = ["acscteforwardmodel", "run"]


def acscteforwardmodel(
    input: Any,
    exec_path: str = "",
    time_stamps: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    single_core: bool = False,
    exe_args: list[str] | None = None,
) -> list[Path]:
    r"""Simulate the readout of files: ``x_blv_tmp.fits`` becomes ``x_ctefmod.fits``, ``x_flc.fits`` ``x_flc_ctefmod.fits``.

    Parameters
    ----------
    input : str, path-like or list
        Trimmed WFC images, in any form that `calacs.acscte.acscte` takes.  Their PCTECORR must be PERFORM, that of a
        corrected image is COMPLETE and has to be changed.
    exec_path, time_stamps, verbose, quiet, single_core, exe_args
        As of `calacs.acscte.acscte`.

    Returns
    -------
    list of Path
        The products, in the order of the inputs.  They hold the image sets alone, not the further extensions that
        archive products may have.

    Raises
    ------
    CalacsError
        A file cannot be processed; files before it in the list are finished, nothing half-written is left.
    """
    return run_files("acscteforwardmodel", input, (exec_path, time_stamps, verbose, quiet), single_core, exe_args)


def run(
    source: Any, *, n_threads: int = 1, progress: Callable[[str], None] | None = None, **overrides: Any
) -> Exposure:
    """Simulate the readout of an exposure in memory.

    Parameters
    ----------
    source : Exposure, path-like or HDUList
        Trimmed exposure in electrons; it is not changed.
    n_threads, progress, **overrides
        As of `calacs.acscte.run`.

    Returns
    -------
    Exposure
        The image as it would be read, in electrons.

    Raises
    ------
    CalacsError
        As `calacs.acscte.run`.

    Notes
    -----
    As in the official program, rows are transferred before columns, although the detector does the opposite, and a tenth
    of the change goes into the uncertainties.
    """
    return run_in_memory("acscteforwardmodel", source, n_threads, progress, overrides)
