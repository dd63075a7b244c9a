"""PHOTCORR: write the photometric zero points; and PHOTMODE, which is always written.

Units   none (header only).
Refs    IMPHTTAB.
Origin  HSTCAL acs2d/photmode.c, dophot.c.
"""

from __future__ import annotations

import numpy as np

from calacs.header import MAX_STRING, Header
from calacs.imphttab import NOT_EXTRAPOLATED, ObsMode, Photometry, look_up
from calacs.observation import Observation
from calacs.step import Job, Result, State, step

COMMENTS = {
    "PHOTFLAM": "inverse sensitivity",
    "PHOTZPT": "zero point",
    "PHOTPLAM": "pivot wavelength",
    "PHOTBW": "RMS bandwidth",
}


def photmode_of(observation: Observation, header: Header) -> str:
    """Compose the observing mode: ``ACS WFC1 F814W MJD#57785.4000``.

    Parameters
    ----------
    observation : Observation
        The exposure.
    header : Header
        Its primary header, for LRFWAVE.

    Returns
    -------
    str
        PARITY: both chips of the WFC are WFC1, and an empty filter name leaves a blank.
    """
    wavelength = np.float32(header.get_float("LRFWAVE", -1.0))
    terms = ["ACS", "WFC1" if observation.detector == "WFC" else observation.detector]
    if observation.obstype.startswith("CORON"):
        terms.append("CORON")
    for name in (observation.filter1, observation.filter2):
        if name.startswith(("N/A", "CLEAR")):
            continue
        if name.startswith("POL"):
            terms.append("POL_UV" if "UV" in name else "POL_V")
        elif name.startswith("FR"):
            terms.append(f"{name}#{float(wavelength):.4g}")
        else:
            terms.append(name)
    terms.append(f"MJD#{observation.expstart:.4f}")
    return " ".join(terms)


@step("photmode", switch=False)
def photmode(job: Job, text: str) -> Result:
    """Write the observing mode, whatever PHOTCORR says."""
    for imset in job.exposure:
        imset.header["SCI"].set("PHOTMODE", text, "list of components")
    return Result({"photmode": text})


@photmode.preflight
def compose(job: Job) -> str:
    """Compose the observing mode."""
    return photmode_of(job.observation, job.exposure.primary)


@step("PHOTCORR", refs=("IMPHTTAB",))
def phot(job: Job, photometry: Photometry) -> Result:
    """Write the photometric zero points of the observing mode."""
    cards = {"PHOTFLAM": photometry.values["PHOTFLAM"], "PHOTZPT": photometry.zero_point} | photometry.values
    for note in photometry.notes:
        job.warn(note)
    outside = photometry.values["PHOTFLAM"] == NOT_EXTRAPOLATED
    # PARITY: what turns out to be outside the table is written nevertheless, in the first image set only.
    for imset in job.exposure.imsets[: 1 if outside else None]:
        for keyword, comment in COMMENTS.items():
            imset.header["SCI"].set(keyword, np.float32(cards[keyword]), comment)
    if outside:
        job.warn("IMPHTTAB extrapolation not supported, PHOTCORR skipped.")
    return Result(dict(cards), state=State.IGNORED if outside else None)


@phot.preflight
def find_zero_points(job: Job) -> Photometry:
    """Look the observing mode up."""
    mode = ObsMode.of(compose(job)[:MAX_STRING])
    photometry = look_up(job.refs["IMPHTTAB"], mode)
    job.refs["IMPHTTAB"].note(f"row {', '.join(map(str, dict.fromkeys(photometry.rows)))}")
    return photometry
