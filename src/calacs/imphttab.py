"""IMPHTTAB: photometric zero points by observing mode, interpolated in the mode's parameters.

One extension per quantity (PHOTFLAM, PHOTPLAM, PHOTBW), one row per observing mode.  A row holds a number, or a grid of
numbers over one or more parameters: the date (``MJD#``), the central wavelength of a ramp filter (``FR656N#``).

Notes
-----
Layout and algorithms: HSTCAL ``lib/getphttab.c``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits
from calacs.errors import FileNotReadable, KeywordMissing, RowNotFound, TableError
from calacs.refs import Reference

NOT_EXTRAPOLATED = -9999.0
"""Result where a parameter is outside the grid."""
QUANTITIES = ("PHOTFLAM", "PHOTPLAM", "PHOTBW", "PHTFLAM1", "PHTFLAM2")


@dataclass(frozen=True, slots=True)
class ObsMode:
    """An observing mode.

    Attributes
    ----------
    key : str
        Terms in lower case, separated by commas, parameters without their values: ``acs,wfc1,f814w,mjd#``.
    parameters : tuple of (str, float)
        Name, with ``#``, and value of each parameter.
    """

    key: str
    parameters: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, photmode: str) -> ObsMode:
        """Parse the text of a PHOTMODE keyword: ``ACS WFC1 F814W MJD#57785.4000``."""
        terms = re.findall("[^ ,]+", photmode.lower())
        parameters = []
        for i, term in enumerate(terms):
            name, sign, value = term.partition("#")
            if sign:
                terms[i] = name + sign
                number = re.match(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", value)
                parameters.append((name + sign, float(number.group()) if number else 0.0))
        return cls(",".join(terms), tuple(parameters))

    def matches(self, row: str) -> bool:
        """Whether a row's OBSMODE is meant.

        PARITY: terms are looked for anywhere in the text, and only the lengths must agree besides.
        """
        return len(row) == len(self.key) and all(term in self.key for term in row.lower().split(",") if term)

    def value(self, name: str) -> float:
        """Value of the first parameter that begins with a name; 0 where there is none."""
        return next((value for own, value in self.parameters if name and own.startswith(name.lower())), 0.0)


@dataclass(frozen=True, slots=True)
class Photometry:
    """Zero points of an observing mode.

    Attributes
    ----------
    zero_point : float
        PHOTZPT: ST magnitude zero point.
    values : dict of str to float
        PHOTFLAM (erg / cm^2 / Angstrom / electron), PHOTPLAM and PHOTBW (Angstrom); `NOT_EXTRAPOLATED` outside the grid.
    rows : tuple of int
        Row used in each extension, from 1.
    notes : tuple of str
        What is doubtful.
    """

    zero_point: float
    values: dict[str, float]
    rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = field(default=())


def look_up(reference: Reference, mode: ObsMode) -> Photometry:
    """Find the zero points of an observing mode.

    Raises
    ------
    KeywordMissing
        The primary header lacks PARNUM, PHOTZPT or NEXTEND.
    FileNotReadable
        An extension is missing.
    ColumnNotFound
        An extension lacks a column.
    RowNotFound
        No row matches.
    TableError
        The row's grid is incomplete.
    """
    primary = reference.table.primary
    for keyword in ("PARNUM", "PHOTZPT", "NEXTEND"):
        if keyword not in primary:
            raise KeywordMissing(f"{reference}: the primary header lacks {keyword}; use a complete table")
    n_parameter, n_extension = primary.get_int("PARNUM"), primary.get_int("NEXTEND")
    if not 0 <= n_extension <= len(QUANTITIES):
        raise TableError(f"{reference}: NEXTEND = {n_extension} must be at most {len(QUANTITIES)}")
    extrapolate = primary.get_bool("EXTRAP", False)
    values = dict.fromkeys(QUANTITIES[:3], 0.0)
    rows, notes = [], []
    for quantity, table in _extensions(reference, QUANTITIES[:n_extension]).items():
        for column in ("OBSMODE", "DATACOL", *(f"{quantity}{i}" for i in range(1, n_parameter + 1))):
            table[column]
        number = _find_row(reference, table, quantity, mode)
        if "PEDIGREE" in table and table.text("PEDIGREE", number).startswith("DUMMY"):
            notes.append(
                f"row {number + 1} of [{quantity}] in IMPHTTAB {reference.name} is a dummy; its values are used"
            )
        row = Row.of(table, number, quantity)
        rows.append(number + 1)
        try:
            values[quantity] = row.evaluate(mode, extrapolate=extrapolate)
        except IndexError:
            # PARITY: values that are not needed may be missing.
            raise TableError(
                f"{reference}[{quantity}]: row {number + 1} has {len(row.results)} values, its grid more; the table is damaged"
            ) from None
    return Photometry(primary.get_float("PHOTZPT"), values, tuple(rows), tuple(notes))


def _extensions(reference: Reference, quantities: tuple[str, ...]) -> dict[str, fits.Table]:
    try:
        return dict(zip(quantities, reference.tables(*quantities), strict=True))
    except TableError as error:
        raise FileNotReadable(f"{reference}: {error}") from error


def _find_row(reference: Reference, table: fits.Table, quantity: str, mode: ObsMode) -> int:
    for number in range(table.n_row):
        if mode.matches(table.text("OBSMODE", number)):
            return number
    raise RowNotFound(
        f"{reference}[{quantity}]: no row for OBSMODE {mode.key!r} ({table.n_row} rows searched); is this mode supported by "
        "the table?"
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one extension.

    Attributes
    ----------
    names : tuple of str
        Parameters of the grid, the fastest-varying first.
    axes : tuple of ndarray
        Values of each parameter, ascending.
    results : ndarray
        Values on the grid; one number where there is no parameter.
    """

    names: tuple[str, ...]
    axes: tuple[NDArray[np.float64], ...]
    results: NDArray[np.float64]

    @classmethod
    def of(cls, table: fits.Table, number: int, quantity: str) -> Row:
        """Read a row; DATACOL tells how many parameters it has."""
        match = re.match(r"\d+", table.text("DATACOL", number)[len(quantity) :])
        n_parameter = int(match.group()) if match else 0
        if n_parameter == 0:
            return cls((), (), np.array([float(table[quantity][number])]))
        names, axes = [], []
        for i in range(1, n_parameter + 1):
            names.append(table.text(f"PAR{i}NAMES", number))
            n = int(table[f"NELEM{i}"][number])
            if n < 2:
                raise TableError(f"{table.source}[{quantity}]: row {number + 1}: NELEM{i} = {n} must be at least 2")
            axes.append(_first(table, f"PAR{i}VALUES", number, n))
        results = np.atleast_1d(np.asarray(table.cell(f"{quantity}{n_parameter}", number), np.float64))
        return cls(tuple(names), tuple(axes), results)

    def evaluate(self, mode: ObsMode, *, extrapolate: bool) -> float:
        """Interpolate in all parameters.

        Parameters
        ----------
        mode : ObsMode
            Gives their values.
        extrapolate : bool
            Continue the last straight line beyond the grid, where allowed.

        Returns
        -------
        float
            `NOT_EXTRAPOLATED` outside the grid.  PARITY: 0 where a parameter is missing or 0.
        """
        at = []
        for i, (name, axis) in enumerate(zip(self.names, self.axes, strict=True)):
            value = mode.value(name)
            if value == 0.0:
                return 0.0
            # PARITY: the parameter of the exposure in the same place must be the date, whatever this one is.
            may = extrapolate and i < len(mode.parameters) and mode.parameters[i][0] == "mjd#"
            if (value < axis[0] or value > axis[-1]) and not may:
                return NOT_EXTRAPOLATED
            at.append(value)
        return _interpolate(self.axes, self.results, at) if at else float(self.results[0])


def _first(table: fits.Table, column: str, number: int, n: int) -> NDArray[np.float64]:
    cell = np.atleast_1d(np.asarray(table.cell(column, number), np.float64))
    if len(cell) < n:
        raise TableError(
            f"{table.source}: row {number + 1}: the column {column} has {len(cell)} values, NELEM1.. promise {n}; the table is "
            "damaged"
        )
    return cell[:n]


def _lower(axis: Sequence[float] | NDArray[np.float64], value: float) -> int:
    """Index of the lower end of the interval that holds a value; that of the first or last one outside."""
    above = next((i for i, one in enumerate(axis) if one > value), len(axis))
    return min(max(above - 1, 0), len(axis) - 2)


def _line(x0: float, x1: float, y0: float, y1: float, x: float) -> float | None:
    """Straight line through two points; None where they are above each other."""
    if x1 - x0 == 0.0:
        return None
    y = y0 + (x - x0) * (y1 - y0) / (x1 - x0)
    # PARITY: this result stands for a failure.
    return None if y == -99.0 else y


def _place(axis: NDArray[np.float64], value: float) -> int | None:
    """Interval of an axis, found in two stages like officially: a fractional index, and the integer below it."""
    if value < axis[0]:
        return 0
    if value > axis[-1]:
        return len(axis) - 2
    i = _lower(axis, value)
    index = _line(float(axis[i]), float(axis[i + 1]), float(i), float(i + 1), value)
    return None if index is None else _lower(range(len(axis)), math.floor(index))


def _interpolate(axes: Sequence[NDArray[np.float64]], results: NDArray[np.float64], at: Sequence[float]) -> float:
    """Multilinear interpolation, the first axis first; 0 where an axis has equal neighbors."""
    lows: list[Any] = [_place(axis, value) for axis, value in zip(axes, at, strict=True)]
    if None in lows:
        return 0.0
    strides = [math.prod(len(axis) for axis in axes[:i]) for i in range(len(axes))]
    values: list[float] = []
    for corner in range(2 ** len(axes)):
        index = sum(
            (low + (corner >> i & 1)) * stride for i, (low, stride) in enumerate(zip(lows, strides, strict=True))
        )
        values.append(float(results[index]))
    for axis, low, value in zip(axes, lows, at, strict=True):
        ends = float(axis[low]), float(axis[low + 1])
        pairs = [_line(*ends, values[i], values[i + 1], value) for i in range(0, len(values), 2)]
        if None in pairs:
            return 0.0
        values = [pair for pair in pairs if pair is not None]
    return values[0]
