"""Uncertainty of CCD data: photon and read noise; has no switch.

Units   electron.
Refs    CCDTAB (read noises).
Kernel  csrc/noise.c.
Origin  HSTCAL pkg/acs/lib/donoise.c.
"""

from __future__ import annotations

from calacs._core import noise as core
from calacs.detector import Quadrants, quadrants
from calacs.step import Job, Result, step


@step("noise", switch=False)
def noise(job: Job, read_noises: list[Quadrants]) -> Result:
    """Add photon and read noise to the uncertainty of the bias subtraction."""
    # PARITY: frames of targets called BIAS get the read noise alone, whatever was subtracted from them.
    is_bias = job.observation.targname.startswith("BIAS")
    for imset, read_noise in zip(job.exposure.imsets, read_noises, strict=True):
        if imset.header["SCI"].get_int("NCOMBINE", 1) > 1:
            job.warn("NCOMBINE > 1: the uncertainty is computed as for a single exposure")
        core.ccd(imset.sci, imset.err, read_noise, is_bias)
    values = {"read_noise": [read_noise.values for read_noise in read_noises]}
    return Result(values, ["Uncertainty array initialized."])


@noise.preflight
def find_read_noises(job: Job) -> list[Quadrants]:
    """Read noise of each quadrant of each image set."""
    return [
        quadrants(
            chip.imset,
            job.observation.detector,
            (chip.ccd.amp_x, chip.ccd.amp_y),
            chip.ccd.read_noise,
            chip.ccd.gain,
            "read noise",
        )
        for chip in job.chips
    ]
