"""Readouts: which pixels of which chip are read by which amplifier.

::

    WFC chip 1   A | B      HRC   A | B       overscan columns on both sides of a full frame,
                 -----            -----       virtual rows on the side away from the amplifiers
    WFC chip 2   C | D            C | D

Coordinates are zero-based; a *corner* is the detector pixel (trimmed frame, no overscan) of the
first illuminated pixel.

References
----------
CALACS file conventions (raw geometries), ACS Instrument Handbook (subarrays).
"""

from __future__ import annotations

from dataclasses import dataclass

from .constants import CONSTANTS, CYCLE24, SM4

__all__ = ["APERTURES", "Readout", "amp_border", "aperture_names", "readouts"]


@dataclass(frozen=True)
class Region:
    """Part of the untrimmed frame that one amplifier reads: ``[y0:y1, x0:x1]``."""

    amp: str
    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices (rows, columns) of the untrimmed frame."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True)
class Readout:
    """Geometry of one image set of a raw exposure.

    Attributes
    ----------
    detector : str
    aperture : str
    extver, chip : int
    ccdamp : str
        CCDAMP of the exposure (all amplifiers in use).
    n_row, n_col : int
        Untrimmed size.
    trim_x, trim_y : tuple of int
        Overscan columns (left, right) and rows (bottom, top).
    corner : tuple of int
        (x, y) of the first illuminated pixel on the chip.
    regions : tuple of Region
        The amplifiers' parts of the untrimmed frame; they cover it.
    subarray : bool
    """

    detector: str
    aperture: str
    extver: int
    chip: int
    ccdamp: str
    n_row: int
    n_col: int
    trim_x: tuple[int, int]
    trim_y: tuple[int, int]
    corner: tuple[int, int]
    regions: tuple[Region, ...]
    subarray: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Untrimmed shape (rows, columns)."""
        return self.n_row, self.n_col

    @property
    def trimmed_shape(self) -> tuple[int, int]:
        """Shape (rows, columns) without overscan."""
        return self.n_row - sum(self.trim_y), self.n_col - sum(self.trim_x)

    @property
    def illuminated(self) -> tuple[slice, slice]:
        """Slices of the illuminated part of the untrimmed frame."""
        return (
            slice(self.trim_y[0], self.n_row - self.trim_y[1]),
            slice(self.trim_x[0], self.n_col - self.trim_x[1]),
        )

    @property
    def on_chip(self) -> tuple[slice, slice]:
        """Slices of the illuminated part in a trimmed full-chip image."""
        rows, cols = self.trimmed_shape
        return slice(self.corner[1], self.corner[1] + rows), slice(self.corner[0], self.corner[0] + cols)

    @property
    def ltv(self) -> tuple[int, int]:
        """LTV1, LTV2 of the untrimmed frame."""
        return self.trim_x[0] - self.corner[0], self.trim_y[0] - self.corner[1]

    @property
    def has_overscan(self) -> bool:
        """True if there are overscan columns."""
        return any(self.trim_x)

    @property
    def has_virtual(self) -> bool:
        """True if there are virtual rows."""
        return any(self.trim_y)

    def on_reference(self) -> tuple[slice, slice]:
        """Slices of the untrimmed frame in an untrimmed full-chip reference image."""
        left, bottom = full_chip_offset(self.detector, self.chip)
        x0, y0 = left - self.ltv[0], bottom - self.ltv[1]
        return slice(y0, y0 + self.n_row), slice(x0, x0 + self.n_col)


def full_chip_offset(detector: str, chip: int) -> tuple[int, int]:
    """Return LTV1, LTV2 of the untrimmed full chip."""
    if detector == "SBC":
        return 0, 0
    table = CONSTANTS[detector.lower()]
    return table["trim_x"][0], table["n_virtual"] if detector == "WFC" and chip == 1 else 0


def chip_shape(detector: str, *, trimmed: bool) -> tuple[int, int]:
    """Return (rows, columns) of a full chip."""
    table = CONSTANTS[detector.lower()]
    if detector == "SBC" or not trimmed:
        return table["n_row"], table["n_col"]
    return table["n_row"] - table["n_virtual"], table["n_col"] - sum(table["trim_x"])


@dataclass(frozen=True)
class Aperture:
    """A subarray that lies in the corner of its amplifier: size of the illuminated part."""

    chip: int
    amp: str
    width: int
    height: int
    overscan: int = 24
    virtual: bool = False
    skip: int = 0


def _apertures() -> dict[str, tuple[Aperture, Aperture]]:
    # (before Cycle 24, since Cycle 24).  The old format had 22 overscan columns, no virtual rows and not the
    # outermost row of the chip; names that begin with WFC1A ... exist in the new format only, the general
    # ones (WFC1-512 ...) in the old format only.
    table: dict[str, tuple[Aperture, Aperture]] = {}
    for chip, amp in ((1, "A"), (1, "B"), (2, "C"), (2, "D")):
        for name, height in (("512", 512), ("1K", 1024), ("2K", 2048)):
            new = Aperture(chip, amp, 2048, height, virtual=height == 2048)
            table[f"WFC{chip}{amp}-{name}"] = (new, new)
    for name, chip, amp, size in (
        ("WFC1-512", 1, "B", 512),
        ("WFC1-1K", 1, "B", 1024),
        ("WFC1-2K", 1, "B", 2046),
        ("WFC2-2K", 2, "C", 2046),
        ("WFC2-512", 2, "C", 512),
        ("WFC2-1K", 2, "C", 1024),
    ):
        old = Aperture(chip, amp, size, size, overscan=22, skip=1)
        table[name] = (old, old)
    quadrants = {"WFC1-IRAMPQ": "B", "WFC1-MRAMPQ": "A", "WFC2-MRAMPQ": "C", "WFC2-ORAMPQ": "D"}
    for polarizer in ("POL0UV", "POL60UV", "POL120UV", "POL0V", "POL60V", "POL120V"):
        quadrants |= {f"WFC1-{polarizer}": "A", f"WFC2-{polarizer}": "D"}
    for name, amp in quadrants.items():
        chip = int(name[3])
        table[name] = (
            Aperture(chip, amp, 2046, 2046, overscan=22, skip=1),
            Aperture(chip, amp, 2048, 2048, virtual=True),
        )
    for name, amp in (("WFC1-SMFL", "A"), ("WFC2-SMFL", "D")):
        chip = int(name[3])
        table[name] = (
            Aperture(chip, amp, 1024, 1024, overscan=22, skip=1),
            Aperture(chip, amp, 2048, 1024),
        )
    return table


APERTURES = _apertures()
"""Corner subarrays of the WFC by name: (format before Cycle 24, format since)."""

FULL_APERTURES = {
    "WFC": ("WFC", "WFC1", "WFC2", "WFCENTER", "WFC-FIX", "WFC1-FIX", "WFC2-FIX", "WFC1-CTE"),
    "HRC": ("HRC", "HRC-FIX", "HRC-CORON1.8", "HRC-OCCULT0.8", "HRC-ACQ"),
    "SBC": ("SBC", "SBC-FIX"),
}


def aperture_names(detector: str) -> tuple[str, ...]:
    """Return the aperture names the simulator knows."""
    return FULL_APERTURES[detector] + (tuple(APERTURES) if detector == "WFC" else ())


def bias_shift_apertures() -> frozenset[str]:
    """Return the subarrays for which the pipeline corrects the bias shift.

    References
    ----------
    CALACS acsccd/dobiasshift.c; the frame must have virtual rows as well.
    """
    return frozenset(
        name
        for name in APERTURES
        if name in ("WFC1A-2K", "WFC1B-2K", "WFC2C-2K", "WFC2D-2K") or "RAMPQ" in name or "-POL" in name
    )


def overhead_apertures() -> frozenset[str]:
    """Return the subarrays whose dark time includes the overhead (CALACS acsccd/dodarktime.c)."""
    others = ("WFC1-IRAMPQ", "WFC1-MRAMPQ", "WFC2-ORAMPQ", "WFC1-SMFL")
    return frozenset(name for name in APERTURES if name[4] in "ABCD" or name.startswith("WFC1-POL") or name in others)


def has_overhead(aperture: str, mjd: float, *, subarray: bool) -> bool:
    """Return True if the dark current collects during the overhead as well as during DARKTIME."""
    if not subarray:
        return mjd >= SM4
    return mjd >= CYCLE24 and aperture in overhead_apertures()


def amp_border(detector: str, ccdamp: str) -> tuple[int, int]:
    """Return AMPX, AMPY: first column and row of the second amplifier, trimmed coordinates.

    AMPX of a lone WFC amplifier is the width of the frame or zero, by the side it reads from.
    """
    letters = set(ccdamp)
    if detector == "WFC":
        if len(ccdamp) == 1:
            return (4144, 0) if ccdamp in "AC" else (0, 0)
        return 2048, 0
    if len(ccdamp) == 1:
        return 0, 0
    rows, cols = chip_shape("HRC", trimmed=True)
    n_row, n_col = chip_shape("HRC", trimmed=False)
    x = cols // 2 if letters & set("AC") and letters & set("BD") else (n_col if letters <= set("AC") else 0)
    if letters <= set("AB") or letters in ({"A", "D"}, {"B", "C"}):
        return x, 0
    return x, n_row if letters <= set("CD") else rows // 2


def _split(detector: str, chip: int, ccdamp: str, n_row: int, n_col: int, left: int) -> tuple[Region, ...]:
    if detector == "WFC":
        amps = [amp for amp in ("AB" if chip == 1 else "CD") if amp in ccdamp]
        if len(amps) < 2:
            return (Region(amps[0] if amps else ccdamp[0], 0, n_row, 0, n_col),)
        half = left + 2048
        return Region(amps[0], 0, n_row, 0, half), Region(amps[1], 0, n_row, half, n_col)
    if len(ccdamp) == 1:
        return (Region(ccdamp, 0, n_row, 0, n_col),)
    border_x, border_y = amp_border(detector, ccdamp)
    x, y = min(border_x + left if border_x else 0, n_col), min(border_y, n_row)
    lower, upper = ("C", "D"), ("A", "B")
    if set(ccdamp) == {"A", "D"}:
        upper = ("A", "D")
    elif set(ccdamp) == {"B", "C"}:
        upper = ("C", "B")
    boxes = [
        (lower[0], 0, y, 0, x),
        (lower[1], 0, y, x, n_col),
        (upper[0], y, n_row, 0, x),
        (upper[1], y, n_row, x, n_col),
    ]
    return tuple(Region(*box) for box in boxes if box[2] > box[1] and box[4] > box[3])


def _corner_subarray(name: str, aperture: Aperture, amp: str) -> Readout:
    amp = amp or aperture.amp
    chip = 1 if amp in "AB" else 2
    rows, cols = chip_shape("WFC", trimmed=True)
    virtual = CONSTANTS["wfc"]["n_virtual"] if aperture.virtual else 0
    left, bottom = amp in "AC", amp in "CD"
    corner = (0 if left else cols - aperture.width, aperture.skip if bottom else rows - aperture.height - aperture.skip)
    n_row, n_col = aperture.height + virtual, aperture.width + aperture.overscan
    return Readout(
        "WFC", name, 1, chip, amp, n_row, n_col,
        (aperture.overscan, 0) if left else (0, aperture.overscan),
        (0, virtual) if bottom else (virtual, 0),
        corner, (Region(amp, 0, n_row, 0, n_col),), True,
    )  # fmt: skip


def readouts(
    detector: str,
    aperture: str = "",
    *,
    amps: str = "",
    mjd: float = CYCLE24,
    subarray: tuple[int, int, int, int] | None = None,
    chip: int = 0,
) -> tuple[Readout, ...]:
    """Return the image sets of an exposure.

    Parameters
    ----------
    detector : {"WFC", "HRC", "SBC"}
    aperture : str
        Aperture name; the detector's full frame by default.
    amps : str
        CCDAMP; by default ABCD (WFC), the aperture's amplifier (WFC subarray), C (HRC).
    mjd : float
        Epoch; the format of a WFC subarray depends on it.
    subarray : (x, y, n_col, n_row), optional
        A frame without overscan anywhere on the chip, read by one amplifier.
    chip : int
        Chip of such a frame; by default that of `amps`.

    Raises
    ------
    ValueError
        Unknown detector, aperture or amplifiers, or a frame that leaves the chip.
    """
    if detector not in FULL_APERTURES:
        raise ValueError(f"detector {detector!r} is not one of WFC, HRC, SBC")
    name = aperture or {"WFC": "WFCENTER", "HRC": "HRC", "SBC": "SBC"}[detector]
    if name not in aperture_names(detector):
        raise ValueError(f"{detector} has no aperture {name!r}; known: {', '.join(aperture_names(detector))}")
    if any(letter not in "ABCD" for letter in amps) or len(set(amps)) != len(amps):
        raise ValueError(f"amps {amps!r} must be different letters of ABCD")
    if detector == "SBC":
        n_row, n_col = chip_shape("SBC", trimmed=True)
        return (Readout("SBC", name, 1, 1, "", n_row, n_col, (0, 0), (0, 0), (0, 0), (), False),)
    if subarray is not None:
        amp = amps or ("C" if detector == "HRC" or chip == 2 else "B")
        x, y, n_col, n_row = subarray
        rows, cols = chip_shape(detector, trimmed=True)
        if min(x, y) < 0 or min(n_col, n_row) < 1 or x + n_col > cols or y + n_row > rows:
            raise ValueError(f"subarray {subarray} leaves the {cols} x {rows} chip")
        if len(amp) != 1:
            raise ValueError(f"a subarray is read by one amplifier, not {amp!r}")
        number = (1 if amp in "AB" else 2) if detector == "WFC" else 1
        region = Region(amp, 0, n_row, 0, n_col)
        return (Readout(detector, name, 1, number, amp, n_row, n_col, (0, 0), (0, 0), (x, y), (region,), True),)
    if name in APERTURES:
        if len(amps) > 1:
            raise ValueError(f"subarray {name} is read by one amplifier, not {amps!r}")
        return (_corner_subarray(name, APERTURES[name][mjd >= CYCLE24], amps),)
    table = CONSTANTS[detector.lower()]
    trim_x, virtual = (table["trim_x"][0], table["trim_x"][1]), table["n_virtual"]
    ccdamp = amps or {"WFC": "ABCD", "HRC": "C"}[detector]
    if detector == "WFC" and ccdamp != "ABCD":
        raise ValueError(f"a WFC full frame is read by ABCD, not {ccdamp!r}")
    if len(ccdamp) == 3:
        raise ValueError(f"the HRC is read by one, two or four amplifiers, not {ccdamp!r}")
    chips = ((1, 2), (2, 1)) if detector == "WFC" else ((1, 1),)
    return tuple(
        Readout(
            detector, name, extver, number, ccdamp, table["n_row"], table["n_col"], trim_x,
            (virtual, 0) if detector == "WFC" and number == 1 else (0, virtual), (0, 0),
            _split(detector, number, ccdamp, table["n_row"], table["n_col"], trim_x[0]), False,
        )
        for extver, number in chips
    )  # fmt: skip


def overscan_sections(frame: Readout) -> tuple[tuple[int, int], ...]:
    """Return the columns of the bias sections, one-based and inclusive: leading, trailing."""
    if not frame.has_overscan:
        return ()
    table = CONSTANTS[frame.detector.lower()]
    first, last = table["overscan_columns"]
    left, right = frame.trim_x
    sections = []
    if left:
        lost = table["trim_x"][0] - left
        sections.append((first - lost, last - lost))
    if right:
        start = frame.n_col - right + (2 if frame.detector == "HRC" else 1)
        sections.append((start, start + last - first))
    return tuple(sections)
