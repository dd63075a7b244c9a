"""GLINCORR and LFLGCORR: correct the counting losses of the SBC, and flag pixels that count too fast.

Units   count -> count.
Refs    MLINTAB.
Kernel  csrc/nonlin.c; csrc/imarith.c: cal_imarith_scale.
Origin  HSTCAL acs2d/dononlin.c, getlintab.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calacs._core import imarith
from calacs._core import nonlin as core
from calacs.dq import DQ
from calacs.reftables import LinearityParams, linearity
from calacs.step import HISTORY_TEXT, Job, Result, State, step


def linearity_ratio(rate: float, tau: float) -> float:
    """True over observed count rate of the whole detector.

    Parameters
    ----------
    rate : float
        Observed rate in count/s.
    tau : float
        Time constant in s: observed = true exp(-tau true).

    Returns
    -------
    float
        1 for rates that are not positive.
    """
    return float(core.ratio(rate, tau))


def flag_fast_pixels(sci: NDArray[np.float32], dq: NDArray[np.int16], limit: float, radius: float) -> int:
    """Flag pixels above a limit (count) and those within `radius` pixels of them, in place.

    Returns
    -------
    int
        Number of pixels above the limit.
    """
    return int(core.flag(sci, dq, limit, radius, DQ.SATURATED))


@step("GLINCORR", refs=("MLINTAB",), with_dummy=True)
def glin(job: Job, params: LinearityParams | None) -> Result:
    """Multiply counts by the ratio of true to observed count rate, unless the latter is beyond the limit."""
    if params is None:
        return Result(history=_history(job, "GLINCORR"))
    _tell_limit(job, params)
    ratios = []
    for imset in job.exposure:
        rate = imset.header["SCI"].get_float("GLOBRATE")
        if rate > params.global_limit:
            job.warn(f"the count rate of {rate:g} /s is above the limit of {params.global_limit:g} /s: not corrected")
            continue
        ratios.append(linearity_ratio(rate, params.tau))
        imarith.scale(imset.sci, imset.err, np.float32(ratios[-1]))
    return Result({"ratio": ratios}, _history(job, "GLINCORR"))


@step("LFLGCORR", refs=("MLINTAB",), with_dummy=True)
def lflg(job: Job, params: LinearityParams | None) -> Result:
    """Flag pixels that count faster than the local limit, and their surroundings."""
    if params is None:
        return Result(history=_history(job, "LFLGCORR"))
    _tell_limit(job, params)
    limit = params.local_limit * job.observation.exptime
    n_above = [flag_fast_pixels(imset.sci, imset.dq, limit, params.expand) for imset in job.exposure]
    return Result({"n_above": n_above}, _history(job, "LFLGCORR"))


def _tell_limit(job: Job, params: LinearityParams) -> None:
    for imset in job.exposure:
        header = imset.header["SCI"]
        exceeded = header.get_float("GLOBRATE") > params.global_limit
        header.set("GLOBLIM", "EXCEEDED" if exceeded else "NOT-EXCEEDED", "global count rate exceeded?")


def _history(job: Job, switch: str) -> list[str]:
    """HISTORY texts; the table is named once, after the last of the two steps."""
    texts = [HISTORY_TEXT[job.states[switch]].format(switch)]
    if switch == "LFLGCORR" or job.states["LFLGCORR"] is State.OMIT:
        texts += job.refs["MLINTAB"].history()
    return texts


@glin.preflight
@lflg.preflight
def choose_row(job: Job) -> LinearityParams | None:
    """Row of MLINTAB, or None where the file or the row is a dummy."""
    reference = job.refs["MLINTAB"]
    if reference.dummy:
        return None
    params = linearity(reference.table, job.observation.detector)
    reference.row_text = params.row
    reference.note(f"row {params.row.number}")
    if not params.row.pedigree.startswith("DUMMY"):
        return params
    for switch in ("GLINCORR", "LFLGCORR"):
        if job.states[switch] is State.PERFORM:
            job.states[switch] = State.DUMMY
    return None
