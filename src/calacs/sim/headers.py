"""Header templates of raw exposures, association tables and support files.

A template line is ``KEYWORD kind default / comment``; ``# title`` makes a section, an empty line a
blank card.  Kinds: ``sN`` string padded to N characters, ``i`` integer, ``l`` logical, ``fN`` fixed
point, ``eN`` exponent, ``g`` shortest form.

References
----------
Keyword set, order and comments: archive raw files (HRC 2002, SBC 2012) and the ACS Data Handbook.
"""

from __future__ import annotations

from collections.abc import Mapping

from .files import card, section

__all__ = ["ASN", "EXTENSION", "PRIMARY", "SPT", "fill"]

_HEAD = """\
NEXTEND i 3 / Number of standard extensions
GROUPS l F / image is in group format
DATE s10 2026-01-01 / date this file was written (yyyy-mm-dd)
FILENAME s34  / name of file
FILETYPE s9 SCI / type of data found in data file

TELESCOP s3 HST / telescope used to acquire data
INSTRUME s6 ACS / identifier for instrument used to acquire data
EQUINOX g 2000.0 / equinox of celestial coord. system
# DATA DESCRIPTION KEYWORDS
ROOTNAME s34  / rootname of the observation set
"""

_DESCRIPTION = """\
IMAGETYP s18 EXT / type of exposure identifier
PRIMESI s6 ACS / instrument designated as prime
# TARGET INFORMATION
TARGNAME s30 SIMULATED-FIELD / proposer's target name
RA_TARG e12 150.1 / right ascension of the target (deg) (J2000)
DEC_TARG e12 2.2 / declination of the target (deg) (J2000)
# PROPOSAL INFORMATION
PROPOSID i 10000 / PEP proposal identifier
LINENUM s15 01.001 / proposal logsheet line number
PR_INV_L s30 Simulator / last name of principal investigator
PR_INV_F s20  / first name of principal investigator
PR_INV_M s20  / middle name / initial of principal investigat
"""

_EXPOSURE = """\
# EXPOSURE INFORMATION
SUNANGLE f6 88.0 / angle between sun and V1 axis
MOONANGL f6 70.0 / angle between moon and V1 axis
SUN_ALT f6 10.0 / altitude of the sun above Earth's limb
FGSLOCK s18 FINE / commanded FGS lock (FINE,COARSE,GYROS,UNKNOWN)
GYROMODE s1 T / number of gyros scheduled, T=3+OBAD
REFFRAME s8 ICRS / guide star catalog version
MTFLAG s1  / moving target flag; T if it is a moving target

DATE-OBS s10  / UT date of start of observation (yyyy-mm-dd)
TIME-OBS s8  / UT time of start of observation (hh:mm:ss)
EXPSTART e12 0.0 / exposure start time (Modified Julian Date)
EXPEND e12 0.0 / exposure end time (Modified Julian Date)
EXPTIME f6 0.0 / exposure duration (seconds)--calculated
EXPFLAG s13 NORMAL / Exposure interruption indicator
QUALCOM1 s67  /
QUALCOM2 s67  /
QUALCOM3 s67  /
QUALITY s67  /
# POINTING INFORMATION
PA_V3 f6 45.0 / position angle of V3-axis of HST (deg)
# TARGET OFFSETS (POSTARGS)
POSTARG1 f6 0.0 / POSTARG in axis 1 direction
POSTARG2 f6 0.0 / POSTARG in axis 2 direction
# DIAGNOSTIC KEYWORDS
OPUS_VER s18 HSTDP 2026_1 / data processing software system version
CSYS_VER s12 hstdp-2026.1 / Calibration software system version id
CAL_VER s24  / CALACS code version
PROCTIME e12 61000.0 / Pipeline processing time (MJD)
# SCIENCE INSTRUMENT CONFIGURATION
OBSTYPE s14 IMAGING / observation type - imaging or spectroscopic
OBSMODE s10 ACCUM / operating mode
CTEIMAGE s4 NONE / type of Charge Transfer Image, if applicable
SCLAMP s14 NONE / lamp status, NONE or name of lamp which is on
NRPTEXP i 1 / number of repeat exposures in set: default 1
SUBARRAY l F / data from a subarray (T) or full frame (F)
DETECTOR s3  / detector in use: WFC, HRC, or SBC
FILTER1 s18  / element selected from filter wheel 1
FW1OFFST i 0 / computed filter wheel offset
FILTER2 s18  / element selected from filter wheel 2
FW1ERROR l F / filter wheel position error flag
FW2OFFST i 0 / computed filter wheel offset
FW2ERROR l F / filter wheel position error flag
FWSOFFST i 0 / computed filter wheel offset
FWSERROR l F / filter wheel position error flag
LRFWAVE f6 0.0 / proposed linear ramp filter wavelength
APERTURE s16  / aperture name
PROPAPER s16  / proposed aperture name
DIRIMAGE s9 NONE / direct image for grism or prism exposure
"""

_CCD_CONFIG = """\
CTEDIR s8 NONE / CTE measurement direction: serial or parallel
CRSPLIT i 1 / number of cosmic ray split exposures
"""

_SBC_CONFIG = """\
# MAMA OFFSETS
MOFFSET1 i 0 / axis 1 MAMA offset (low-res pixels)
MOFFSET2 i 0 / axis 2 MAMA offset (low-res pixels)
# LOCAL RATE CHECK IMAGE
LRC_XSTS l F / Local Rate check image exists (T/F)
LRC_FAIL l F / Local Rate Check Failed (T/F)
"""

_CCD_SWITCHES = """\
# CALIBRATION SWITCHES: PERFORM, OMIT, COMPLETE
STATFLAG l F / Calculate statistics?
WRTERR l T / write out error array extension
DQICORR s8 PERFORM / data quality initialization
ATODCORR s8 OMIT / correct for A to D conversion errors
BLEVCORR s8 PERFORM / subtract bias level computed from overscan img
BIASCORR s8 PERFORM / Subtract bias image
SINKCORR s8 OMIT / flag sink pixels
FLSHCORR s8 OMIT / post flash correction
CRCORR s8 OMIT / combine observations to reject cosmic rays
EXPSCORR s8 OMIT / process individual observations after cr-reject
SHADCORR s8 OMIT / apply shutter shading correction
PCTECORR s8 OMIT / cte correction
DARKCORR s8 PERFORM / Subtract dark image
FLATCORR s8 PERFORM / flat field data
PHOTCORR s8 PERFORM / populate photometric header keywords
RPTCORR s8 OMIT / add individual repeat observations
DRIZCORR s8 OMIT / drizzle processing
# CALIBRATION REFERENCE FILES
BPIXTAB s22 N/A / bad pixel table
CCDTAB s22 N/A / CCD calibration parameters
ATODTAB s22 N/A / analog to digital correction file
OSCNTAB s22 N/A / CCD overscan table
BIASFILE s22 N/A / bias image file name
SATUFILE s22 N/A / full-well saturation image
SNKCFILE s22 N/A / map of sink pixels
FLSHFILE s22 N/A / post flash correction file name
CRREJTAB s22 N/A / cosmic ray rejection parameters
SHADFILE s22 N/A / shutter shading correction file
PCTETAB s22 N/A / CTE Correction Table
DRKCFILE s22 N/A / De-trailed Dark Reference File
DARKFILE s22 N/A / dark image file name
PFLTFILE s22 N/A / pixel to pixel flat field file name
DFLTFILE s22 N/A / delta flat field file name
LFLTFILE s22 N/A / low order flat
CFLTFILE s22 N/A / Coronagraphic spot image
SPOTTAB s22 N/A / Coronagraphic spot offset table
PHOTTAB s22 N/A / Photometric throughput table
GRAPHTAB s22 N/A / the HST graph table
COMPTAB s22 N/A / the HST components table
IDCTAB s22 N/A / image distortion correction table
DGEOFILE s22 N/A / Distortion correction image
MDRIZTAB s22 N/A / MultiDrizzle parameter table
IMPHTTAB s22 N/A / Image Photometry Table
D2IMFILE s22 N/A / Column Correction Reference File
NPOLFILE s22 N/A / Non-polynomial Offsets Reference File
# COSMIC RAY REJECTION ALGORITHM PARAMETERS
MEANEXP f6 0.0 / reference exposure time for parameters
SCALENSE f6 0.0 / multiplicative scale factor applied to noise
INITGUES s3  / initial guess method (MIN or MED)
SKYSUB s4  / sky value subtracted (MODE or NONE)
SKYSUM f1 0.0 / sky level from the sum of all constituent image
CRSIGMAS s15  / statistical rejection criteria
CRRADIUS f6 0.0 / rejection propagation radius (pixels)
CRTHRESH f6 0.0 / rejection propagation threshold
BADINPDQ i 0 / data quality flag bits to reject
REJ_RATE f1 0.0 / rate at which pixels are affected by cosmic ray
CRMASK l F / flag CR-rejected pixels in input files (T/F)
MDRIZSKY f1 0.0 / Sky value computed by MultiDrizzle
"""

_SBC_SWITCHES = """\
# CALIBRATION SWITCHES: PERFORM, OMIT, COMPLETE
STATFLAG l F / Calculate statistics?
WRTERR l T / write out error array extension
DQICORR s8 PERFORM / data quality initialization
GLINCORR s8 PERFORM / correct for global detector non-linearities
LFLGCORR s8 PERFORM / flag pixels for local and global nonlinearities
PCTECORR s8 OMIT / cte correction
DARKCORR s8 OMIT / Subtract dark image
FLATCORR s8 PERFORM / flat field data
PHOTCORR s8 PERFORM / populate photometric header keywords
RPTCORR s8 OMIT / add individual repeat observations
DRIZCORR s8 OMIT / drizzle processing
# CALIBRATION REFERENCE FILES
BPIXTAB s22 N/A / bad pixel table
MLINTAB s22 N/A / MAMA linearity correction table
PCTETAB s22 N/A / CTE Correction Table
DRKCFILE s22 N/A / De-trailed Dark Reference File
DARKFILE s22 N/A / dark image file name
PFLTFILE s22 N/A / pixel to pixel flat field file name
DFLTFILE s22 N/A / delta flat field file name
LFLTFILE s22 N/A / low order flat
PHOTTAB s22 N/A / Photometric throughput table
GRAPHTAB s22 N/A / the HST graph table
COMPTAB s22 N/A / the HST components table
IDCTAB s22 N/A / image distortion correction table
DGEOFILE s22 N/A / Distortion correction image
MDRIZTAB s22 N/A / MultiDrizzle parameter table
CFLTFILE s22 N/A / Coronagraphic spot image
SPOTTAB s22 N/A / Coronagraphic spot offset table
IMPHTTAB s22 N/A / Image Photometry Table
D2IMFILE s22 N/A / Column Correction Reference File
NPOLFILE s22 N/A / Non-polynomial Offsets Reference File
"""

_PATTERN = """\
# OTFR KEYWORDS
T_SGSTAR s18  / OMS calculated guide star control
# PATTERN KEYWORDS
PATTERN1 s24 NONE / primary pattern type
P1_SHAPE s18  / primary pattern shape
P1_PURPS s10  / primary pattern purpose
P1_NPTS i 0 / number of points in primary pattern
P1_PSPAC f6 0.0 / point spacing for primary pattern (arc-sec)
P1_LSPAC f6 0.0 / line spacing for primary pattern (arc-sec)
P1_ANGLE f6 0.0 / angle between sides of parallelogram patt (deg)
P1_FRAME s9  / coordinate frame of primary pattern
P1_ORINT f6 0.0 / orientation of pattern to coordinate frame (deg
P1_CENTR s3  / center pattern relative to pointing (yes/no)
PATTSTEP i 0 / position number of this point in the pattern
"""

_CCD_ENGINEERING = """\
# POST FLASH  PARAMETERS
FLASHDUR f1 0.0 / Exposure time in seconds: 0.1 to 409.5
FLASHCUR s4 OFF / Post flash current: OFF, LOW, MED, HIGH
FLASHSTA s16 NOT PERFORMED / Status: SUCCESSFUL, ABORTED, NOT PERFORMED
SHUTRPOS s5 A / Shutter position: A or B
# ENGINEERING PARAMETERS
CCDAMP s4  / CCD Amplifier Readout Configuration
CCDGAIN f1 2.0 / commanded gain of CCD
CCDOFSTA i 3 / commanded CCD bias offset for amplifier A
CCDOFSTB i 3 / commanded CCD bias offset for amplifier B
CCDOFSTC i 3 / commanded CCD bias offset for amplifier C
CCDOFSTD i 3 / commanded CCD bias offset for amplifier D
DARKTIME f6 0.0 / dark time of the exposure (seconds)
# CALIBRATED ENGINEERING PARAMETERS
ATODGNA f6 0.0 / calibrated gain for amplifier A
ATODGNB f6 0.0 / calibrated gain for amplifier B
ATODGNC f6 0.0 / calibrated gain for amplifier C
ATODGND f6 0.0 / calibrated gain for amplifier D
READNSEA f6 0.0 / calibrated read noise for amplifier A
READNSEB f6 0.0 / calibrated read noise for amplifier B
READNSEC f6 0.0 / calibrated read noise for amplifier C
READNSED f6 0.0 / calibrated read noise for amplifier D
BIASLEVA f6 0.0 / bias level for amplifier A
BIASLEVB f6 0.0 / bias level for amplifier B
BIASLEVC f6 0.0 / bias level for amplifier C
BIASLEVD f6 0.0 / bias level for amplifier D
"""

_WFC_ENGINEERING = """\
JWROTYPE s8  / readout type: DS_int or CLAMP
CTE_NAME s24  / name of CTE algorithm
CTE_VER s8  / version of CTE algorithm
"""

_ASSOCIATION = """\
# ASSOCIATION KEYWORDS
ASN_ID s10 NONE / unique identifier assigned to association
ASN_TAB s23 NONE / name of the association table
ASN_MTYP s12  / Role of the Member in the Association
"""

_CCD = _CCD_CONFIG + _CCD_SWITCHES + _PATTERN + _CCD_ENGINEERING
PRIMARY: Mapping[str, str] = {
    "WFC": _HEAD + _DESCRIPTION + _EXPOSURE + _CCD + _WFC_ENGINEERING + _ASSOCIATION,
    "HRC": _HEAD + _DESCRIPTION + _EXPOSURE + _CCD + _ASSOCIATION,
    "SBC": _HEAD + _DESCRIPTION + _EXPOSURE + _SBC_CONFIG + _SBC_SWITCHES + _PATTERN + _ASSOCIATION,
}
"""Primary header of a raw exposure, by detector."""

_EXT_HEAD = """\
INHERIT l T / inherit the primary header
EXTNAME s8  / extension name
EXTVER i 1 / extension version number
ROOTNAME s34  / rootname of the observation set
EXPNAME s25  / exposure identifier
DATAMIN g 0.0 / the minimum value of the data
DATAMAX g 0.0 / the maximum value of the data
"""

_WCS = """\
# World Coordinate System and Related Parameters
WCSAXES i 2 / number of World Coordinate System axes
CRPIX1 g 0.0 / x-coordinate of reference pixel
CRPIX2 g 0.0 / y-coordinate of reference pixel
CRVAL1 e12 150.1 / first axis value at reference pixel
CRVAL2 e12 2.2 / second axis value at reference pixel
CTYPE1 s8 RA---TAN / the coordinate type for the first axis
CTYPE2 s8 DEC--TAN / the coordinate type for the second axis
CD1_1 g 0.0 / partial of first axis coordinate w.r.t. x
CD1_2 g 0.0 / partial of first axis coordinate w.r.t. y
CD2_1 g 0.0 / partial of second axis coordinate w.r.t. x
CD2_2 g 0.0 / partial of second axis coordinate w.r.t. y
LTV1 g 0.0 / offset in X to subsection start
LTV2 g 0.0 / offset in Y to subsection start
RAW_LTV1 g 0.0 / original offset in X to subsection start
RAW_LTV2 g 0.0 / original offset in Y to subsection start
LTM1_1 g 1.0 / reciprocal of sampling rate in X
LTM2_2 g 1.0 / reciprocal of sampling rate in Y
ORIENTAT g 0.0 / position angle of image y axis (deg. e of n)
RA_APER e12 150.1 / RA of aperture reference position
DEC_APER e12 2.2 / Declination of aperture reference position
PA_APER g 0.0 / Position Angle of reference aperture center (de
VAFACTOR e12 1.0 / velocity aberration plate scale factor
"""

_SCI = """\
BUNIT s18 COUNTS / brightness units
BSCALE g 1.0 / scale factor for array value to physical value
BZERO g 32768.0 / physical value for an array value of zero
"""

_READOUT = """\
# READOUT DEFINITION PARAMETERS
CENTERA1 i 0 / subarray axis1 center pt in unbinned dect. pix
CENTERA2 i 0 / subarray axis2 center pt in unbinned dect. pix
SIZAXIS1 i 0 / subarray axis1 size in unbinned detector pixels
SIZAXIS2 i 0 / subarray axis2 size in unbinned detector pixels
BINAXIS1 i 1 / axis1 data bin size in unbinned detector pixels
BINAXIS2 i 1 / axis2 data bin size in unbinned detector pixels
# PHOTOMETRY KEYWORDS
PHOTMODE s50  / observation con
PHOTFLAM e12 0.0 / inverse sensitivity, ergs/cm2/Ang/electron
PHOTZPT f6 0.0 / ST magnitude zero point
PHOTPLAM f6 0.0 / Pivot wavelength (Angstroms)
PHOTBW f6 0.0 / RMS bandwidth of filter plus detector
"""

_REPEATED = """\
# REPEATED EXPOSURES INFO
NCOMBINE i 1 / number of image sets combined during CR rejecti
"""

_PACKET = """\
# DATA PACKET INFORMATION
FILLCNT i 0 / number of segments containing fill
ERRCNT i 0 / number of segments containing errors
PODPSFF l F / podps fill present (T/F)
STDCFFF l F / science telemetry fill data present (T=1/F=0)
STDCFFP s6 0x5569 / science telemetry fill pattern (hex)
"""

_SBC_RATE = """\
# ENGINEERING PARAMETERS
GLOBRATE f8 0.0 / global count rate
GLOBLIM s16 UNDETERMINED / was global linearity level exceeded?
MDECODT1 f4 19.0 / MAMA jMDECODT pwb temp from eng snap 1 (deg. C)
MDECODT2 f4 19.4 / MAMA JMDECODT pwb temp from eng snap 2 (deg. C)
"""

_STATISTICS = """\
# IMAGE STATISTICS AND DATA QUALITY FLAGS
NGOODPIX i 0 / number of good pixels
SDQFLAGS i 31743 / serious data quality flags
GOODMIN g 0.0 / minimum value of good pixels
GOODMAX g 0.0 / maximum value of good pixels
GOODMEAN g 0.0 / mean value of good pixels
"""

_SCI_STATISTICS = """\
SOFTERRS i 0 / number of soft error pixels (DQF=1)
SNRMIN f6 0.0 / minimum signal to noise of good pixels
SNRMAX f6 0.0 / maximum signal to noise of good pixels
SNRMEAN f6 0.0 / mean value of signal to noise of good pixels
MEANDARK f6 0.0 / average of the dark values subtracted
"""

_CCD_MEANS = """\
MEANBLEV f6 0.0 / average of all bias levels subtracted
MEANFLSH f6 0.0 / Mean number of counts in post flash exposure
"""

_CHIP = """\
CCDCHIP i 1 / CCD chip (1 or 2)
"""

_CONSTANT = """\
BUNIT s18 COUNTS / brightness units
NPIX1 i 0 / length of constant array axis 1
NPIX2 i 0 / length of constant array axis 2
PIXVALUE g 0.0 / values of pixels in constant array
"""


def _extensions(detector: str) -> Mapping[str, str]:
    head = _EXT_HEAD + (_CHIP if detector == "WFC" else "")
    counts = _PACKET + _SBC_RATE if detector == "SBC" else _REPEATED + _PACKET
    science = head + _SCI + _WCS + _READOUT + counts + _STATISTICS + _SCI_STATISTICS
    if detector != "SBC":
        science += _CCD_MEANS
    error = head + _CONSTANT + _WCS + _STATISTICS
    quality = head + _CONSTANT.replace("COUNTS", "UNITLESS").replace("PIXVALUE g 0.0", "PIXVALUE i 0") + _WCS
    return {"SCI": science, "ERR": error, "DQ": quality}


EXTENSION: Mapping[str, Mapping[str, str]] = {name: _extensions(name) for name in ("WFC", "HRC", "SBC")}
"""Extension headers of a raw exposure, by detector and EXTNAME."""

ASN = (
    """\
NEXTEND i 1 / Number of standard extensions
GROUPS l F / image is in group format
DATE s10 2026-01-01 / date this file was written (yyyy-mm-dd)
FILENAME s34  / name of file
FILETYPE s9 ASN_TABLE / type of data found in data file

TELESCOP s3 HST / telescope used to acquire data
INSTRUME s6 ACS / identifier for instrument used to acquire data
EQUINOX g 2000.0 / equinox of celestial coord. system
# DATA DESCRIPTION KEYWORDS
ROOTNAME s34  / rootname of the observation set
"""
    + _DESCRIPTION.partition("\n")[2]
    + """\
# SCIENCE INSTRUMENT CONFIGURATION
DETECTOR s3  / detector in use: WFC, HRC, or SBC
# ASSOCIATION KEYWORDS
ASN_ID s10  / unique identifier assigned to association
ASN_TAB s23  / name of the association table
ASN_STAT s12 COMPLETE / status of association (COMPLETE/INCOMPLETE)
ASN_PROD l F / product created (T/F)
"""
)
"""Primary header of an association table."""

SPT = (
    _HEAD.replace("FILETYPE s9 SCI", "FILETYPE s9 SPT").replace("NEXTEND i 3", "NEXTEND i 1")
    + _DESCRIPTION
    + """\
# SUPPORT INFORMATION
OBSERVTN s3  / observation number (base 36)
SS_DGCTR i 0 / engineering snapshot counter
"""
    + _ASSOCIATION
)
"""Primary header of a support file."""


def _parse(text: str, kind: str) -> object:
    if kind[0] == "s":
        return text
    if kind == "l":
        return text == "T"
    return int(text) if kind == "i" else float(text)


def fill(template: str, values: Mapping[str, object]) -> list[str]:
    """Return the cards of a template.

    Parameters
    ----------
    template : str
        One of the templates of this module.
    values : mapping
        Values that replace the defaults.  A keyword the template lacks is added at the end; None
        removes the keyword.

    Returns
    -------
    list of str
        Cards of 80 characters.
    """
    left = dict(values)
    cards: list[str] = []
    for line in template.splitlines():
        if not line:
            cards += section()
            continue
        if line.startswith("# "):
            cards += section(line[2:])
            continue
        definition, _, comment = line.partition(" /")
        keyword, kind, *default = definition.split(" ", 2)
        value = left.pop(keyword) if keyword in left else _parse(default[0].strip() if default else "", kind)
        if value is None:
            continue
        style = {"s": kind[1:], "f": f".{kind[1:]}f", "e": f".{kind[1:]}E"}.get(kind[0], "")
        if isinstance(value, float) and not isinstance(value, bool) and kind[0] == "s":
            style = ""
        if isinstance(value, str):
            style = kind[1:] if kind[0] == "s" else ""
        cards.append(card(keyword, value, comment.strip(), style))
    cards += [card(keyword, value) for keyword, value in left.items() if value is not None]
    return cards
