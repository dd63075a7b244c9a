"""The registry of reference files: what each kind is for, what it must hold, and how its row is chosen.

Documentation, checks and the names of keyword arguments are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from calacs import reftables

CCD = ("WFC", "HRC")
ALL = ("WFC", "HRC", "SBC")


@dataclass(frozen=True, slots=True)
class RefSpec:
    """What is known about one kind of reference file.

    Attributes
    ----------
    keyword : str
        Primary keyword that names the file.
    switches : tuple of str
        Calibration switches that need it; empty for files that every run of its task needs.
    kind : str
        "image" or "table".
    detectors : tuple of str
        Detectors it exists for.
    content : str
        What it holds, with the unit.
    columns : tuple of str
        Columns that a table must have.
    row_keys : tuple of str
        Columns that choose a table's row.
    parameters : tuple of str
        Columns (of PCTETAB: keywords) whose value a caller may replace for one run.
    dummy : str
        What a PEDIGREE of DUMMY means: "skip" the step, count as "missing", "ignore" it, or the step's "own" rule.
    optional : bool
        Whether the keyword may be blank or N/A.
    origin : str
        Where official CALACS reads it.
    """

    keyword: str
    switches: tuple[str, ...]
    kind: Literal["image", "table"]
    detectors: tuple[str, ...]
    content: str
    columns: tuple[str, ...] = ()
    row_keys: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    dummy: Literal["skip", "missing", "ignore", "own"] = "skip"
    optional: bool = False
    origin: str = ""


def _columns(names: Iterable[str], keys: str) -> dict[str, Any]:
    row_keys = tuple(keys.split())
    unused = {"SATURATE", "BINAXIS1", "BINAXIS2"}
    names = tuple(names)
    return {
        "columns": names,
        "row_keys": row_keys,
        "parameters": tuple(name for name in names if name not in row_keys and name not in unused),
    }


def _flat(keyword: str, content: str) -> RefSpec:
    return RefSpec(
        keyword, ("FLATCORR",), "image", ALL, content, dummy="own", optional=True, origin="lib/acs2d/doflat.c"
    )


REGISTRY: dict[str, RefSpec] = {
    spec.keyword: spec
    for spec in (
        RefSpec(
            "CCDTAB",
            (),
            "table",
            CCD,
            "gains, read noises, bias levels of the amplifiers",
            dummy="missing",
            origin="lib/getccdtab.c",
            **_columns(reftables.CCDTAB_COLUMNS, "CCDAMP CCDCHIP CCDGAIN CCDOFSTA CCDOFSTB CCDOFSTC CCDOFSTD"),
        ),
        RefSpec(
            "OSCNTAB",
            (),
            "table",
            CCD,
            "overscan and bias sections (pixels)",
            origin="lib/acsccd/findover.c",
            **_columns(reftables.OSCNTAB_COLUMNS, "CCDAMP CCDCHIP BINX BINY NX NY"),
        ),
        RefSpec(
            "BPIXTAB",
            ("DQICORR",),
            "table",
            ALL,
            "runs of bad pixels and their flags",
            columns=tuple(reftables.BPIXTAB_COLUMNS),
            row_keys=("CCDAMP", "CCDCHIP", "CCDGAIN"),
            optional=True,
            origin="lib/dodqi.c",
        ),
        RefSpec(
            "ATODTAB", ("ATODCORR",), "table", CCD, "A-to-D conversion (never applied)", origin="lib/acsccd/doatod.c"
        ),
        RefSpec(
            "BIASFILE", ("BIASCORR",), "image", CCD, "bias structure (DN), untrimmed", origin="lib/acsccd/dobias.c"
        ),
        RefSpec(
            "SATUFILE",
            ("BIASCORR",),
            "image",
            CCD,
            "full-well saturation level (electron), untrimmed",
            dummy="ignore",
            origin="lib/acsccd/dofwsat.c",
        ),
        RefSpec(
            "SNKCFILE", ("SINKCORR",), "image", CCD, "sink pixels (electron), untrimmed", origin="lib/acsccd/dosink.c"
        ),
        RefSpec(
            "PCTETAB",
            ("PCTECORR",),
            "table",
            ("WFC",),
            "charge-transfer model (electron)",
            parameters=("PCTETLEN", "PCTENFOR", "PCTENPAR", "FIXROCR", "PCTETRSH", "PCTENSMD", "CTEDATE0", "CTEDATE1"),
            origin="lib/acscte, ctegen2",
        ),
        RefSpec(
            "MLINTAB",
            ("GLINCORR", "LFLGCORR"),
            "table",
            ("SBC",),
            "non-linearity of the count rate (count/s)",
            origin="lib/acs2d/getlintab.c",
            **_columns(reftables.MLINTAB_COLUMNS, "DETECTOR"),
        ),
        RefSpec("DARKFILE", ("DARKCORR",), "image", ALL, "dark current (electron/s)", origin="lib/acs2d/dodark.c"),
        RefSpec(
            "DRKCFILE",
            ("DARKCORR",),
            "image",
            ("WFC",),
            "dark current after CTE correction (electron/s)",
            origin="lib/acs2d/dodark.c",
        ),
        RefSpec("FLSHFILE", ("FLSHCORR",), "image", CCD, "post-flash (electron/s)", origin="lib/acs2d/doflash.c"),
        _flat("PFLTFILE", "pixel-to-pixel flat"),
        _flat("DFLTFILE", "delta flat"),
        _flat("LFLTFILE", "low-order flat"),
        RefSpec(
            "CFLTFILE",
            ("FLATCORR",),
            "image",
            ("HRC",),
            "coronagraphic spots",
            dummy="own",
            optional=True,
            origin="lib/acs2d/dospot.c",
        ),
        RefSpec(
            "SPOTTAB",
            ("FLATCORR",),
            "table",
            ("HRC",),
            "positions of the coronagraphic spots (pixel)",
            columns=tuple(reftables.SPOTTAB_COLUMNS),
            row_keys=("DATE",),
            parameters=("SHIFTX", "SHIFTY"),
            dummy="own",
            optional=True,
            origin="lib/acs2d/getspottab.c",
        ),
        RefSpec("SHADFILE", ("SHADCORR",), "image", CCD, "shutter shading (s)", origin="lib/acs2d/doshad.c"),
        RefSpec(
            "IMPHTTAB",
            ("PHOTCORR",),
            "table",
            ALL,
            "photometric zero points by observing mode",
            row_keys=("OBSMODE",),
            origin="lib/getphttab.c",
        ),
        RefSpec(
            "CRREJTAB",
            ("CRCORR", "RPTCORR"),
            "table",
            CCD,
            "cosmic-ray rejection parameters",
            row_keys=("CRSPLIT", "MEANEXP"),
            parameters=tuple(reftables.CRREJTAB_COLUMNS),
            dummy="ignore",
            origin="lib/acsrej",
        ),
    )
}
"""Every reference file of the pipeline, by keyword."""
