"""Table references of the detectors: their rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import geometry
from .amplifiers import ccd_values
from .constants import CONSTANTS, CYCLE24, SM4
from .files import card
from .reference_kinds import PEDIGREE, Content, make_table

__all__ = ["MAKERS", "bad_pixels", "spot_shift"]

_SPOTS = (("01/06/03", 0.35, -0.6), ("20/12/03", -1.25, 0.5), ("15/03/04", 2.2, 1.75))


def spot_shift(mjd: float) -> tuple[float, float]:
    """Return the shift (x, y) of the coronagraphic spots: that of the SPOTTAB row nearest in time.

    Notes
    -----
    The pipeline compares the day of the observation at 0 h with the day of the row at noon, and
    counts each month as the next one; the dates of the table are far apart, so that only its
    choice, not its arithmetic, is needed here.
    """
    days = [(_day(date), x, y) for date, x, y in _SPOTS]
    _, dx, dy = min(days, key=lambda row: abs(np.floor(mjd) - row[0] - 0.5))
    return dx, dy


def _day(date: str) -> float:
    day, month, year = (int(part) for part in date.split("/"))
    return float((datetime.date(2000 + year, month, day) - datetime.date(1858, 11, 17)).days)


def _amplifiers(detector: str) -> Content:
    table = CONSTANTS[detector.lower()]
    amps = (
        ("ABCD", "A", "B", "C", "D", "AB", "CD", "AD", "BC")
        if detector == "WFC"
        else ("ABCD", "A", "B", "C", "D", "AB", "CD", "AD", "BC", "AC", "BD")
    )
    rows: list[tuple[Any, ...]] = []
    for ccdamp in amps:
        border = geometry.amp_border(detector, ccdamp)
        for chip in (1, 2) if detector == "WFC" else (1,):
            for gain in table["commanded_gains"]:
                values = ccd_values(detector, gain)
                for offset in range(6):
                    rows.append(
                        (
                            ccdamp, chip, gain, 1, 1, offset, offset, offset, offset,
                            *(values.bias_level[amp] for amp in "ABCD"),
                            *(values.gain[amp] for amp in "ABCD"),
                            *(values.read_noise[amp] for amp in "ABCD"),
                            *border, CONSTANTS["atod"]["saturation"], table["full_well"],
                            table["overhead_flashed"], table["overhead_unflashed"],
                            PEDIGREE, f"amplifiers {ccdamp}, simulated",
                        )
                    )  # fmt: skip
    names = (
        ["CCDAMP", "CCDCHIP", "CCDGAIN", "BINAXIS1", "BINAXIS2"]
        + [f"CCDOFST{amp}" for amp in "ABCD"]
        + [f"{stem}{amp}" for stem in ("CCDBIAS", "ATODGN", "READNSE") for amp in "ABCD"]
        + ["AMPX", "AMPY", "ATODSAT", "SATURATE", "OVRHFLS", "OVRHUFLS", "PEDIGREE", "DESCRIP"]
    )
    # As in genuine tables: the commanded gains of the WFC are real, those of the HRC integer numbers.
    gain_form = "E" if detector == "WFC" else "J"
    forms = ["4A", "I", gain_form, *"IIIIII", *"EEEEEEEEEEEE", "I", "I", "J", "E", "E", "E", "67A", "67A"]
    return [], [make_table("CCD", names, forms, rows)]


def _overscan(detector: str) -> Content:
    rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    if detector == "WFC":
        frames = list(geometry.readouts("WFC"))
        for name in geometry.APERTURES:
            for mjd in (SM4, CYCLE24):
                for amp in "AB" if name[3] == "1" else "CD":
                    if name[4] in ("-", amp):
                        frames += geometry.readouts("WFC", name, amps=amp, mjd=mjd)
    else:
        frames = [
            geometry.readouts("HRC", amps=amps)[0]
            for amps in ("A", "B", "C", "D", "AB", "CD", "AD", "BC", "AC", "BD", "ABCD")
        ]
    for frame in frames:
        left, right = frame.trim_x
        bottom, top = frame.trim_y
        # A lone trailing section must stand in the first place: CALACS takes an empty one otherwise.
        sections = [edge for pair in geometry.overscan_sections(frame) for edge in pair]
        sections += [0] * (4 - len(sections))
        virtual = (0, 0, 0, 0)
        if frame.has_virtual:
            # The drift is fitted where one amplifier reads: a step of level would pass for a slope.
            columns = left + 1, frame.regions[0].x1 if len(frame.regions) > 1 else frame.n_col - right
            virtual = (*columns, *((1, bottom) if bottom else (frame.n_row - top + 1, frame.n_row)))
        key = frame.ccdamp, frame.chip, 1, 1, frame.n_col, frame.n_row
        rows.setdefault(key, (*key, left, right, bottom, top, *virtual, *sections))
    names = [
        "CCDAMP", "CCDCHIP", "BINX", "BINY", "NX", "NY", "TRIMX1", "TRIMX2", "TRIMY1", "TRIMY2",
        "VX1", "VX2", "VY1", "VY2", "BIASSECTA1", "BIASSECTA2", "BIASSECTB1", "BIASSECTB2",
    ]  # fmt: skip
    return [], [make_table("OSC", names, ["4A", *"I" * 17], list(rows.values()))]


def bad_pixels(detector: str, rng: np.random.Generator) -> Content:
    """Return the content of a BPIXTAB."""
    n_row, n_col = geometry.chip_shape(detector, trimmed=True)
    rows = []
    for chip in (2, 1) if detector == "WFC" else (1,):
        for _ in range(400):
            axis = int(rng.integers(1, 3))
            length = int(rng.choice((1, 1, 3, 20, 300)))
            value = int(rng.choice((4, 16, 32, 64, 128, 512)))
            x, y = int(rng.integers(1, n_col + 1)), int(rng.integers(1, n_row + 1))
            rows.append(("N/A", chip, -999, x, y, length, axis, value))
    names = ["CCDAMP", "CCDCHIP", "CCDGAIN", "PIX1", "PIX2", "LENGTH", "AXIS", "VALUE"]
    sizes = [card("SIZAXIS1", n_col), card("SIZAXIS2", n_row)]
    forms = ["4A", "I", "I", "J", "J", "J", "I", "I"]
    return sizes, [make_table("BPX", names, forms, rows, sizes)]


def _converter(detector: str) -> Content:
    n = CONSTANTS["atod"]["saturation"] + 1
    values = np.arange(n, dtype=np.float32)
    rows = [(amp, 2, "EXPSTART", 52000.0, n, values) for amp in "ABCD"]
    names = ["CCDAMP", "CCDGAIN", "REF_KEY", "REF_KEY_VALUE", "NELEM", "ATOD"]
    return [], [make_table("A2D", names, ["4A", "I", "8A", "D", "J", f"{n}E"], rows)]


def _spots(detector: str) -> Content:
    rows = [(*row, PEDIGREE, "simulated") for row in _SPOTS]
    names = ["DATE", "SHIFTX", "SHIFTY", "PEDIGREE", "DESCRIP"]
    return [], [make_table("SPT", names, ["10A", "E", "E", "67A", "67A"], rows)]


def _linearity(detector: str) -> Content:
    table = CONSTANTS["sbc"]
    limits = (table["global_limit"], table["local_limit"], table["tau"], table["expand"])
    rows = [("SBC", *limits, PEDIGREE, "simulated")]
    names = ["DETECTOR", "GLOBAL_LIMIT", "LOCAL_LIMIT", "TAU", "EXPAND", "PEDIGREE", "DESCRIP"]
    return [], [make_table("LIN", names, ["8A", "D", "D", "D", "E", "67A", "67A"], rows)]


def _rejection(detector: str) -> Content:
    # As in genuine tables MEANEXP is undefined and SCALENSE is text.
    sigmas = "5,4,3" if detector == "WFC" else "6.5,5.5,4.5"
    rows = [
        (n, np.nan, "30.0", "minimum", "mode", sigmas, 2.1, 0.5555, 39, True, chip)
        for n in range(2, 9)
        for chip in ((1, 2) if detector == "WFC" else (1,))
    ]
    names = [
        "CRSPLIT", "MEANEXP", "SCALENSE", "INITGUES", "SKYSUB", "CRSIGMAS", "CRRADIUS", "CRTHRESH", "BADINPDQ",
        "CRMASK", "CCDCHIP",
    ]  # fmt: skip
    forms = ["I", "E", "8A", "8A", "4A", "20A", "E", "E", "I", "L", "I"]
    return [], [make_table("CRR", names, forms, rows)]


MAKERS: Mapping[str, Callable[[str], Content]] = {
    "CCDTAB": _amplifiers,
    "OSCNTAB": _overscan,
    "ATODTAB": _converter,
    "SPOTTAB": _spots,
    "MLINTAB": _linearity,
    "CRREJTAB": _rejection,
}
"""How to make the tables that follow from the detector alone, by header keyword."""
