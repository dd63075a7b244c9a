"""Rows of the reference tables that a calibration uses, as frozen dataclasses.

Wildcards stand in the table, never in the header: text ``ANY`` (``N/A`` too for amplifiers in BPIXTAB), numbers -1 and
-999 (HSTCAL ``pkg/acs/include/acswild.h``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs.errors import RowNotFound, TableError
from calacs.fits import Table
from calacs.observation import AMPS, Observation

WILDCARDS = (-1, -999)

CCDTAB_COLUMNS = (
    "CCDAMP CCDCHIP CCDGAIN BINAXIS1 BINAXIS2 CCDOFSTA CCDOFSTB CCDOFSTC CCDOFSTD CCDBIASA CCDBIASB CCDBIASC "
    "CCDBIASD ATODGNA ATODGNB ATODGNC ATODGND READNSEA READNSEB READNSEC READNSED AMPX AMPY ATODSAT SATURATE "
    "OVRHFLS OVRHUFLS"
).split()
OSCNTAB_COLUMNS = (
    "CCDAMP CCDCHIP BINX BINY NX NY TRIMX1 TRIMX2 TRIMY1 TRIMY2 VX1 VX2 VY1 VY2 BIASSECTA1 BIASSECTA2 BIASSECTB1 "
    "BIASSECTB2"
).split()
BPIXTAB_COLUMNS = "CCDCHIP PIX1 PIX2 LENGTH AXIS VALUE".split()
MLINTAB_COLUMNS = "DETECTOR GLOBAL_LIMIT LOCAL_LIMIT TAU EXPAND".split()
CRREJTAB_COLUMNS = "SCALENSE INITGUES SKYSUB CRSIGMAS CRRADIUS CRTHRESH BADINPDQ CRMASK".split()
SPOTTAB_COLUMNS = "DATE SHIFTX SHIFTY".split()

VIRTUAL_LINES = 20
"""Number of virtual overscan lines of WFC formats that have them (``pkg/acs/lib/acsccd/findover.c``)."""


def _amp_matches(table: Table, column: str, row: int, amps: str) -> bool:
    return table.text(column, row) in ("ANY", amps)


def _gain_matches(table: Table, row: int, gain: float) -> bool:
    return _gain_fits(table["CCDGAIN"][row], gain, is_integer=table.is_integer("CCDGAIN"))


def _gain_fits(value: Any, gain: float, *, is_integer: bool) -> bool:
    """Integer columns are compared with the truncated gain, all others in single precision."""
    if is_integer:
        return int(value) in WILDCARDS or int(value) == math.trunc(gain)
    return float(np.float32(value)) in (*WILDCARDS, gain)


def _each(column: NDArray[Any], matches: Callable[[Any], bool]) -> NDArray[np.bool_]:
    """Whether each value of a long column matches; there are few different ones."""
    values = column.tolist()
    known = {value: matches(value) for value in set(values)}
    return np.array([known[value] for value in values], bool)


def _int_matches(table: Table, column: str, row: int, wanted: int) -> bool:
    value = int(table[column][row])
    return value in WILDCARDS or value == wanted


@dataclass(frozen=True, slots=True)
class RowText:
    """PEDIGREE and DESCRIP of a table row, empty where the table has no such columns."""

    number: int
    pedigree: str = ""
    descrip: str = ""

    @classmethod
    def of(cls, table: Table, row: int) -> RowText:
        """Read the text columns of a row; `number` counts from 1."""
        pedigree, descrip = (table.text(name, row) if name in table else "" for name in ("PEDIGREE", "DESCRIP"))
        return cls(row + 1, pedigree, descrip)


@dataclass(frozen=True, slots=True)
class CcdParams:
    """One row of CCDTAB.

    Attributes
    ----------
    gain : tuple of float
        Gains of amplifiers A to D in electron/DN; 0 for amplifiers that were not used.
    read_noise : tuple of float
        Read noises in electron, likewise.
    bias : tuple of float
        Default bias levels in DN, likewise.
    amp_x, amp_y : int
        First column and row of the second amplifier, without overscan; 0 where one amplifier reads the whole axis.
    atod_saturation : int
        DN at which the A-to-D converter saturates.
    overhead_flashed, overhead_unflashed : float
        Time between the end of the exposure and the readout, in seconds, with and without post-flash.
    """

    gain: tuple[float, float, float, float]
    read_noise: tuple[float, float, float, float]
    bias: tuple[float, float, float, float]
    amp_x: int
    amp_y: int
    atod_saturation: int
    overhead_flashed: float
    overhead_unflashed: float
    row: RowText


def ccd_params(table: Table, observation: Observation, chip: int, n_col: int) -> CcdParams:
    """Choose the CCDTAB row of an exposure: the first that matches.

    Parameters
    ----------
    table : Table
        CCDTAB.
    observation : Observation
        The exposure.
    chip, n_col : int
        Chip number and width of the image (AMPX is limited to it).

    Raises
    ------
    RowNotFound
        No row has the exposure's CCDAMP, CCDGAIN, CCDCHIP and CCDOFSTA to D.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/getccdtab.c``.  BINAXIS1 and BINAXIS2 are not compared.
    """
    for row in range(table.n_row):
        if (
            _amp_matches(table, "CCDAMP", row, observation.ccdamp)
            and _gain_matches(table, row, observation.ccdgain)
            and _int_matches(table, "CCDCHIP", row, chip)
            and all(_int_matches(table, f"CCDOFST{a}", row, o) for a, o in zip(AMPS, observation.ccdofst, strict=True))
        ):
            break
    else:
        raise RowNotFound(
            f"CCDTAB {table.source}: no row for CCDAMP={observation.ccdamp!r} CCDGAIN={observation.ccdgain:g} CCDCHIP={chip} "
            f"CCDOFSTA-D={observation.ccdofst} ({table.n_row} rows searched); use the table of this exposure's epoch"
        )

    def per_amp(prefix: str) -> tuple[float, float, float, float]:
        a, b, c, d = (float(np.float32(table[prefix + amp][row])) if amp in observation.ccdamp else 0.0 for amp in AMPS)
        return a, b, c, d

    return CcdParams(
        gain=per_amp("ATODGN"),
        read_noise=per_amp("READNSE"),
        bias=per_amp("CCDBIAS"),
        amp_x=min(int(table["AMPX"][row]), n_col),
        amp_y=int(table["AMPY"][row]),
        atod_saturation=int(table["ATODSAT"][row]),
        overhead_flashed=float(np.float32(table["OVRHFLS"][row])),
        overhead_unflashed=float(np.float32(table["OVRHUFLS"][row])),
        row=RowText.of(table, row),
    )


@dataclass(frozen=True, slots=True)
class Overscan:
    """One row of OSCNTAB; all positions are zero-based and inclusive.

    Attributes
    ----------
    trim_x, trim_y : tuple of int
        Columns to cut at the left and right, rows to cut at the bottom and top.
    virtual_x, virtual_y : tuple of int
        First and last column and row of the virtual overscan; -1 where the table says 0 (none).
    section_a, section_b : tuple of int
        First and last column of the leading and trailing bias section; -1 likewise.
    """

    trim_x: tuple[int, int]
    trim_y: tuple[int, int]
    virtual_x: tuple[int, int]
    virtual_y: tuple[int, int]
    section_a: tuple[int, int]
    section_b: tuple[int, int]
    row: RowText

    @property
    def has_virtual_lines(self) -> bool:
        """Whether the format has the virtual overscan that the bias-shift correction needs."""
        return VIRTUAL_LINES in self.trim_y


def overscan(table: Table, observation: Observation, chip: int, shape: tuple[int, int]) -> Overscan | None:
    """Choose the OSCNTAB row of an untrimmed image: the first that matches, or None.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsccd/findover.c``.
    """
    wanted = {"CCDCHIP": chip, "BINX": 1, "BINY": 1, "NX": shape[1], "NY": shape[0]}
    for row in range(table.n_row):
        if _amp_matches(table, "CCDAMP", row, observation.ccdamp) and all(
            _int_matches(table, column, row, value) for column, value in wanted.items()
        ):
            break
    else:
        return None

    def pair(prefix: str, shift: int) -> tuple[int, int]:
        return int(table[prefix + "1"][row]) - shift, int(table[prefix + "2"][row]) - shift

    return Overscan(
        trim_x=pair("TRIMX", 0),
        trim_y=pair("TRIMY", 0),
        virtual_x=pair("VX", 1),
        virtual_y=pair("VY", 1),
        section_a=pair("BIASSECTA", 1),
        section_b=pair("BIASSECTB", 1),
        row=RowText.of(table, row),
    )


def bad_pixel_runs(table: Table, observation: Observation, chip: int) -> NDArray[np.int32]:
    """Runs of bad pixels that apply to an exposure.

    Returns
    -------
    ndarray of int32, shape (n_run, 5)
        PIX1, PIX2 (one-based, in the trimmed frame of the whole chip), LENGTH, AXIS (1 along x, 2 along y), VALUE.

    Raises
    ------
    TableError
        A row has LENGTH < 1 or an AXIS other than 1 and 2.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/dodqi.c``.  A table without CCDGAIN matches every gain.
    """
    length, axis = table["LENGTH"].astype(np.int64), table["AXIS"].astype(np.int64)
    wrong = np.flatnonzero((length < 1) | ((axis != 1) & (axis != 2)))
    if wrong.size:
        row = int(wrong[0])
        raise TableError(
            f"BPIXTAB {table.source}: row {row + 1}: LENGTH={length[row]} AXIS={axis[row]} is invalid; LENGTH must be at "
            "least 1 and AXIS 1 or 2"
        )
    chosen = np.isin(table["CCDCHIP"], [*WILDCARDS, chip])
    if "CCDAMP" in table:
        chosen &= _each(table["CCDAMP"], lambda text: text.rstrip(" \0") in ("ANY", "N/A", observation.ccdamp))
    if "CCDGAIN" in table:
        matches = partial(_gain_fits, gain=observation.ccdgain, is_integer=table.is_integer("CCDGAIN"))
        chosen &= _each(table["CCDGAIN"], matches)
    columns = [table[name][chosen].astype(np.int32) for name in ("PIX1", "PIX2", "LENGTH", "AXIS", "VALUE")]
    return np.ascontiguousarray(np.stack(columns, axis=1)) if chosen.any() else np.zeros((0, 5), np.int32)


@dataclass(frozen=True, slots=True)
class LinearityParams:
    """One row of MLINTAB.

    Attributes
    ----------
    global_limit : float
        Count rate of the whole detector that can be corrected, in count/s.
    local_limit : float
        Count rate above which a pixel is flagged, in count/s.
    tau : float
        Time constant in s.
    expand : float
        Radius around such a pixel that is flagged too, in pixels.
    """

    global_limit: float
    local_limit: float
    tau: float
    expand: float
    row: RowText


def linearity(table: Table, detector: str) -> LinearityParams:
    """Choose the MLINTAB row of a detector: the first that matches.

    Raises
    ------
    RowNotFound
        No row is for the detector.

    Notes
    -----
    Algorithm: HSTCAL ``acs2d/getlintab.c``.
    """
    for row in range(table.n_row):
        if table.text("DETECTOR", row) in (detector, "ANY"):
            return LinearityParams(
                global_limit=float(table["GLOBAL_LIMIT"][row]),
                local_limit=float(table["LOCAL_LIMIT"][row]),
                tau=float(table["TAU"][row]),
                expand=float(np.float32(table["EXPAND"][row])),
                row=RowText.of(table, row),
            )
    raise RowNotFound(
        f"MLINTAB {table.source}: no row for DETECTOR={detector!r} ({table.n_row} rows searched); use the table of this "
        "detector"
    )


UNDEFINED = 1.6e38
"""What an undefined number reads as (``tables/ctables.h``, INDEFR)."""


def _number(table: Table, column: str, row: int) -> float:
    """Cell as a number, whatever the column's type: text is read as far as it is one, undefined cells are huge."""
    cell = table[column][row]
    if isinstance(cell, (str, np.str_, bytes)):
        text = str(table.text(column, row)).strip()
        if text == "INDEF":
            return UNDEFINED
        match = re.match(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text)
        return float(match.group()) if match else 0.0
    value = float(cell)
    return UNDEFINED if math.isnan(value) else value


def crrej_row(table: Table, n_image: int, mean_time: float) -> int:
    """Choose the CRREJTAB row for a list of exposures.

    Parameters
    ----------
    table : Table
        CRREJTAB.
    n_image : int
        Number of exposures; more than the table knows count as its largest CRSPLIT.
    mean_time : float
        Mean exposure time (s).

    Returns
    -------
    int
        Index of the row with the smallest MEANEXP that is not below `mean_time`; of equal ones the last.

    Raises
    ------
    TableError
        The table has no rows.
    RowNotFound
        No row has that CRSPLIT and a sufficient MEANEXP.

    Notes
    -----
    Algorithm: HSTCAL ``pkg/acs/lib/acsrej/readpar.c``.  CCDCHIP is not looked at.
    """
    if table.n_row == 0:
        raise TableError(f"CRREJTAB {table.source}: the table has no rows; use another one")
    crsplit = [int(_number(table, "CRSPLIT", row)) for row in range(table.n_row)]
    mean_times = [np.float32(_number(table, "MEANEXP", row)) for row in range(table.n_row)]
    wanted = min(n_image, max(crsplit))
    excess = {
        row: np.float32(mean_times[row] - np.float32(mean_time)) for row in range(table.n_row) if crsplit[row] == wanted
    }
    excess = {row: value for row, value in excess.items() if value >= 0}
    if not excess:
        error = RowNotFound(
            f"CRREJTAB {table.source}: no row for CRSPLIT={wanted} MEANEXP>={mean_time:g} ({table.n_row} rows searched, for "
            f"{n_image} exposures); use another table or give all eight parameters with the call"
        )
        error.status = 144
        raise error
    smallest = min(excess.values())
    return max(row for row, value in excess.items() if value == smallest)


def crrej_value(table: Table, column: str, row: int) -> float | int | str:
    """Parameter of CRREJTAB: text for INITGUES, SKYSUB and CRSIGMAS, a whole number for BADINPDQ and CRMASK."""
    if column in ("INITGUES", "SKYSUB", "CRSIGMAS"):
        cell = table[column][row]
        text = table.text(column, row) if isinstance(cell, (str, np.str_)) else f"{float(cell):.7g}"
        return "" if text == "INDEF" else text  # an undefined cell
    value = _number(table, column, row)
    if column == "BADINPDQ":
        return (int(value) + 32768) % 65536 - 32768
    return int(value) if column == "CRMASK" else value
