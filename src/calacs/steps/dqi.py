"""DQICORR: flag A-to-D saturation and the bad pixels of the table.

Units   DN (flags only; SBC: counts).
Refs    BPIXTAB (runs of bad pixels), CCDTAB (A-to-D saturation).
Kernel  csrc/dqi.c.
Origin  HSTCAL pkg/acs/lib/dodqi.c.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from calacs._core import dqi as core
from calacs.dq import DQ
from calacs.errors import ReferenceMissing
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.reftables import bad_pixel_runs
from calacs.step import HISTORY_TEXT, Job, Result, State, step


def flag_atod_saturation(sci: NDArray[np.float32], dq: NDArray[np.int16], saturation: float) -> int:
    """Flag pixels at or above the saturation of the A-to-D converter (DN), in place; return their number."""
    return int(core.flag_above(sci, dq, float(saturation), DQ.ATOD_SATURATED))


def flag_bad_pixels(imset: ImSet, runs: NDArray[np.int32]) -> None:
    """Flag the runs of bad pixels that lie in an image, in place.

    Parameters
    ----------
    imset : ImSet
        The image; its LTV and LTM keywords tell where it lies on the chip.
    runs : ndarray of int32, shape (n_run, 5)
        PIX1, PIX2, LENGTH, AXIS, VALUE of `calacs.reftables.bad_pixel_runs`.
    """
    header = imset.header["SCI"]
    offset_x, offset_y = (
        header.get_float(f"LTV{axis}", 0.0) + (header.get_float(f"LTM{axis}_{axis}", 1.0) - 1.0) for axis in (1, 2)
    )
    core.flag_runs(imset.dq, runs, offset_x, offset_y)


@step("DQICORR", refs=("BPIXTAB",), with_dummy=True)
def dqi(job: Job, runs_by_imset: list[NDArray[np.int32]] | None) -> Result:
    """Flag A-to-D saturation (CCDs) and bad pixels."""
    history = [HISTORY_TEXT[job.states["DQICORR"]].format("DQICORR")]
    values: dict[str, list[int]] = {}
    if job.observation.is_ccd:
        history.append("  values checked for saturation")
        calls = [
            partial(flag_atod_saturation, chip.imset.sci, chip.imset.dq, chip.ccd.atod_saturation) for chip in job.chips
        ]
        values["n_atod_saturated"] = run_parallel(calls, job.n_threads)
    if runs_by_imset is not None:
        for imset, runs in zip(job.exposure.imsets, runs_by_imset, strict=True):
            flag_bad_pixels(imset, runs)
            if len(runs) == 0:
                job.warn(
                    f"BPIXTAB has no row for chip {imset.chip}; a flag at the second pixel of the second line stands in"
                )
                # PARITY: the place-holder is meant for the first pixel.
                header = imset.header["SCI"]
                row, col = (math.trunc(header.get_float(key, 1.0)) for key in ("LTM2_2", "LTM1_1"))
                imset.dq[row, col] |= np.int16(DQ.WARM)
    if job.refs["BPIXTAB"].given:
        history += ["  DQ array initialized ...", *job.refs["BPIXTAB"].history()]
    return Result(values, history)


@dqi.preflight
def choose_rows(job: Job) -> list[NDArray[np.int32]] | None:
    """Rows of BPIXTAB for each image set, or None where there is no table to apply."""
    reference = job.refs["BPIXTAB"]
    if not reference.given and not job.observation.is_ccd:
        raise ReferenceMissing(
            f"BPIXTAB: the header names no file ({reference.name!r}), which the SBC needs for DQICORR; name one in the header, "
            "pass bpixtab=... to the call, or set DQICORR to OMIT"
        )
    if not reference.given or job.states["DQICORR"] is State.DUMMY:
        return None
    runs = [bad_pixel_runs(reference.table, job.observation, imset.chip) for imset in job.exposure.imsets]
    reference.note(f"{sum(map(len, runs))} of {reference.table.n_row} rows")
    return runs
