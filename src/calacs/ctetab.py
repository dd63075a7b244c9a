"""PCTETAB: the charge-transfer model, read and checked as a whole.

Generation 3 (``CTE_NAME = 'Par/Serial PixelCTE 2023'``) holds five sets of four extensions: one for the parallel
direction, and one per amplifier for the serial direction.  Generation 2 (``'PixelCTE 2017'``) holds the parallel set
alone, with its parameters in the primary header.  Each set is

    QPROF      trap levels: packet size that fills a level (QLEV_Q), charge it captures (DPDE_W)
    SCLBYCOL   relative trap density of each column (IZ) at four nodes (SENS_0512 ... SENS_2048)
    RPROF      fraction of the captured charge released 1, 2, ... pixels later, by level
    CPROF      fraction still held 1, 2, ... pixels later, by level

Notes
-----
Format: HSTCAL ``ctegen2/ctehelpers.c``, and of generation 2 the same file at tag 2.7.4.  Tables are found by the number
of their extension, images by EXTNAME and EXTVER.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits
from calacs.errors import ColumnNotFound, InvalidValue, TableError, Unsupported
from calacs.header import Header

__all__ = ["GENERATIONS", "CteTable", "TrapSet", "read"]

GENERATIONS = MappingProxyType({"PixelCTE 2017": 2, "Par/Serial PixelCTE 2023": 3})
"""Supported values of CTE_NAME (HSTCAL ``pkg/acs/include/acs.h``)."""
N_LEVEL = 9999
"""Rows of QPROF."""
N_COLUMN = 8192
"""Rows of SCLBYCOL: the columns of the amplifiers C, D, A, B side by side."""
UNUSED_CHARGE = 999999.0
"""QLEV_Q of rows that only fill the table."""
LEVELS = ("W", "QLEV_Q", "DPDE_W")
NODES = ("SENS_0512", "SENS_1024", "SENS_1536", "SENS_2048")
COLUMNS = ("IZ", *NODES)
SERIAL_SETS = MappingProxyType({"A": 2, "B": 3, "C": 4, "D": 5})
"""Number of each amplifier's set in the file; the parallel set is number 1."""


@dataclass(frozen=True, slots=True, eq=False)
class TrapSet:
    """Traps of one readout direction.

    Attributes
    ----------
    where : str
        File and extension of QPROF, for messages.
    date0, date1 : float
        CTEDATE0 and CTEDATE1, MJD: no traps at the first, those of the table at the second.
    n_tail, n_iteration, n_transfer : int
        PCTETLEN, PCTENFOR and PCTENPAR.
    charge, capture : ndarray of float64, shape (n_level,)
        QLEV_Q and DPDE_W of the levels in use, in electron.
    index : ndarray of int32, shape (n_entry,)
        IZ of SCLBYCOL.
    nodes : ndarray of float64, shape (n_entry, 4)
        SENS_0512 to SENS_2048.
    release, held : ndarray of float32, shape (n_profile, n_level)
        RPROF and CPROF of the levels in use; row 0 is one transfer after the capture.
    """

    where: str
    date0: float
    date1: float
    n_tail: int
    n_iteration: int
    n_transfer: int
    charge: NDArray[np.float64]
    capture: NDArray[np.float64]
    index: NDArray[np.int32]
    nodes: NDArray[np.float64]
    release: NDArray[np.float32]
    held: NDArray[np.float32]

    @property
    def n_profile(self) -> int:
        """Longest trail that the profiles describe, in pixels."""
        return int(self.release.shape[0])

    def fraction(self, expstart: float) -> float:
        """Trap density at a date (MJD) relative to that of the table; neither limited to 0 nor to 1."""
        return (expstart - self.date0) / (self.date1 - self.date0)

    def n_uncovered(self, first: int, n_col: int) -> int:
        """How many of the columns `first` to `first` + `n_col` - 1 have no entry."""
        inside = self.index[(self.index >= first) & (self.index < first + n_col)]
        return n_col - int(np.unique(inside).size)


@dataclass(frozen=True, slots=True, eq=False)
class CteTable:
    """A whole PCTETAB.

    Attributes
    ----------
    source : str
        File, for messages.
    generation : int
        2 or 3.
    name, version : str
        CTE_NAME and CTE_VER.
    read_noise : float
        PCTERNOI, in electron; not used, the read noise of CCDTAB is.
    noise_model : int
        PCTENSMD.
    oversubtraction : float
        PCTETRSH, in electron.
    fix_cosmic_rays : bool
        FIXROCR.
    parallel : TrapSet
        Traps of the transfer along columns.
    serial : mapping of str to TrapSet
        Traps of the transfer along rows, by amplifier; empty in generation 2.
    """

    source: str
    generation: int
    name: str
    version: str
    read_noise: float
    noise_model: int
    oversubtraction: float
    fix_cosmic_rays: bool
    parallel: TrapSet
    serial: Mapping[str, TrapSet]


def read(source: Any) -> CteTable:
    """Read and check a PCTETAB.

    Parameters
    ----------
    source : path-like or HDUList
        The table; of files, the last one is kept, as long as it does not change.

    Raises
    ------
    Unsupported
        CTE_NAME is that of generation 1, or unknown.
    KeywordMissing, HeaderProblem, InvalidValue
        A keyword is absent, has the wrong type or a value outside its domain.
    ColumnNotFound, TableError
        A table lacks a column or has too few rows; a value is not finite; charge levels fall; a profile is too short.
    FileNotReadable
        An extension is missing, or the file is damaged.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).absolute()
        facts = path.stat() if path.is_file() else None
        if facts is not None:
            return _read_file(path, facts.st_mtime_ns, facts.st_size)
    return _read(source, "object in memory" if not isinstance(source, (str, os.PathLike)) else str(source))


@lru_cache(maxsize=1)
def _read_file(path: Path, mtime: int, size: int) -> CteTable:
    return _read(path, str(path))


def _read(source: Any, name: str) -> CteTable:
    images = fits.open_image(source) if isinstance(source, (str, os.PathLike)) else fits.from_hdulist(source, name)
    primary = images.primary
    primary.where = f"PCTETAB {name}"
    generation = _generation(primary)
    numbers = range(1, 2) if generation == 2 else range(1, 6)
    tables = fits.read_tables(source, [4 * number - part for number in numbers for part in (3, 2)], (*LEVELS, *COLUMNS))
    sets = [_trap_set(primary, tables[2 * n - 2], tables[2 * n - 1], images, n, generation) for n in numbers]
    return CteTable(
        source=name,
        generation=generation,
        name=primary.get_str("CTE_NAME"),
        version=primary.get_str("CTE_VER"),
        read_noise=primary.get_float("PCTERNOI"),
        noise_model=primary.get_int("PCTENSMD"),
        oversubtraction=primary.get_float("PCTETRSH"),
        fix_cosmic_rays=zero_or_one(primary, "FIXROCR"),
        parallel=sets[0],
        serial=MappingProxyType({amp: sets[n - 1] for amp, n in SERIAL_SETS.items()} if generation == 3 else {}),
    )


def _generation(primary: Header) -> int:
    name = primary.get_str("CTE_NAME", "")
    if name in GENERATIONS:
        return GENERATIONS[name]
    known = " or ".join(f"{text!r} (generation {number})" for text, number in GENERATIONS.items())
    what = f"CTE_NAME = {name!r}" if name else "no CTE_NAME"
    generation = "it is of generation 1" if name in ("", "PixelCTE 2012") else "its generation is unknown"
    raise Unsupported(f"{primary.where}: the primary header has {what}: {generation}; use a table with {known}")


def zero_or_one(header: Header, keyword: str) -> bool:
    """Read a keyword that must be 0 or 1.

    Raises
    ------
    InvalidValue
        It is another number.
    """
    value = header.get_int(keyword)
    if value not in (0, 1):
        raise InvalidValue(f"{header.where}: {keyword} = {value} is invalid; it must be 0 or 1")
    return value == 1


def _trap_set(
    primary: Header, levels: fits.Table, columns: fits.Table, images: fits.ImageFile, number: int, generation: int
) -> TrapSet:
    places = [f"{primary.where}[{name},{number}]" for name in ("QPROF", "SCLBYCOL", "RPROF", "CPROF")]
    levels.header.where = places[0]
    keywords = primary if generation == 2 else levels.header
    date0, date1 = keywords.get_float("CTEDATE0"), keywords.get_float("CTEDATE1")
    if date0 == date1:
        raise InvalidValue(
            f"{keywords.where}: CTEDATE0 and CTEDATE1 are both {date0:.10g}; the traps grow between them, give two dates"
        )
    n_tail, n_transfer = (_positive(keywords, keyword) for keyword in ("PCTETLEN", "PCTENPAR"))
    charge, capture = _levels(places[0], levels)
    index, nodes = _columns(places[1], columns)
    release, held = (
        _profile(place, images.plane(name, number), charge.size, n_tail)
        for place, name in zip(places[2:], ("RPROF", "CPROF"), strict=True)
    )
    if release.shape != held.shape:
        raise TableError(f"{places[2]}: {len(release)} tail pixels, CPROF has {len(held)}; they must agree")
    arrays = (charge, capture, index, nodes, release, held)
    for array in arrays:
        array.flags.writeable = False
    return TrapSet(places[0], date0, date1, n_tail, keywords.get_int("PCTENFOR"), n_transfer, *arrays)


def _positive(header: Header, keyword: str) -> int:
    value = header.get_int(keyword)
    if value < 1:
        raise InvalidValue(f"{header.where}: {keyword} = {value} is invalid; it must be 1 or more")
    return value


def _need(where: str, table: fits.Table, names: tuple[str, ...], n_row: int) -> None:
    missing = table.missing(names)
    if missing:
        raise ColumnNotFound(f"{where}: lacks the columns {', '.join(missing)}; is this a PCTETAB?")
    if table.n_row < n_row:
        raise TableError(
            f"{where}: {table.n_row} rows, a PCTETAB has {n_row}; complete the table"
            + (f" with rows of QLEV_Q = {UNUSED_CHARGE:.0f}" if n_row == N_LEVEL else "")
        )


def _numbers(where: str, table: fits.Table, column: str, n_row: int) -> NDArray[np.float64]:
    stored = table[column]
    if stored.dtype.kind not in "iuf" or stored.ndim != 1:
        raise TableError(f"{where}: column {column} is {stored.dtype}; it must hold one number a row")
    values = stored[:n_row].astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        row = int(wrong[0])
        raise TableError(f"{where}: column {column} row {row + 1} is {values[row]}; correct the table")
    return values


def _levels(where: str, table: fits.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """QLEV_Q and DPDE_W of the levels in use."""
    _need(where, table, LEVELS, N_LEVEL)
    charge, capture = (_numbers(where, table, column, N_LEVEL) for column in LEVELS[1:])
    falls = np.flatnonzero(np.diff(charge) < 0)
    if falls.size:
        row = int(falls[0]) + 1
        raise TableError(
            f"{where}: column QLEV_Q falls from {charge[row - 1]:g} to {charge[row]:g} in row {row + 1}; sort the levels "
            f"by charge, rows of {UNUSED_CHARGE:.0f} at the end"
        )
    n_level = int(np.count_nonzero(charge < UNUSED_CHARGE))
    if n_level == 0:
        raise TableError(f"{where}: no QLEV_Q below {UNUSED_CHARGE:.0f}; a table without traps corrects nothing")
    return charge[:n_level].copy(), capture[:n_level].copy()


def _columns(where: str, table: fits.Table) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """IZ and the sensitivities."""
    _need(where, table, COLUMNS, N_COLUMN)
    index = _numbers(where, table, "IZ", N_COLUMN)
    wrong = np.flatnonzero(np.abs(index) >= 2.0**31)
    if wrong.size:
        row = int(wrong[0])
        raise TableError(f"{where}: column IZ row {row + 1} is {index[row]:g}; column numbers are 0 to {N_COLUMN}")
    nodes = np.stack([_numbers(where, table, column, N_COLUMN) for column in NODES], axis=1)
    return index.astype(np.int32), np.ascontiguousarray(nodes)


def _profile(place: str, plane: fits.Plane, n_level: int, n_tail: int) -> NDArray[np.float32]:
    """RPROF or CPROF, of the levels in use."""
    if plane.shape[1] < n_level:
        raise TableError(
            f"{place}: NAXIS1 = {plane.shape[1]}, but QPROF has {n_level} levels in use; complete the image"
        )
    if plane.shape[0] < n_tail:
        raise TableError(
            f"{place}: NAXIS2 = {plane.shape[0]} is less than PCTETLEN = {n_tail}; the profile must be as long as the trail"
        )
    profile: NDArray[np.float32] = plane.read(cols=slice(0, n_level))
    if not np.isfinite(profile).all():
        tail, level = (int(i) for i in np.argwhere(~np.isfinite(profile))[0])
        raise TableError(
            f"{place}: level {level + 1}, tail pixel {tail + 1} is {profile[tail, level]}; correct the image"
        )
    return profile
