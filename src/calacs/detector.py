"""Geometry of the detectors: where an image lies on its chip, and which amplifier read which pixel.

The CCDs in the orientation of the files (row 0 at the bottom), overscan in brackets::

    WFC                                     HRC
    A [24] +--------+--------+ [24] B       A [19] +--------+--------+ [19] B
           |     chip 1      |                     |        |        |
           | EXTVER 2        |                     +     chip 1      +
    [20 virtual rows at the bottom]                |        |        |
    [20 virtual rows at the top   ]         C [19] +--------+--------+ [19] D
           |     chip 2      |                     [20 virtual rows]
           | EXTVER 1        |
    C [24] +--------+--------+ [24] D
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calacs.errors import InvalidValue, ReferenceCoarser, SizeMismatch, TableError
from calacs.exposure import ImSet
from calacs.header import Header


def nearest(value: float) -> int:
    """Nearest whole number, halves away from zero."""
    return math.trunc(value + 0.5) if value >= 0 else math.trunc(value - 0.5)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where an image lies on its detector.

    Attributes
    ----------
    shape : tuple of int
        (n_row, n_col).
    ltv, ltm : tuple of float
        LTV1, LTV2 and LTM1_1, LTM2_2: image pixel = LTM * detector pixel + LTV.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/getlt.c``, ``fromlt.c``, ``getcorner.c``.
    """

    shape: tuple[int, int]
    ltv: tuple[float, float]
    ltm: tuple[float, float]

    @classmethod
    def of(cls, header: Header, shape: tuple[int, int]) -> Geometry:
        """Read the geometry keywords of a SCI header.

        Raises
        ------
        InvalidValue
            LTM1_1 or LTM2_2 is not positive.
        """
        ltm = header.get_float("LTM1_1", 1.0), header.get_float("LTM2_2", 1.0)
        if not (ltm[0] > 0 and ltm[1] > 0):
            raise InvalidValue(f"{header.where}: (LTM1_1, LTM2_2) = {ltm} is invalid; both must be positive")
        return cls(shape, (header.get_float("LTV1", 0.0), header.get_float("LTV2", 0.0)), ltm)

    @property
    def binning(self) -> tuple[int, int]:
        """Detector pixels per image pixel along x and y."""
        return nearest(1.0 / self.ltm[0]), nearest(1.0 / self.ltm[1])

    @property
    def corner(self) -> tuple[int, int]:
        """Detector column and row of the image's first pixel; negative in the overscan."""
        x, y = (nearest((1.0 / m - 1.0) - v / m) for v, m in zip(self.ltv, self.ltm, strict=True))
        return x, y


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a reference image lies under a science image.

    Attributes
    ----------
    same : bool
        The two cover the same pixels.
    x, y : int
        Reference column and row of the first science pixel.
    ratio : tuple of int
        Relative binning along x and y.
    reference_coarser : bool
        The reference is binned more than the science image.
    """

    same: bool
    x: int = 0
    y: int = 0
    ratio: tuple[int, int] = (1, 1)
    reference_coarser: bool = False


def align(science: Geometry, reference: Geometry, *, name: str, check_rows: bool = False) -> Alignment:
    """Find a science image in a reference image.

    Parameters
    ----------
    science, reference : Geometry
        The two images.
    name : str
        What messages call the reference.
    check_rows : bool
        Whether images of the same corner but other numbers of rows count as different.

    Raises
    ------
    InvalidValue
        A pixel of one of them is less than half a detector pixel wide.
    SizeMismatch
        The binnings do not divide.
    ReferenceCoarser
        The reference is binned more than the science image (with `check_rows`).

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/findbin.c``; divisions truncate toward zero.
    """
    sci_bin, ref_bin = science.binning, reference.binning
    same_columns = science.shape[1] == reference.shape[1]
    same_rows = science.shape[0] == reference.shape[0] or not check_rows
    if science.corner == reference.corner and sci_bin == ref_bin and same_columns and same_rows:
        return Alignment(same=True)
    if 0 in (*sci_bin, *ref_bin):
        raise InvalidValue(
            f"{name}: binning {ref_bin} of the reference, {sci_bin} of the exposure: LTM1_1 and LTM2_2 must be below 2"
        )
    offset = [int((s - r) / b) for s, r, b in zip(science.corner, reference.corner, ref_bin, strict=True)]
    if ref_bin[0] > sci_bin[0] or ref_bin[1] > sci_bin[1]:
        if check_rows:
            raise ReferenceCoarser(f"{name}: the reference image is binned {ref_bin}, more than the exposure {sci_bin}")
        ratio = ref_bin[0] // sci_bin[0], ref_bin[1] // sci_bin[1]
        return Alignment(False, offset[0], offset[1], ratio, reference_coarser=True)
    if sci_bin[0] % ref_bin[0] or sci_bin[1] % ref_bin[1]:
        raise SizeMismatch(f"{name}: binning {ref_bin} does not divide the binning {sci_bin} of the exposure")
    ratio = sci_bin[0] // ref_bin[0], sci_bin[1] // ref_bin[1]
    return Alignment(False, offset[0], offset[1], ratio)


@dataclass(frozen=True, slots=True)
class Quadrants:
    """One value per amplifier quadrant of an image.

    Attributes
    ----------
    col, row : int
        First column of the right half, first row of the upper half; 0 or the image size where there is one half only.
    values : tuple of float
        Values of the quadrants lower left, lower right, upper left, upper right.
    """

    col: int
    row: int
    values: tuple[float, float, float, float]


def quadrants(
    imset: ImSet,
    detector: str,
    amp_split: tuple[int, int],
    per_amp: tuple[float, ...],
    gains: tuple[float, ...],
    what: str,
) -> Quadrants:
    """Distribute values per amplifier (gains, read noises) over the quadrants of an image.

    Parameters
    ----------
    imset : ImSet
        The image.
    detector : str
        "WFC", "HRC" or "SBC".
    amp_split : tuple of int
        AMPX and AMPY: first column and row of the second amplifier, 0 where one amplifier reads the whole axis.
    per_amp, gains : tuple of float
        Values of amplifiers A to D, 0 for unused ones; gains tell which amplifiers are used.
    what : str
        What messages call the values.

    Raises
    ------
    TableError
        The value of a quadrant is 0.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/detnsegn.c``, ``toelectrons.c``, ``donoise.c``.
    """
    n_row, n_col = imset.shape
    header = imset.header["SCI"]
    col = _border(amp_split[0], header.get_float("LTV1", 0.0), n_col)
    row = _border(amp_split[1], header.get_float("LTV2", 0.0), n_row)
    upper_left, upper_right, lower_left, lower_right = _slots(detector, imset.chip, amp_split, per_amp, gains)
    bands = [(lower_left, lower_right)] * (row > 0) + [(upper_left, upper_right)] * (row < n_row)
    for left, right in bands:
        if (col > 0 and left == 0) or (col == 0 and right == 0):
            raise TableError(
                f"{header.where}: no valid {what} for chip {imset.chip}: CCDTAB gives 0 for an amplifier that reads part of "
                "the image; check AMPX, AMPY and the values of its row"
            )
    return Quadrants(col, row, (lower_left, lower_right, upper_left, upper_right))


def _border(amp: int, ltv: float, n: int) -> int:
    border = 0 if amp == 0 else amp + max(0, math.trunc(ltv))
    return n if border >= n - ltv or border > n else border


def _slots(
    detector: str, chip: int, amp_split: tuple[int, int], per_amp: tuple[float, ...], gains: tuple[float, ...]
) -> tuple[float, ...]:
    """Values of the upper left, upper right, lower left and lower right quadrant."""
    a, b, c, d = per_amp
    if detector == "WFC" and chip == 2:
        return c, d, c, d
    if detector == "WFC" and chip == 1:
        return a, b, a, b
    if amp_split == (0, 0):
        used = next((value for value, gain in zip(per_amp, gains, strict=True) if gain > 0), 0.0)
        # The gain of the quadrants that hold no pixel is 1, their noise 0; neither is ever applied.
        return 0.0, used, 0.0, used
    if gains[0] == 0 and gains[3] == 0:
        return c, b, c, b
    if gains[1] == 0 and gains[2] == 0:
        return a, d, a, d
    return a, b, c, d


def trimmed_shape(shape: tuple[int, int], trim_x: tuple[int, int], trim_y: tuple[int, int]) -> tuple[int, int]:
    """(n_row, n_col) that remain without the overscan."""
    return shape[0] - sum(trim_y), shape[1] - sum(trim_x)


def float32(value: float) -> float:
    """Round to single precision, as a Python float."""
    return float(np.float32(value))
