"""Uncertainty before calibration: photon and read noise; has no switch.

Units   electron.
Refs    CCDTAB (read noises).
Kernel  csrc/noise.c.
Origin  HSTCAL pkg/acs/lib/donoise.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from calacs._core import noise as core
from calacs.detector import Quadrants, quadrants
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.step import Job, Result, State, step

HISTORY = "Uncertainty array initialized."


@step("noise", switch=False)
def noise(job: Job, read_noises: list[Quadrants]) -> Result:
    """Add photon and read noise to the uncertainty of the bias subtraction."""
    _add_noise(job, list(zip(job.exposure.imsets, read_noises, strict=True)))
    return Result({"read_noise": [read_noise.values for read_noise in read_noises]}, [HISTORY])


def _add_noise(job: Job, pairs: Sequence[tuple[ImSet, Quadrants]]) -> None:
    for imset, _ in pairs:
        if imset.header["SCI"].get_int("NCOMBINE", 1) > 1:
            job.warn("NCOMBINE > 1: the uncertainty is computed as for a single exposure")
    # PARITY: frames of targets called BIAS get the read noise alone, whatever was subtracted from them.
    bias = job.observation.targname.startswith("BIAS")
    run_parallel([partial(core.ccd, imset.sci, imset.err, values, bias) for imset, values in pairs], job.n_threads)


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


@step("noise", switch=False)
def noise_if_blank(job: Job, read_noises: list[Quadrants | None]) -> Result:
    """Set the uncertainty of images that have none: photon and read noise, for the SBC photon noise."""
    blank = [_is_blank(imset) for imset in job.exposure]
    if not any(blank):
        return Result(state=State.IGNORED)
    for imset, read_noise in zip(job.exposure.imsets, read_noises, strict=True):
        if not _is_blank(imset):
            continue
        if read_noise is not None:
            _add_noise(job, [(imset, read_noise)])
        elif (n_negative := core.counts(imset.sci, imset.err)) > 0:
            job.warn(f"{n_negative} pixels of image set {imset.extver} are negative, which counts cannot be")
    values = {"read_noise": [None if read_noise is None else read_noise.values for read_noise in read_noises]}
    # PARITY: only what happens to the first image set is told.
    return Result(values, [HISTORY] if blank[0] else [])


@noise_if_blank.preflight
def find_missing_read_noises(job: Job) -> list[Quadrants | None]:
    """Read noise of each quadrant of each image set, None where the uncertainty is set or the detector has none."""
    if not job.observation.is_ccd or not any(map(_is_blank, job.exposure)):
        return [None] * len(job.exposure.imsets)
    return list(find_read_noises(job))


def _is_blank(imset: ImSet) -> bool:
    """Whether an image set has no uncertainty; where its pixels are foreseen only (`blank_imset`), it will have one."""
    return bool(imset.err.flags.c_contiguous) and bool(core.is_blank(imset.err))
