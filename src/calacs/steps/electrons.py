"""Convert DN to electrons; has no switch.

Units   DN -> electron.
Refs    CCDTAB (gains).
Kernel  csrc/imarith.c: cal_imarith_gain.
Origin  HSTCAL pkg/acs/lib/toelectrons.c.
"""

from __future__ import annotations

from functools import partial

from calacs._core import imarith
from calacs.detector import Quadrants, quadrants
from calacs.exposure import ImSet
from calacs.parallel import run_parallel
from calacs.step import Job, Result, State, step

UNIT = "ELECTRONS"


@step("electrons", switch=False)
def electrons(job: Job, gains: list[Quadrants]) -> Result:
    """Multiply by the gain of the amplifier that read each pixel."""
    run_parallel([partial(_convert, *pair) for pair in zip(job.exposure.imsets, gains, strict=True)], job.n_threads)
    return Result({"gain": [gain.values for gain in gains]})


def _convert(imset: ImSet, gain: Quadrants) -> None:
    imarith.gain(imset.sci, imset.err, gain)
    mark_electrons(imset)


def mark_electrons(imset: ImSet) -> None:
    """Write the unit of SCI and ERR."""
    for plane in ("SCI", "ERR"):
        imset.header[plane].set("BUNIT", UNIT)


@electrons.preflight
def find_gains(job: Job) -> list[Quadrants]:
    """Gain of each quadrant of each image set."""
    return [
        quadrants(
            chip.imset, job.observation.detector, (chip.ccd.amp_x, chip.ccd.amp_y), chip.ccd.gain, chip.ccd.gain, "gain"
        )
        for chip in job.chips
    ]


@step("electrons", switch=False)
def electrons_if_needed(job: Job, gains: list[Quadrants | None]) -> Result:
    """Multiply by the gain where the image is not in electrons yet."""
    if not any(gains):
        return Result(state=State.IGNORED)
    for imset, gain in zip(job.exposure.imsets, gains, strict=True):
        if gain is not None:
            _convert(imset, gain)
    return Result({"gain": [None if gain is None else gain.values for gain in gains]})


@electrons_if_needed.preflight
def find_missing_gains(job: Job) -> list[Quadrants | None]:
    """Gain of each quadrant of each image set, None where it is in electrons."""
    gains = find_gains(job) if job.observation.is_ccd and not all(map(_is_electron, job.exposure)) else []
    units = gains or [Quadrants(0, 0, (1.0, 1.0, 1.0, 1.0))] * len(job.exposure.imsets)
    return [None if _is_electron(imset) else gain for imset, gain in zip(job.exposure, units, strict=False)]


def _is_electron(imset: ImSet) -> bool:
    # PARITY: six characters, in upper case: rates pass, "electrons" is multiplied again.
    return imset.header["SCI"].get_str("BUNIT", "").startswith(UNIT[:6])
