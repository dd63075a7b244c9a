"""DARKCORR: subtract the dark current.

Units   electron -> electron (dark image: electron/s).
Refs    DARKFILE; after the CTE correction DRKCFILE.
Kernel  csrc/dark.c.
Origin  HSTCAL acs2d/dodark.c.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from calacs._core import dark as core
from calacs.detector import float32
from calacs.dq import serious_bits
from calacs.exposure import PLANES, ImSet
from calacs.parallel import run_parallel
from calacs.refs import Section
from calacs.step import Job, Result, step


def subtract_dark(imset: ImSet, section: Section, dark_time: float, bad_bits: int) -> float:
    """Subtract a dark image, in place.

    Parameters
    ----------
    imset : ImSet
        Image in electron.
    section : Section
        Part of the dark image (electron/s) under it.
    dark_time : float
        Time in which dark current was collected, in s.
    bad_bits : int
        Pixels of the dark image with any of these DQ bits are left out of the mean.

    Returns
    -------
    float
        Mean of what was subtracted, in electron; 0 where no pixel is good.
    """
    mean = 0.0, 0
    for rows, (sci, err, dq) in section.blocks(*PLANES):
        mean = core.subtract(imset.sci[rows], imset.err[rows], imset.dq[rows], sci, err, dq, dark_time, bad_bits, mean)
    return mean[0] / mean[1] if mean[1] else 0.0


def _subtract(job: Job, sections: list[Section]) -> Result:
    # PARITY: the time for the SBC is 0: flags are added, but nothing is subtracted.
    time = float32(job.observation.darktime) if job.observation.is_ccd else 0.0
    if any(section.alignment.ratio != (1, 1) for section in sections):
        job.warn("the dark image and the exposure are not binned alike; pixels are taken one by one")
    means = run_parallel(
        [
            partial(subtract_dark, imset, section, time, serious_bits(imset.header["SCI"]))
            for imset, section in zip(job.exposure.imsets, sections, strict=True)
        ],
        job.n_threads,
    )
    for imset, mean in zip(job.exposure.imsets, means, strict=True):
        imset.header["SCI"].set("MEANDARK", np.float32(mean), "mean of dark values subtracted")
    return Result({"dark_time": time, "mean": means})


@step("DARKCORR", refs=("DARKFILE",))
def dark(job: Job, sections: list[Section]) -> Result:
    """Subtract the dark image times the dark time."""
    return _subtract(job, sections)


@step("DARKCORR", refs=("DRKCFILE",))
def dark_cte(job: Job, sections: list[Section]) -> Result:
    """Subtract the CTE-corrected dark image times the dark time."""
    return _subtract(job, sections)


@dark.preflight
def find_sections(job: Job) -> list[Section]:
    """Find each image set in the dark image."""
    return [job.refs["DARKFILE"].section(imset, whole=True) for imset in job.exposure]


@dark_cte.preflight
def find_cte_sections(job: Job) -> list[Section]:
    """Find each image set in the CTE-corrected dark image."""
    return [job.refs["DRKCFILE"].section(imset, whole=True) for imset in job.exposure]
