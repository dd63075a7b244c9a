"""Complete sets of reference files, in the formats of the real ones.

A set belongs to one detector and one seed.  Its images are computed when they are first needed:
the simulator applies them to an exposure, and `ReferenceSet.write` puts them into a folder where
the pipeline finds them.

References
----------
Formats: CALACS behavior (columns, units, geometry) and genuine STScI tables.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import geometry
from .constants import CONSTANTS, CYCLE24, SM4
from .files import Column, Hdu, card, constant_hdu, image_hdu, primary_hdu, section, table_hdu, write

__all__ = ["CcdValues", "Plane", "ReferenceSet", "write_references"]

Float = NDArray[np.float32]
Short = NDArray[np.int16]

PEDIGREE = "INFLIGHT 01/01/2010 31/12/2010"
USEAFTER = "Mar 01 2002 00:00:00"

_SUFFIX = {
    "CCDTAB": "ccd",
    "OSCNTAB": "osc",
    "BPIXTAB": "bpx",
    "ATODTAB": "a2d",
    "BIASFILE": "bia",
    "SATUFILE": "sat",
    "SNKCFILE": "snk",
    "DARKFILE": "drk",
    "DRKCFILE": "dkc",
    "FLSHFILE": "fls",
    "PFLTFILE": "pfl",
    "DFLTFILE": "dfl",
    "LFLTFILE": "lfl",
    "CFLTFILE": "cfl",
    "SPOTTAB": "csp",
    "SHADFILE": "shd",
    "IMPHTTAB": "imp",
    "MLINTAB": "lin",
    "CRREJTAB": "crr",
    "PCTETAB": "cte",
}
_TITLES = {
    "CCDTAB": ("CCD PARAMETERS", "amplifier parameters"),
    "OSCNTAB": ("OVERSCAN", "overscan regions"),
    "BPIXTAB": ("BAD PIXELS", "bad pixels"),
    "ATODTAB": ("ANALOG-TO-DIGITAL", "converter table"),
    "BIASFILE": ("BIAS", "superbias"),
    "SATUFILE": ("SATURATION", "full well"),
    "SNKCFILE": ("SINK PIXELS", "sink pixels"),
    "DARKFILE": ("DARK", "superdark"),
    "DRKCFILE": ("CTEDARK", "superdark, CTE corrected"),
    "FLSHFILE": ("POST FLASH", "post-flash lamp"),
    "PFLTFILE": ("PIXEL-TO-PIXEL FLAT", "pixel-to-pixel flat"),
    "DFLTFILE": ("DELTA FLAT", "delta flat"),
    "LFLTFILE": ("LOW-ORDER FLAT", "low-order flat"),
    "CFLTFILE": ("SPOT FLAT", "coronagraphic spots"),
    "SPOTTAB": ("CORONAGRAPHIC SPOT", "shifts of the spots"),
    "SHADFILE": ("SHUTTER SHADING", "shutter shading"),
    "IMPHTTAB": ("IMAGE PHOTOMETRY TABLE", "photometry"),
    "MLINTAB": ("MAMA LINEARITY", "linearity"),
    "CRREJTAB": ("COSMIC RAY REJECTION", "rejection parameters"),
    "PCTETAB": ("PIXCTE", "charge transfer efficiency"),
}
_IMAGES = (
    "BIASFILE", "SATUFILE", "SNKCFILE", "DARKFILE", "DRKCFILE", "FLSHFILE",
    "PFLTFILE", "DFLTFILE", "LFLTFILE", "CFLTFILE", "SHADFILE",
)  # fmt: skip
_UNTRIMMED = ("BIASFILE", "SATUFILE", "SNKCFILE")
KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "WFC": tuple(key for key in _SUFFIX if key not in ("CFLTFILE", "SPOTTAB", "MLINTAB")),
    "HRC": tuple(key for key in _SUFFIX if key not in ("SNKCFILE", "DRKCFILE", "FLSHFILE", "MLINTAB", "PCTETAB")),
    "SBC": ("BPIXTAB", "MLINTAB", "DARKFILE", "PFLTFILE", "DFLTFILE", "LFLTFILE", "IMPHTTAB"),
}
"""Reference files of each detector, by header keyword."""

# Filter, PHOTFLAM, PHOTPLAM, PHOTBW.  WFC: IMPHTTAB 08b18470j (genuine).  HRC and SBC: ACS Data Handbook, rounded.
_FILTERS: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "WFC": (
        ("f435w", 3.1717949e-19, 4329.83, 298.954),
        ("f475w", 1.8369779e-19, 4746.96, 420.145),
        ("f502n", 5.2808188e-18, 5023.01, 28.658),
        ("f550m", 4.0053855e-19, 5581.47, 163.115),
        ("f555w", 1.9712732e-19, 5361.01, 360.111),
        ("f606w", 7.8462814e-20, 5921.66, 672.422),
        ("f625w", 1.1934248e-19, 6311.72, 415.424),
        ("f658n", 1.9803144e-18, 6583.95, 36.843),
        ("f660n", 5.1820062e-18, 6599.43, 34.943),
        ("f775w", 1.0008399e-19, 7693.30, 434.530),
        ("f814w", 7.0804500e-20, 8045.62, 653.327),
        ("f850lp", 1.5254389e-19, 9033.62, 525.746),
        ("f892n", 1.5070770e-18, 8914.83, 72.102),
        ("g800l", 4.9165359e-20, 7471.78, 1040.922),
    ),
    "HRC": (
        ("f220w", 8.11e-18, 2255.5, 187.29),
        ("f250w", 4.72e-18, 2715.9, 239.41),
        ("f330w", 2.24e-18, 3362.7, 173.75),
        ("f435w", 5.39e-19, 4310.9, 310.10),
        ("f475w", 2.94e-19, 4775.7, 420.25),
        ("f555w", 3.02e-19, 5356.0, 360.23),
        ("f606w", 1.29e-19, 5887.9, 666.79),
        ("f775w", 1.96e-19, 7665.1, 440.39),
        ("f814w", 1.27e-19, 8115.3, 703.24),
        ("f850lp", 2.25e-19, 9145.2, 539.47),
    ),
    "SBC": (
        ("f115lp", 2.21e-18, 1406.2, 92.66),
        ("f122m", 9.97e-18, 1273.8, 47.28),
        ("f125lp", 1.74e-18, 1438.2, 84.45),
        ("f140lp", 2.71e-18, 1527.2, 78.66),
        ("f150lp", 3.30e-18, 1610.7, 70.15),
        ("f165lp", 6.97e-18, 1757.6, 55.33),
    ),
}
_SPOTS = (("01/06/03", 0.35, -0.6), ("20/12/03", -1.25, 0.5), ("15/03/04", 2.2, 1.75))
_RAMPS = (
    ("fr423n", 4049.0, 4420.0),
    ("fr656n", 6274.0, 6848.0),
    ("fr782n", 7413.0, 8091.0),
    ("fr853n", 8158.0, 8905.0),
)
_MJD = (52334.0, 53919.0, 53920.0, 54976.0, 54977.0, 59214.0)


@dataclass(frozen=True)
class Plane:
    """One chip of a reference image; `err` and `dq` are single values where the plane is constant."""

    sci: Float
    err: Float | float
    dq: Short | int


@dataclass(frozen=True)
class CcdValues:
    """Amplifier parameters at one commanded gain.

    Attributes
    ----------
    gain : mapping of str to float
        electron / DN, as the table holds them (float32).
    read_noise : mapping of str to float
        electron.
    bias_level : mapping of str to float
        DN.
    """

    gain: Mapping[str, float]
    read_noise: Mapping[str, float]
    bias_level: Mapping[str, float]


def ccd_values(detector: str, ccdgain: float) -> CcdValues:
    """Return the amplifier parameters of a CCD at a commanded gain."""
    table = CONSTANTS[detector.lower()]
    if not any(abs(ccdgain - value) < 1e-6 for value in table["commanded_gains"]):
        raise ValueError(f"{detector} has no commanded gain {ccdgain}; choose from {table['commanded_gains']}")
    scale = ccdgain / 2.0
    return CcdValues(
        {amp: float(np.float32(value * scale)) for amp, value in table["gain"].items()},
        dict(table["read_noise"]),
        {amp: float(np.float32(value)) for amp, value in table["bias_level"].items()},
    )


def _day(date: str) -> float:
    day, month, year = (int(part) for part in date.split("/"))
    return float((datetime.date(2000 + year, month, day) - datetime.date(1858, 11, 17)).days)


def _smooth(shape: tuple[int, int], rng: np.random.Generator, amplitude: float) -> Float:
    # Product of two slow waves a axis: cheap, separable, without edges.
    out = np.zeros(shape, np.float32)
    y = np.linspace(0.0, 1.0, shape[0])
    x = np.linspace(0.0, 1.0, shape[1])
    for _ in range(3):
        ky, kx, py, px = rng.uniform(0.3, 1.6, 4) * (1.0, 1.0, 4.0, 4.0)
        wave_y = np.cos(np.pi * (ky * y + py)).astype(np.float32)
        wave_x = np.cos(np.pi * (kx * x + px)).astype(np.float32)
        out += np.float32(amplitude / 3.0) * wave_y[:, None] * wave_x
    return out


def _pick(shape: tuple[int, int], fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    size = shape[0] * shape[1]
    return np.unique(rng.integers(0, size, int(rng.poisson(fraction * size))))


class ReferenceSet:
    """The reference files of one detector.

    Parameters
    ----------
    detector : {"WFC", "HRC", "SBC"}
    seed : int
        Everything in the files follows from it.
    prefix : str
        Beginning of the file names; ``sim<detector>`` by default.
    cte_generation : {3, 2}
        Format of the PCTETAB.

    Examples
    --------
    >>> refs = ReferenceSet("HRC", seed=4)
    >>> refs.names["CCDTAB"]
    'simhrc_ccd.fits'
    """

    def __init__(self, detector: str, *, seed: int = 0, prefix: str = "", cte_generation: int = 3) -> None:
        if detector not in KEYWORDS:
            raise ValueError(f"detector {detector!r} is not one of WFC, HRC, SBC")
        if cte_generation not in (2, 3):
            raise ValueError(f"cte_generation {cte_generation} is not 2 or 3")
        self.detector = detector
        self.seed = seed
        self.cte_generation = cte_generation
        stem = prefix or f"sim{detector.lower()}"
        self.names: Mapping[str, str] = {key: f"{stem}_{_SUFFIX[key]}.fits" for key in KEYWORDS[detector]}
        """File name of each reference, by header keyword."""
        self.chips: tuple[int, ...] = (2, 1) if detector == "WFC" else (1,)
        self._planes: dict[tuple[str, int], Plane] = {}

    def __repr__(self) -> str:
        return f"ReferenceSet({self.detector!r}, seed={self.seed})"

    def header_values(self, folder: str = "jref$") -> dict[str, str]:
        """Return header keyword to name, each with `folder` in front (``jref$`` or a path with its slash)."""
        return {key: folder + name for key, name in self.names.items()}

    def image(self, keyword: str, chip: int = 1) -> Plane:
        """Return one chip of an image reference.

        Parameters
        ----------
        keyword : str
            BIASFILE, DARKFILE, ...
        chip : int
            CCDCHIP.

        Returns
        -------
        Plane
            Untrimmed for BIASFILE (DN), SATUFILE (electron), SNKCFILE (codes), else trimmed.
        """
        if keyword not in _IMAGES or keyword not in self.names:
            raise KeyError(f"{self.detector} has no reference image {keyword}")
        key = keyword, chip
        if key not in self._planes:
            shape = geometry.chip_shape(self.detector, trimmed=keyword not in _UNTRIMMED)
            # DARKFILE and DRKCFILE, DFLTFILE and the others: a stream of random numbers each.
            stream = "DRKCFILE" if keyword == "DARKFILE" else keyword
            order = list(_SUFFIX).index(stream)
            rng = self._stream(order, chip)
            self._planes[key] = getattr(self, f"_{_SUFFIX[keyword]}")(shape, chip, rng)
        return self._planes[key]

    def traps(self, kind: str, amp: str) -> dict[str, NDArray[Any]]:
        """Return the usable levels of the PCTETAB for one direction.

        Parameters
        ----------
        kind : {"parallel", "serial"}
        amp : str
            Amplifier; the parallel direction has one set for all.

        Returns
        -------
        dict
            As `cte_profile`, without padding levels and beyond the length of the trail.
        """
        version = 1 if kind == "parallel" else 2 + "ABCD".index(amp)
        values = cte_profile(kind, self.seed, version)
        n_level = int(np.count_nonzero(values["level"] < 999999))
        n_tail = CONSTANTS["cte"][kind]["length"]
        for name in ("level", "charge"):
            values[name] = values[name][:n_level]
        for name in ("release", "remaining"):
            values[name] = values[name][:n_level, :n_tail]
        return values

    def _stream(self, order: int, part: int) -> np.random.Generator:
        key = 1, list(KEYWORDS).index(self.detector), order, part
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def spot_shift(self, mjd: float) -> tuple[float, float]:
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

    def forget(self) -> None:
        """Drop the computed images (some 70 MB each for the WFC)."""
        self._planes.clear()

    # Images

    def _bia(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["bias"]
        sci = rng.standard_normal(shape, np.float32)
        sci *= np.float32(table["pixel_rms"])
        sci += (table["column_rms"] * rng.standard_normal(shape[1])).astype(np.float32)
        sci += (table["gradient"] * (np.linspace(-0.5, 0.5, shape[0]) ** 2)).astype(np.float32)[:, None]
        dq = np.zeros(shape, np.int16)
        illuminated = geometry.readouts(self.detector)[0 if chip == self.chips[0] else 1]
        rows, cols = illuminated.illuminated
        for col in rng.integers(cols.start, cols.stop, table["bad_columns"]):
            first = int(rng.integers(rows.start, rows.stop))
            sci[first : rows.stop, col] += np.float32(rng.uniform(1.0, 6.0))
            dq[first : rows.stop, col] |= 128
        return Plane(sci, float(np.float32(table["error"])), dq)

    def _sat(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        well = CONSTANTS[self.detector.lower()]["full_well"]
        return Plane(np.float32(well) * (1 + _smooth(shape, rng, 0.03)), 0.0, 0)

    def _snk(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["sink"]
        thresholds = np.array(table["thresholds"], np.float32)
        sci = np.zeros(shape, np.float32)
        frame = next(item for item in geometry.readouts(self.detector) if item.chip == chip)
        rows, cols = frame.illuminated
        n = int(rng.poisson(1e-6 * table["per_million"] * shape[0] * shape[1]))
        margin = thresholds.size + 2
        y = rng.integers(rows.start + margin, rows.stop - margin, n)
        x = rng.integers(cols.start, cols.stop, n)
        depth = rng.uniform(table["depth"][0], table["depth"][1], n).round().astype(np.float32)
        away = 1 if chip == 2 or self.detector == "HRC" else -1
        # Later sinks overwrite earlier ones; a sink that lost its own pixel is no sink.
        for step, threshold in enumerate(thresholds, 1):
            sci[y + away * step, x] = threshold
        sci[y - away, x] = -1.0
        sci[y, x] = -depth
        return Plane(sci, 0.0, 0)

    def _dkc(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["dark"]
        own = CONSTANTS[self.detector.lower()]
        sci = np.float32(own["dark_rate"]) * (1 + _smooth(shape, rng, 0.1))
        dq = np.zeros(shape, np.int16)
        hot = _pick(shape, own["hot_fraction"], rng)
        low, high = table["hot_range"]
        # The number of hot pixels falls like the inverse square of their rate.
        u = rng.random(hot.size)
        rate = (1.0 / (1.0 / low - u * (1.0 / low - 1.0 / high))).astype(np.float32)
        sci.flat[hot] += rate
        dq.flat[hot] = np.where(rate >= table["hot_limit"], 16, 64)
        return Plane(sci, float(np.float32(table["error"])), dq)

    def _drk(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        if self.detector == "SBC":
            return Plane(np.full(shape, CONSTANTS["sbc"]["dark_rate"], np.float32), 0.0, 0)
        clean = self._dkc(shape, chip, rng)
        if self.detector == "HRC":
            return clean
        # The same dark current as the charge transfer leaves it: a little of each hot pixel in its trail.
        excess = clean.sci - np.float32(CONSTANTS["wfc"]["dark_rate"])
        lost = np.float32(CONSTANTS["dark"]["trail"]) * excess
        sci = clean.sci - lost
        for step in range(1, 5):
            share = np.float32(2.0 ** (-step) / 0.9375)
            if chip == 2:
                sci[step:] += share * lost[:-step]
            else:
                sci[:-step] += share * lost[step:]
        return Plane(sci, clean.err, clean.dq)

    def _fls(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["flash"]
        return Plane(np.float32(table["rate"]) * (1 + _smooth(shape, rng, 0.25)), float(np.float32(table["error"])), 0)

    def _pfl(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["flat"]
        sci = rng.standard_normal(shape, np.float32)
        sci *= np.float32(table["pixel_rms"])
        sci += np.float32(1.0)
        sci += _smooth(shape, rng, table["large_scale"])
        dq = np.zeros(shape, np.int16)
        dead = _pick(shape, 1e-6 * table["dead_per_million"], rng)
        sci.flat[dead] *= rng.uniform(0.3, 0.7, dead.size).astype(np.float32)
        dq.flat[dead] = 512
        return Plane(sci, float(np.float32(table["error"])), dq)

    def _dfl(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        return Plane(1 + _smooth(shape, rng, 0.01), float(np.float32(CONSTANTS["flat"]["error"])), 0)

    _lfl = _dfl

    def _cfl(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["spots"]
        sci = np.ones(shape, np.float32)
        radius = int(2.5 * table["radius"])
        for y, x in zip(
            rng.integers(radius, shape[0] - radius, table["count"]),
            rng.integers(radius, shape[1] - radius, table["count"]),
            strict=True,
        ):
            box = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1])
            dip = 1.0 - table["depth"] / (1.0 + np.exp(0.8 * (box - table["radius"])))
            sci[y - radius : y + radius + 1, x - radius : x + radius + 1] *= dip.astype(np.float32)
        return Plane(sci, float(np.float32(CONSTANTS["flat"]["error"])), 0)

    def _shd(self, shape: tuple[int, int], chip: int, rng: np.random.Generator) -> Plane:
        table = CONSTANTS["shading"]
        return Plane(np.float32(table["time"]) * (1 + _smooth(shape, rng, 0.3)), float(np.float32(table["error"])), 0)

    # Tables

    def _primary(self, keyword: str, cards: Iterable[str] = ()) -> Hdu:
        filetype, what = _TITLES[keyword]
        return primary_hdu(
            [
                card("FILENAME", self.names[keyword], "name of file"),
                card("FILETYPE", filetype, "type of data found in data file"),
                *section(),
                card("TELESCOP", "HST", "telescope used to acquire data"),
                card("INSTRUME", "ACS", "identifier for instrument"),
                card("DETECTOR", self.detector, "detector in use: WFC, HRC, or SBC"),
                *section(),
                card("USEAFTER", USEAFTER, "date after which the file is valid"),
                card("PEDIGREE", PEDIGREE, "origin of the data"),
                card("DESCRIP", f"{self.detector} {what}, simulated", "description"),
                *cards,
            ]
        )

    def _table_ccd(self) -> list[Hdu]:
        table = CONSTANTS[self.detector.lower()]
        amps = (
            ("ABCD", "A", "B", "C", "D", "AB", "CD", "AD", "BC")
            if self.detector == "WFC"
            else ("ABCD", "A", "B", "C", "D", "AB", "CD", "AD", "BC", "AC", "BD")
        )
        rows: list[tuple[Any, ...]] = []
        for ccdamp in amps:
            border = geometry.amp_border(self.detector, ccdamp)
            for chip in (1, 2) if self.detector == "WFC" else (1,):
                for gain in table["commanded_gains"]:
                    values = ccd_values(self.detector, gain)
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
        gain_form = "E" if self.detector == "WFC" else "J"
        forms = ["4A", "I", gain_form, *"IIIIII", *"EEEEEEEEEEEE", "I", "I", "J", "E", "E", "E", "67A", "67A"]
        return [self._primary("CCDTAB"), _table("CCD", names, forms, rows)]

    def _table_osc(self) -> list[Hdu]:
        rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        if self.detector == "WFC":
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
        return [self._primary("OSCNTAB"), _table("OSC", names, ["4A", *"I" * 17], list(rows.values()))]

    def _table_bpx(self) -> list[Hdu]:
        rng = self._stream(list(_SUFFIX).index("BPIXTAB"), 0)
        n_row, n_col = geometry.chip_shape(self.detector, trimmed=True)
        rows = []
        for chip in self.chips:
            for _ in range(400):
                axis = int(rng.integers(1, 3))
                length = int(rng.choice((1, 1, 3, 20, 300)))
                value = int(rng.choice((4, 16, 32, 64, 128, 512)))
                x, y = int(rng.integers(1, n_col + 1)), int(rng.integers(1, n_row + 1))
                rows.append(("N/A", chip, -999, x, y, length, axis, value))
        names = ["CCDAMP", "CCDCHIP", "CCDGAIN", "PIX1", "PIX2", "LENGTH", "AXIS", "VALUE"]
        sizes = [card("SIZAXIS1", n_col), card("SIZAXIS2", n_row)]
        forms = ["4A", "I", "I", "J", "J", "J", "I", "I"]
        return [self._primary("BPIXTAB", sizes), _table("BPX", names, forms, rows, sizes)]

    def _table_a2d(self) -> list[Hdu]:
        n = CONSTANTS["atod"]["saturation"] + 1
        values = np.arange(n, dtype=np.float32)
        rows = [(amp, 2, "EXPSTART", 52000.0, n, values) for amp in "ABCD"]
        names = ["CCDAMP", "CCDGAIN", "REF_KEY", "REF_KEY_VALUE", "NELEM", "ATOD"]
        return [self._primary("ATODTAB"), _table("A2D", names, ["4A", "I", "8A", "D", "J", f"{n}E"], rows)]

    def _table_csp(self) -> list[Hdu]:
        rows = [(*row, PEDIGREE, "simulated") for row in _SPOTS]
        names = ["DATE", "SHIFTX", "SHIFTY", "PEDIGREE", "DESCRIP"]
        return [self._primary("SPOTTAB"), _table("SPT", names, ["10A", "E", "E", "67A", "67A"], rows)]

    def _table_lin(self) -> list[Hdu]:
        table = CONSTANTS["sbc"]
        limits = (table["global_limit"], table["local_limit"], table["tau"], table["expand"])
        rows = [("SBC", *limits, PEDIGREE, "simulated")]
        names = ["DETECTOR", "GLOBAL_LIMIT", "LOCAL_LIMIT", "TAU", "EXPAND", "PEDIGREE", "DESCRIP"]
        return [self._primary("MLINTAB"), _table("LIN", names, ["8A", "D", "D", "D", "E", "67A", "67A"], rows)]

    def _table_crr(self) -> list[Hdu]:
        # As in genuine tables MEANEXP is undefined and SCALENSE is text.
        sigmas = "5,4,3" if self.detector == "WFC" else "6.5,5.5,4.5"
        rows = [
            (n, np.nan, "30.0", "minimum", "mode", sigmas, 2.1, 0.5555, 39, True, chip)
            for n in range(2, 9)
            for chip in ((1, 2) if self.detector == "WFC" else (1,))
        ]
        names = [
            "CRSPLIT", "MEANEXP", "SCALENSE", "INITGUES", "SKYSUB", "CRSIGMAS", "CRRADIUS", "CRTHRESH", "BADINPDQ",
            "CRMASK", "CCDCHIP",
        ]  # fmt: skip
        forms = ["I", "E", "8A", "8A", "4A", "20A", "E", "E", "I", "L", "I"]
        return [self._primary("CRREJTAB"), _table("CRR", names, forms, rows)]

    def _table_imp(self) -> list[Hdu]:
        # Sensitivity falls by a tenth of a percent a year; the steps are the two changes of temperature.
        loss = 1 + 2.7e-6 * (np.array(_MJD) - _MJD[0]) + np.array([0, 0, 0.018, 0.018, 0.018, 0.018])
        channel = {"WFC": "acs,wfc1", "HRC": "acs,hrc", "SBC": "acs,sbc"}[self.detector]
        epoch = "MJD#"
        rows: list[tuple[str, int, str, list[float], NDArray[np.float64]]] = []
        for name, *values in _FILTERS[self.detector]:
            rows.append((f"{channel},{name}", 0, "", values, np.zeros(0)))
            rows.append((f"{channel},{name},{epoch}", 1, epoch, values, np.zeros(0)))
            if self.detector != "SBC":
                for polarizer, factor in (("pol_v", 3.0), ("pol_uv", 2.2)):
                    dimmed = [factor * values[0], *values[1:]]
                    rows.append((f"{channel},{name},{polarizer},{epoch}", 1, epoch, dimmed, np.zeros(0)))
            if self.detector == "HRC":
                rows.append((f"{channel},coron,{name},{epoch}", 1, epoch, [1.9 * values[0], *values[1:]], np.zeros(0)))
        if self.detector == "WFC":
            for name, low, high in _RAMPS:
                grid = np.linspace(low, high, 11)
                center = [4.5e-18, 0.5 * (low + high), 50.0]
                rows.append((f"{channel},{name}#", 1, f"{name.upper()}#", center, grid))
                rows.append((f"{channel},{name}#,{epoch}", 2, f"{name.upper()}#", center, grid))
        hdus = [
            self._primary(
                "IMPHTTAB",
                [
                    card("NEXTEND", 3, "number of extensions"),
                    card("PHOTZPT", -21.1, "photometric zero point"),
                    card("PARNUM", 2, "number of parametrized variables"),
                    card("EXTRAP", True, "extrapolation of MJD# allowed"),
                ],
            )
        ]
        empty = np.zeros(1)
        for number, kind in enumerate(("PHOTFLAM", "PHOTPLAM", "PHOTBW")):
            table: list[tuple[Any, ...]] = []
            drift = loss if kind == "PHOTFLAM" else 1 + 1e-3 * (loss - 1)
            for mode, n_par, parameter, center, grid in rows:
                value = center[number]
                one = two = par1 = par2 = empty
                along = value * (1 + 0.4 * (grid - grid.mean()) / grid.mean()) if grid.size else value * np.ones(1)
                if kind == "PHOTPLAM" and grid.size:
                    along = grid + 0.7
                if n_par == 1:
                    par1 = grid if grid.size else np.array(_MJD)
                    one = along if grid.size else value * drift
                elif n_par == 2:
                    par1, par2 = grid, np.array(_MJD)
                    two = np.outer(drift, along).ravel()
                scalar = value if n_par == 0 else 0.0
                column = kind + (str(n_par) if n_par else "")
                table.append(
                    (
                        mode, column, scalar, one, two, parameter, epoch if n_par == 2 else "", par1, par2,
                        par1.size if n_par else 0, par2.size if n_par == 2 else 0, PEDIGREE, "simulated",
                    )
                )  # fmt: skip
            names = [
                "OBSMODE", "DATACOL", kind, f"{kind}1", f"{kind}2", "PAR1NAMES", "PAR2NAMES",
                "PAR1VALUES", "PAR2VALUES", "NELEM1", "NELEM2", "PEDIGREE", "DESCRIP",
            ]  # fmt: skip
            forms = ["40A", "12A", "D", "PD", "PD", "8A", "8A", "PD", "PD", "I", "I", "30A", "110A"]
            hdus.append(_table(kind, names, forms, table))
        return hdus

    def _table_cte(self) -> list[Hdu]:
        table = CONSTANTS["cte"]
        common = [
            card("PCTERNOI", table["read_noise"], "read noise of the smoothing (electrons)"),
            card("PCTENSMD", 0, "read noise model"),
            card("PCTETRSH", table["threshold"], "over-subtraction threshold"),
            card("FIXROCR", 1, "fix readout cosmic rays"),
        ]
        if self.cte_generation == 2:
            dates = _cte_cards("parallel")
            primary = [card("NEXTEND", 4), card("CTE_NAME", "PixelCTE 2017"), card("CTE_VER", "1.2"), *common, *dates]
            return [self._primary("PCTETAB", primary), *self._cte_set("parallel", 1, "", [])]
        hdus = [
            self._primary(
                "PCTETAB",
                [card("NEXTEND", 20), card("CTE_NAME", "Par/Serial PixelCTE 2023"), card("CTE_VER", "3.0"), *common],
            )
        ]
        for version, (kind, amp) in enumerate(
            (("parallel", ""), ("serial", "A"), ("serial", "B"), ("serial", "C"), ("serial", "D")), 1
        ):
            cards = [*_cte_cards(kind), *([card("CCDAMP", amp)] if amp else [])]
            hdus += self._cte_set(kind, version, amp, cards)
        return hdus

    def _cte_set(self, kind: str, version: int, amp: str, cards: list[str]) -> list[Hdu]:
        values = cte_profile(kind, self.seed, version)
        n_level, n_column = values["level"].size, values["scale"].shape[1]
        qprof = table_hdu(
            [
                Column("W", "I", np.arange(1, n_level + 1)),
                Column("QLEV_Q", "J", values["level"]),
                Column("DPDE_W", "E", values["charge"]),
                Column("DESCRIP", "20A", ["simulated"] * n_level),
            ],
            cards, "QPROF", version,
        )  # fmt: skip
        nodes = ("SENS_0512", "SENS_1024", "SENS_1536", "SENS_2048")
        scale = table_hdu(
            [
                Column("IZ", "I", np.arange(n_column)),
                *(Column(node, "E", values["scale"][index]) for index, node in enumerate(nodes)),
                Column("DESCRIP", "20A", ["simulated"] * n_column),
            ],
            cards, "SCLBYCOL", version,
        )  # fmt: skip
        # The first axis of the images is the level, the second the distance from the capture.
        return [
            qprof,
            scale,
            image_hdu(values["release"].T, cards, "RPROF", version),
            image_hdu(values["remaining"].T, cards, "CPROF", version),
        ]

    # Files

    def hdus(self, keyword: str) -> list[Hdu]:
        """Return the HDUs of one reference file."""
        if keyword not in self.names:
            raise KeyError(f"{self.detector} has no reference {keyword}; it has {', '.join(self.names)}")
        if keyword not in _IMAGES:
            tables: list[Hdu] = getattr(self, f"_table_{_SUFFIX[keyword]}")()
            return tables
        extras: dict[str, list[str]] = {
            "BIASFILE": [card("CCDAMP", "ABCD"), card("CCDGAIN", 2.0)],
            "DARKFILE": [card("EXPTIME", 1.0)],
            "DRKCFILE": [card("EXPTIME", 1.0)],
            "FLSHFILE": [card("FLASHCUR", "LOW")],
        }
        single = keyword == "SNKCFILE"
        n_extension = len(self.chips) * (1 if single else 3)
        count = card("NEXTEND", n_extension, "number of extensions")
        hdus = [self._primary(keyword, [count, *extras.get(keyword, [])])]
        for version, chip in enumerate(self.chips, 1):
            plane = self.image(keyword, chip)
            offset = geometry.full_chip_offset(self.detector, chip) if keyword in _UNTRIMMED else (0, 0)
            cards = [
                card("CCDCHIP", chip, "CCD chip"),
                card("LTV1", float(offset[0]), "offset in X to subsection start"),
                card("LTV2", float(offset[1]), "offset in Y to subsection start"),
                card("LTM1_1", 1.0, "reciprocal of sampling rate in X"),
                card("LTM2_2", 1.0, "reciprocal of sampling rate in Y"),
                card("BINAXIS1", 1),
                card("BINAXIS2", 1),
            ]
            shape = plane.sci.shape
            hdus.append(image_hdu(plane.sci, cards, "SCI", version))
            if single:
                continue
            for name, values in (("ERR", plane.err), ("DQ", plane.dq)):
                if isinstance(values, np.ndarray):
                    hdus.append(image_hdu(values, cards, name, version))
                else:
                    hdus.append(constant_hdu(values, (shape[0], shape[1]), cards, name, version))
        return hdus

    def write(
        self, folder: str | os.PathLike[str], keywords: Iterable[str] | None = None, *, overwrite: bool = False
    ) -> dict[str, Path]:
        """Write the set, or some files of it.

        Parameters
        ----------
        folder : path
            Made if it does not exist.
        keywords : iterable of str, optional
            Header keywords; all by default.
        overwrite : bool
            Replace files that exist.

        Returns
        -------
        dict
            Header keyword to path.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return {
            keyword: write(target / self.names[keyword], self.hdus(keyword), overwrite=overwrite)
            for keyword in (self.names if keywords is None else keywords)
        }


def _table(
    name: str, names: list[str], forms: list[str], rows: list[tuple[Any, ...]], cards: Iterable[str] = ()
) -> Hdu:
    columns = zip(names, forms, zip(*rows, strict=True), strict=True)
    return table_hdu([Column(column, form, values) for column, form, values in columns], cards, name)


def _cte_cards(kind: str) -> list[str]:
    table = CONSTANTS["cte"]
    return [
        card("CTEDATE0", table["date0"], "date of instrument installation (MJD)"),
        card("CTEDATE1", table["date1"], "date of the model (MJD)"),
        card("PCTETLEN", table[kind]["length"], "length of the trail"),
        card("PCTENFOR", table[kind]["n_forward"], "iterations of the inversion"),
        card("PCTENPAR", table[kind]["n_parallel"], "steps of a transfer"),
    ]


def cte_profile(kind: str, seed: int, version: int) -> dict[str, NDArray[Any]]:
    """Return the trap profile of one direction.

    Parameters
    ----------
    kind : {"parallel", "serial"}
    seed, version : int
        The scatter of the columns follows from them.

    Returns
    -------
    dict
        ``level`` (9999, electron), ``charge`` (9999, electron), ``scale`` (4, 8192), ``release`` and
        ``remaining`` (9999, 100).

    Notes
    -----
    The number of traps that a packet of q electrons meets grows like the square root of q.
    """
    table = CONSTANTS["cte"]
    own = table[kind]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, list(_SUFFIX).index("PCTETAB"), version)))
    n_level, n_tail = 9999, 100
    w = np.arange(1, n_level + 1, dtype=float)
    level = np.minimum(np.floor((w / own["per_root_electron"]) ** 2), 999999.0).astype(np.int32)
    k = np.arange(1, n_tail + 1, dtype=float)
    speed = 1.0 + 0.5 * np.exp(-w / 300.0)[:, None]
    release = np.exp(-k / (2.0 * speed)) + 0.25 * np.exp(-k / 12.0)
    release[:, own["length"] :] = 0.0
    release /= release.sum(axis=1, keepdims=True)
    remaining = 1.0 - np.cumsum(release, axis=1)
    remaining[remaining < 1e-7] = 0.0
    scale = 1.0 + table["scatter"] * rng.standard_normal((4, 8192))
    return {
        "level": level,
        "charge": np.ones(n_level, np.float32),
        "scale": scale.astype(np.float32),
        "release": release.astype(np.float32),
        "remaining": remaining.astype(np.float32),
    }


def write_references(
    folder: str | os.PathLike[str],
    detectors: Iterable[str] = ("WFC", "HRC", "SBC"),
    *,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, dict[str, Path]]:
    """Write the complete sets of several detectors into one folder.

    Returns
    -------
    dict
        Detector to header keyword to path.
    """
    return {name: ReferenceSet(name, seed=seed).write(folder, overwrite=overwrite) for name in detectors}
