"""Convert DN to electrons; has no switch.

Units   DN -> electron.
Refs    CCDTAB (gains).
Kernel  csrc/imarith.c: cal_imarith_gain.
Origin  HSTCAL pkg/acs/lib/toelectrons.c.
"""

from __future__ import annotations

from calacs._core import imarith
from calacs.detector import Quadrants, quadrants
from calacs.step import Job, Result, step

UNIT = "ELECTRONS"


@step("electrons", switch=False)
def electrons(job: Job, gains: list[Quadrants]) -> Result:
    """Multiply by the gain of the amplifier that read each pixel."""
    for imset, gain in zip(job.exposure.imsets, gains, strict=True):
        imarith.gain(imset.sci, imset.err, gain)
        for plane in ("SCI", "ERR"):
            imset.header[plane].set("BUNIT", UNIT)
    return Result({"gain": [gain.values for gain in gains]})


@electrons.preflight
def find_gains(job: Job) -> list[Quadrants]:
    """Gain of each quadrant of each image set."""
    return [
        quadrants(
            chip.imset, job.observation.detector, (chip.ccd.amp_x, chip.ccd.amp_y), chip.ccd.gain, chip.ccd.gain, "gain"
        )
        for chip in job.chips
    ]
