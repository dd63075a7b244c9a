"""Small exposures whose calibration by the official acs2d is on record.

``python tests/official_acs2d.py PROGRAM`` runs the official program over the cases and records what it made in
``tests/data/official_acs2d.json``.  The exposures of `trimmed` have the same bits on every machine.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import trimmed
from official import describe

RECORD = Path(__file__).with_name("data") / "official_acs2d.json"

P = "PERFORM"
CHAIN = {"DARKCORR": P, "FLSHCORR": P, "FLATCORR": P, "SHADCORR": P, "PHOTCORR": P}
IMAGES = ("DARKFILE", "DRKCFILE", "FLSHFILE", "PFLTFILE", "SHADFILE")
WFC = {"detector": "WFC", "chips": (2, 1)}
SBC = {"DQICORR": P, "GLINCORR": P, "LFLGCORR": P, "DARKCORR": P, "FLATCORR": P, "PHOTCORR": P}
SBC |= {"FILTER1": "F115LP", "FILTER2": None, "BLEVCORR": None, "EXPTIME": 10.0}
COUNTS = {"level": 3.0, "spread": 9.0, "err": 0.0, "dq": 0}
SUB = {"sci": {"LTV1": -5.0, "LTV2": -7.0}}
BIG = {key: {"shape": (40, 52)} for key in IMAGES}
SPOTS = {
    "FLATCORR": P,
    "CFLTFILE": "cfltfile.fits",
    "SPOTTAB": "spottab.fits",
    "OBSTYPE": "CORONAGRAPHIC",
    "PHOTCORR": P,
}
DUMMY = {"primary": {"PEDIGREE": "DUMMY 2003", "DESCRIP": "stands in"}}


def case(keywords=None, refs=None, **exposure):
    return keywords or {}, refs or {}, exposure


def shading(x, y, ltv, **exposure):
    """A case with binned shading."""
    sci = {"LTM1_1": 1 / x, "LTM2_2": 1 / y, "LTV1": ltv * (x - 1) / x, "LTV2": ltv * (y - 1) / y}
    return case({"SHADCORR": P}, {"SHADFILE": {"shape": (48 // y, 64 // x), "sci": sci}}, **exposure)


def amps(name, x, y, **exposure):
    """A case in DN."""
    row = {"CCDAMP": name, "AMPX": x, "AMPY": y}
    plain = {"sci": {"BUNIT": "COUNTS"}, "err": 0.0}
    return case({"CCDAMP": name, "DARKCORR": P}, {"CCDTAB": {"rows": [row]}}, **plain | exposure)


def phot(mjd, *, extrapolate=True, **keywords):
    """A case of photometry alone."""
    return case({"PHOTCORR": P, "EXPSTART": mjd} | keywords, {"IMPHTTAB": {"primary": {"EXTRAP": extrapolate}}})


CASES = {
    "wfc": case(CHAIN, **WFC),
    "wfc_cte": case(CHAIN | {"PCTECORR": "COMPLETE"}, {"DRKCFILE": {"chips": (1, 2)}}, **WFC),
    "wfc_dn": case(CHAIN, **WFC, sci={"BUNIT": "COUNTS"}, err=0.0, dq=0),
    "hrc": case(CHAIN),
    "hrc_sub": case(CHAIN, BIG, **SUB),
    "hrc_two_flats": case(CHAIN | {"DFLTFILE": "dfltfile.fits"}),
    "hrc_some_flags": case(CHAIN, sci={"BUNIT": "ELECTRONS", "SDQFLAGS": 20, "NCOMBINE": 3}),
    "hrc_zero_flat": case({"FLATCORR": P}, {"PFLTFILE": {"level": 0.01, "spread": 0.16}}),
    "hrc_aborted": case({"FLSHCORR": P, "FLASHSTA": "ABORTED"}),
    "hrc_no_exposure": case(CHAIN | {"EXPTIME": 0.0}),
    "hrc_dqi": case({"DQICORR": P}),
    "hrc_dqi_no_table": case({"DQICORR": P, "BPIXTAB": "N/A"}),
    "hrc_dqi_no_row": case({"DQICORR": P}, {"BPIXTAB": {"rows": [("ANY", 2, -1, 4, 3, 5, 1, 16)]}}),
    "hrc_dqi_dummy": case({"DQICORR": P, "DARKCORR": P}, {"BPIXTAB": DUMMY}),
    "hrc_dummies": case(CHAIN, {"DARKFILE": DUMMY, "FLSHFILE": DUMMY, "PFLTFILE": DUMMY, "IMPHTTAB": DUMMY}),
    "hrc_dummy_flat": case(CHAIN | {"DFLTFILE": "dfltfile.fits"}, {"PFLTFILE": DUMMY}),
    "hrc_all_bad": case(CHAIN, dq=16),
    "hrc_no_errors": case({"PHOTCORR": P}, err=-1.0),
    "hrc_bias": case({"DARKCORR": P, "TARGNAME": "BIAS"}, err=0.0),
    "hrc_rate": case({"DARKCORR": P}, sci={"BUNIT": "ELECTRONS/S"}),
    "hrc_lower_case": case({"DARKCORR": P}, sci={"BUNIT": "electrons"}),
    "hrc_binned_exposure": case(CHAIN, BIG, shape=(12, 12), sci={"LTM1_1": 0.5, "LTM2_2": 0.5}),
    **{
        f"amps_{name}": amps(name, x, y)
        for name, x, y in (("ABCD", 15, 12), ("BC", 15, 0), ("AD", 15, 0), ("AB", 15, 0), ("C", 0, 0), ("D", 0, 0))
    },
    "amps_sub": amps("ABCD", 15, 12, shape=(15, 20), sci={"BUNIT": "COUNTS", "LTV1": -4.0, "LTV2": -3.0}),
    **{
        f"shading_{x}x{y}_{ltv:g}": shading(x, y, ltv, shape=(48, 64))
        for x, y, ltv in ((8, 8, 1.0), (4, 1, 1.0), (1, 4, 1.0), (8, 4, 0.5), (2, 2, 0.5))
    },
    "shading_sub": shading(4, 4, 1.0, shape=(16, 20), sci={"LTV1": -5.0, "LTV2": -9.0, "NCOMBINE": 2}),
    "spots_sub": case(SPOTS, {"CFLTFILE": {"shape": (40, 52)}, "PFLTFILE": {"shape": (40, 52)}}, **SUB),
    "spots_twice": case(
        SPOTS | {"DFLTFILE": "dfltfile.fits"},
        {"CFLTFILE": {"shape": (40, 52)}, "PFLTFILE": {"shape": (40, 52)}, "DFLTFILE": {"shape": (40, 52)}},
        **SUB,
    ),
    "spots_without_table": case(SPOTS | {"SPOTTAB": "N/A"}),
    "spots_full": case(SPOTS, {"SPOTTAB": {"rows": [("26/12/03", 3.25, 2.5)]}}),
    **{f"phot_{mjd:g}": phot(mjd) for mjd in (52334.0, 53919.5, 54976.5, 59214.0, 52000.0, 60000.0, 0.0)},
    "phot_not_extrapolated": phot(60000.0, extrapolate=False, FILTER1="F606W"),
    "phot_scalar": phot(53000.0, FILTER1="F555W"),
    "phot_ramp": phot(53000.0, FILTER1="FR656N", LRFWAVE=6350.25),
    "phot_ramp_late": phot(60000.0, FILTER1="FR656N", LRFWAVE=6848.0),
    "phot_ramp_outside": phot(53000.0, FILTER1="FR656N", LRFWAVE=6848.5),
    "phot_ramp_missing": phot(53000.0, FILTER1="FR656N"),
    "phot_ramp_zero": phot(53000.0, FILTER1="FR656N", LRFWAVE=0.0),
    "phot_ramp_long": phot(53000.0, FILTER1="FR656N", LRFWAVE=10123.0),
    "phot_polarizer": phot(53000.0, FILTER1="F606W", FILTER2="POL0UV"),
    "phot_no_filter_name": phot(53000.0, FILTER1="", FILTER2="F606W"),
    "sbc": case(SBC, detector="SBC", **COUNTS),
    "sbc_fast": case(SBC, detector="SBC", **COUNTS, sci={"GLOBRATE": 1e6}),
    "sbc_no_rate": case(SBC, detector="SBC", **COUNTS, sci={"GLOBRATE": 0.0}),
    "sbc_correction_alone": case(SBC | {"LFLGCORR": "OMIT"}, detector="SBC", **COUNTS),
    "sbc_flags_alone": case(SBC | {"GLINCORR": "COMPLETE"}, {"MLINTAB": {"expand": 3.2}}, detector="SBC", **COUNTS),
    "sbc_dummy_row": case(SBC, {"MLINTAB": {"pedigree": "DUMMY"}}, detector="SBC", **COUNTS),
    "sbc_dummies": case(SBC, {"MLINTAB": DUMMY, "BPIXTAB": DUMMY}, detector="SBC", **COUNTS),
}


def make(name):
    """HDUs of a case: the exposure, and its reference files by keyword."""
    keywords, options, exposure = CASES[name]
    chips, detector = exposure.get("chips", (1,)), exposure.get("detector", "HRC")
    refs = trimmed.references(used=trimmed.NAMES, chips=chips, detector=detector, **options)
    return trimmed.science(keywords=keywords, **exposure), refs


def write(name, folder):
    """Write a case; the path of the exposure."""
    suffix = "_raw" if name.startswith("sbc") else "_blc_tmp" if name.endswith("cte") else "_blv_tmp"
    return trimmed.write_all(folder, f"x{suffix}.fits", *make(name))


def digests(source, product):
    """Digest of the cards and of the data of each unit."""
    return [[unit["cards"], unit["data"]] for unit in describe(source, product)]


def record(program):
    """Run the official program over all cases."""
    result = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            source = write(name, Path(folder))
            environment = os.environ | {"TZ": "UTC"}
            subprocess.run([program, "-q", source.name, "x_out.fits"], cwd=folder, check=True, env=environment)
            result[name] = digests(source, Path(folder) / "x_out.fits")
    lines = (f" {json.dumps(name)}: {json.dumps(found)}" for name, found in result.items())
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]).resolve())
