"""What the primary header says about an exposure, read once and checked.

Notes
-----
Keywords, defaults and checks: HSTCAL ``pkg/acs/lib/getacskeys.c``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calacs.errors import HeaderProblem, InvalidValue
from calacs.header import Header

AMPS = "ABCD"
DETECTORS = ("WFC", "HRC", "SBC")
SM4_MJD = 54962.0
"""Start of operations with the electronics of Servicing Mission 4 (``pkg/acs/include/acs.h``)."""
CYCLE24_MJD = 57662.0
"""First day of the subarray formats with overscan of the 2016 flight software (``pkg/acs/include/acs.h``)."""

PARAMETERS = (
    "ROOTNAME DETECTOR APERTURE OBSTYPE JWROTYPE FILTER1 FILTER2 EXPTIME EXPSTART EXPEND SUBARRAY CCDAMP CCDGAIN "
    "CCDOFSTA CCDOFSTB CCDOFSTC CCDOFSTD FLASHDUR FLASHSTA DARKTIME TARGNAME LRFWAVE DATE-OBS"
).split()
"""Primary keywords whose value a caller may replace for one run."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts of an exposure.

    Attributes
    ----------
    rootname : str
        Root name of the exposure.
    detector : str
        "WFC", "HRC" or "SBC".
    aperture, obstype, jwrotype, filter1, filter2 : str
        APERTURE and JWROTYPE in upper case, the others as in the header; empty where absent.
    n_imset : int
        Number of image sets (chips).
    exptime, darktime, flashdur : float
        Exposure, dark-current and post-flash times in seconds.
    expstart, expend : float
        Start and end of the exposure, MJD.
    subarray : bool
        Whether only part of the detector was read.
    ccdamp : str
        Letters of the amplifiers used, empty for the SBC.
    ccdgain : float
        Commanded gain, electron/DN.
    ccdofst : tuple of int
        Commanded offsets of amplifiers A to D.
    flashsta : str
        Status of the post-flash, upper case.
    targname : str
        Name of the target.
    """

    rootname: str
    detector: str
    aperture: str
    obstype: str
    jwrotype: str
    filter1: str
    filter2: str
    exptime: float
    expstart: float
    expend: float
    n_imset: int
    subarray: bool
    ccdamp: str
    ccdgain: float
    ccdofst: tuple[int, int, int, int]
    flashdur: float
    flashsta: str
    darktime: float
    targname: str

    @property
    def is_ccd(self) -> bool:
        """Whether the detector is a CCD (WFC or HRC)."""
        return self.detector != "SBC"

    @property
    def post_sm4(self) -> bool:
        """Whether the exposure was read by the electronics installed in Servicing Mission 4."""
        return self.expstart >= SM4_MJD

    @classmethod
    def of(cls, header: Header) -> Observation:
        """Read and check a primary header.

        Raises
        ------
        KeywordMissing
            A required keyword is absent.
        HeaderProblem
            A keyword has the wrong type, or the file is not an ACS exposure.
        InvalidValue
            A value is outside its domain.
        """
        where = header.where
        instrument = header.get_str("INSTRUME", "ACS")
        if not instrument.startswith("ACS"):
            raise HeaderProblem(f"{where}: INSTRUME = {instrument!r}: this is not an ACS exposure")
        detector = header.get_str("DETECTOR")
        if detector not in DETECTORS:
            raise InvalidValue(f"{where}: DETECTOR = {detector!r} is invalid; it must be WFC, HRC or SBC")
        exptime = header.get_float("EXPTIME")
        if not exptime >= 0.0:
            raise InvalidValue(f"{where}: EXPTIME = {exptime:g} is invalid; it must be 0 or more")
        n_imset = header.get_int("NEXTEND", 3) // 3
        if n_imset < 1:
            raise InvalidValue(
                f"{where}: NEXTEND = {header.get_int('NEXTEND')} must be at least 3; the file is incomplete"
            )
        is_ccd = detector != "SBC"
        return cls(
            rootname=header.get_str("ROOTNAME"),
            detector=detector,
            aperture=header.get_str("APERTURE", "").upper(),
            obstype=header.get_str("OBSTYPE", ""),
            jwrotype=header.get_str("JWROTYPE", "").upper(),
            filter1=header.get_str("FILTER1", ""),
            filter2=header.get_str("FILTER2", ""),
            exptime=exptime,
            expstart=header.get_float("EXPSTART"),
            expend=header.get_float("EXPEND"),
            n_imset=n_imset,
            subarray=header.get_bool("SUBARRAY") if is_ccd else bool(header.get_int("SUBARRAY")),
            ccdamp=_ccdamp(header) if is_ccd else "",
            ccdgain=float(np.float32(header.get_float("CCDGAIN", 1.0))) if is_ccd else 1.0,
            ccdofst=_ccdofst(header) if is_ccd else (3, 3, 3, 3),
            flashdur=float(np.float32(header.get_float("FLASHDUR", 0.0))) if is_ccd else 0.0,
            flashsta=header.get_str("FLASHSTA", "").upper(),
            darktime=header.get_float("DARKTIME", 0.0) if is_ccd else 0.0,
            targname=header.get_str("TARGNAME", ""),
        )


def _ccdofst(header: Header) -> tuple[int, int, int, int]:
    a, b, c, d = (header.get_int(f"CCDOFST{amp}", 3) for amp in AMPS)
    return a, b, c, d


def _ccdamp(header: Header) -> str:
    amps = header.get_str("CCDAMP").strip().upper()
    if len(amps) > len(AMPS) or set(amps) - set(AMPS):
        raise InvalidValue(f"{header.where}: CCDAMP = {amps!r} is invalid; it must be made of the letters {AMPS}")
    return amps
