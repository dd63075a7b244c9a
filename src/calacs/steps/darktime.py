"""Dark time: add the time between the end of the exposure and the readout; has no switch.

Units   s -> s.
Refs    CCDTAB (overheads).
Origin  HSTCAL acsccd/dodarktime.c.
"""

from __future__ import annotations

import numpy as np

from calacs.observation import CYCLE24_MJD, Observation
from calacs.reftables import CcdParams
from calacs.step import Job, Result, step

SUBARRAYS = frozenset(
    [f"{name}-{size}" for name in ("WFC1A", "WFC1B", "WFC2C", "WFC2D") for size in ("2K", "1K", "512")]
    + ["WFC1-IRAMPQ", "WFC1-MRAMPQ", "WFC2-ORAMPQ", "WFC1-SMFL"]
    + [f"WFC1-POL{angle}{band}" for angle in (0, 60, 120) for band in ("UV", "V")]
)
"""Apertures that get the overhead since Cycle 24.

PARITY: WFC2-MRAMPQ and the WFC2 polarizers are not among them, although the bias-shift correction knows them.
"""


def dark_time(observation: Observation, ccd: CcdParams) -> np.float32:
    """Time during which dark current accumulated, in seconds.

    Parameters
    ----------
    observation : Observation
        The exposure; its DARKTIME is that of the header.
    ccd : CcdParams
        Row of CCDTAB.

    Returns
    -------
    numpy.float32
        DARKTIME with the overhead, if the format of the exposure calls for it.
    """
    flashed = observation.flashdur > 0 and observation.flashsta == "SUCCESSFUL"
    overhead = np.float32(ccd.overhead_flashed if flashed else ccd.overhead_unflashed)
    time = np.float32(observation.darktime)
    if observation.subarray:
        adjusted = observation.expstart >= CYCLE24_MJD and observation.aperture in SUBARRAYS
    else:
        adjusted = observation.post_sm4
    return time + overhead if adjusted else time


@step("darktime", switch=False)
def darktime(job: Job) -> Result:
    """Write DARKTIME; its card changes format even where the value stays."""
    time = dark_time(job.observation, job.chips[0].ccd)
    job.exposure.primary.set("DARKTIME", time)
    return Result({"darktime": float(time)})
