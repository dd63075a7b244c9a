"""What the reference files share: names and titles, random numbers, primary headers, tables made of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .files import Column, Hdu, card, primary_hdu, section, table_hdu

__all__ = ["KEYWORDS", "KINDS", "PEDIGREE", "Content", "Kind", "make_table", "primary", "stream"]

PEDIGREE = "INFLIGHT 01/01/2010 31/12/2010"
USEAFTER = "Mar 01 2002 00:00:00"

Content = tuple[list[str], list[Hdu]]
"""What a reference file holds besides its common cards: more cards of the primary header, and extensions."""


@dataclass(frozen=True)
class Kind:
    """A kind of reference file.

    Attributes
    ----------
    suffix : str
        End of the file name.
    filetype : str
        FILETYPE.
    what : str
        For DESCRIP.
    untrimmed : bool
        An image with the overscan.
    """

    suffix: str
    filetype: str
    what: str
    untrimmed: bool = False


# The order numbers the random streams: append only.
KINDS: Mapping[str, Kind] = {
    "CCDTAB": Kind("ccd", "CCD PARAMETERS", "amplifier parameters"),
    "OSCNTAB": Kind("osc", "OVERSCAN", "overscan regions"),
    "BPIXTAB": Kind("bpx", "BAD PIXELS", "bad pixels"),
    "ATODTAB": Kind("a2d", "ANALOG-TO-DIGITAL", "converter table"),
    "BIASFILE": Kind("bia", "BIAS", "superbias", untrimmed=True),
    "SATUFILE": Kind("sat", "SATURATION", "full well", untrimmed=True),
    "SNKCFILE": Kind("snk", "SINK PIXELS", "sink pixels", untrimmed=True),
    "DARKFILE": Kind("drk", "DARK", "superdark"),
    "DRKCFILE": Kind("dkc", "CTEDARK", "superdark, CTE corrected"),
    "FLSHFILE": Kind("fls", "POST FLASH", "post-flash lamp"),
    "PFLTFILE": Kind("pfl", "PIXEL-TO-PIXEL FLAT", "pixel-to-pixel flat"),
    "DFLTFILE": Kind("dfl", "DELTA FLAT", "delta flat"),
    "LFLTFILE": Kind("lfl", "LOW-ORDER FLAT", "low-order flat"),
    "CFLTFILE": Kind("cfl", "SPOT FLAT", "coronagraphic spots"),
    "SPOTTAB": Kind("csp", "CORONAGRAPHIC SPOT", "shifts of the spots"),
    "SHADFILE": Kind("shd", "SHUTTER SHADING", "shutter shading"),
    "IMPHTTAB": Kind("imp", "IMAGE PHOTOMETRY TABLE", "photometry"),
    "MLINTAB": Kind("lin", "MAMA LINEARITY", "linearity"),
    "CRREJTAB": Kind("crr", "COSMIC RAY REJECTION", "rejection parameters"),
    "PCTETAB": Kind("cte", "PIXCTE", "charge transfer efficiency"),
}
"""Kinds of reference files, by header keyword."""

KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "WFC": tuple(key for key in KINDS if key not in ("CFLTFILE", "SPOTTAB", "MLINTAB")),
    "HRC": tuple(key for key in KINDS if key not in ("SNKCFILE", "DRKCFILE", "FLSHFILE", "MLINTAB", "PCTETAB")),
    "SBC": ("BPIXTAB", "MLINTAB", "DARKFILE", "PFLTFILE", "DFLTFILE", "LFLTFILE", "IMPHTTAB"),
}
"""Reference files of each detector, by header keyword."""


def stream(seed: int, detector: str, keyword: str, part: int) -> np.random.Generator:
    """Start the random numbers of one file, or of a part of it."""
    # DARKFILE and DRKCFILE are the same dark current.
    order = list(KINDS).index("DRKCFILE" if keyword == "DARKFILE" else keyword)
    key = 1, list(KEYWORDS).index(detector), order, part
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def primary(detector: str, keyword: str, name: str, cards: Iterable[str] = ()) -> Hdu:
    """Return the primary unit of a reference file."""
    kind = KINDS[keyword]
    return primary_hdu(
        [
            card("FILENAME", name, "name of file"),
            card("FILETYPE", kind.filetype, "type of data found in data file"),
            *section(),
            card("TELESCOP", "HST", "telescope used to acquire data"),
            card("INSTRUME", "ACS", "identifier for instrument"),
            card("DETECTOR", detector, "detector in use: WFC, HRC, or SBC"),
            *section(),
            card("USEAFTER", USEAFTER, "date after which the file is valid"),
            card("PEDIGREE", PEDIGREE, "origin of the data"),
            card("DESCRIP", f"{detector} {kind.what}, simulated", "description"),
            *cards,
        ]
    )


def make_table(
    name: str, names: list[str], forms: list[str], rows: list[tuple[Any, ...]], cards: Iterable[str] = ()
) -> Hdu:
    """Return a table from its rows."""
    columns = zip(names, forms, zip(*rows, strict=True), strict=True)
    return table_hdu([Column(column, form, values) for column, form, values in columns], cards, name)
