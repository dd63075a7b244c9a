"""FLSHCORR: subtract the post-flash.

Units   electron -> electron (post-flash image: electron/s).
Refs    FLSHFILE.
Kernel  csrc/flash.c.
Origin  HSTCAL acs2d/doflash.c.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from calacs._core import flash as core
from calacs.detector import Geometry
from calacs.dq import serious_bits
from calacs.errors import SizeMismatch
from calacs.exposure import PLANES, ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import HISTORY_TEXT, Job, Result, State, step

NOT_FLASHED = "Post-flash exposure was 0 seconds. FLSHCORR not performed."
ABORTED = "Post-flash STATUS was ABORTED. Post-flash may be compromised."


def subtract_flash(imset: ImSet, section: Section, flash_time: float, bad_bits: int) -> np.float32:
    """Subtract a post-flash image, in place.

    Parameters
    ----------
    imset : ImSet
        Image in electron.
    section : Section
        Part of the post-flash image (electron/s) under it.
    flash_time : float
        Duration of the flash in s.
    bad_bits : int
        Pixels of the post-flash image with any of these DQ bits are left out of the mean.

    Returns
    -------
    numpy.float32
        Mean of line means of what was subtracted, weighted by the number of good pixels, in electron; not a number where
        no pixel is good.
    """
    mean = 0.0, 0.0
    for rows, (sci, err, dq) in section.blocks(*PLANES):
        mean = core.subtract(imset.sci[rows], imset.err[rows], imset.dq[rows], sci, err, dq, flash_time, bad_bits, mean)
    if mean[1] == 0.0:
        return np.float32(-np.nan)  # as 0/0 gives it
    return np.float32(mean[0]) / np.float32(mean[1])


@step("FLSHCORR", refs=("FLSHFILE",))
def flash(job: Job, sections: list[Section]) -> Result:
    """Subtract the post-flash image times the duration of the flash."""
    comment = "mean of post-flash values subtracted"
    reference = job.refs["FLSHFILE"].history()
    if job.observation.flashdur <= 0.0:
        job.warn(NOT_FLASHED)
        # PARITY: the first image set gets the keyword nevertheless (with an undefined number officially).
        job.exposure.imsets[0].header["SCI"].set("MEANFLSH", np.float32(0.0), comment)
        return Result(
            history=[NOT_FLASHED, HISTORY_TEXT[State.IGNORED].format("FLSHCORR"), *reference], state=State.IGNORED
        )
    history = []
    if job.observation.flashsta == "ABORTED":
        job.warn(ABORTED)
        history.append(ABORTED)
    if any(section.alignment.ratio != (1, 1) for section in sections):
        job.warn("the post-flash image and the exposure are not binned alike; pixels are taken one by one")
    means = run_parallel(
        [
            partial(subtract_flash, imset, section, job.observation.flashdur, serious_bits(imset.header["SCI"]))
            for imset, section in zip(job.exposure.imsets, sections, strict=True)
        ],
        job.n_threads,
    )
    for imset, mean in zip(job.exposure.imsets, means, strict=True):
        imset.header["SCI"].set("MEANFLSH", mean, comment)
    history += [HISTORY_TEXT[State.PERFORM].format("FLSHCORR"), *reference]
    return Result({"flash_time": job.observation.flashdur, "mean": [float(mean) for mean in means]}, history)


@flash.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the post-flash image, which must be trimmed."""
    reference = job.refs["FLSHFILE"]
    plane = reference.image.plane("SCI", 1)
    if Geometry.of(plane.header, plane.shape).ltv != (0.0, 0.0):
        raise SizeMismatch(f"{reference}: the image has untrimmed overscan (LTV1 or LTV2 is not 0); use a trimmed one")
    if job.observation.flashdur <= 0.0:
        return []
    return [reference.section(imset) for imset in job.exposure]
