"""Coronagraphic spots: the HRC's occulting spots wander, so that their flat field is shifted to the date (part of FLATCORR).

Units   none.
Refs    CFLTFILE (spots), SPOTTAB (where they were when).
Kernel  csrc/spot.c.
Origin  HSTCAL acs2d/dospot.c, getspottab.c, lib/parsedate.c.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calacs._core import spot as core
from calacs.errors import HeaderProblem, SizeMismatch, TableError
from calacs.fits import Table
from calacs.refs import Section
from calacs.step import Job

DAY = 86400


@dataclass(frozen=True, slots=True)
class Spots:
    """The image of the spots and its shift.

    Attributes
    ----------
    image : ndarray of float32, shape (n_row, n_col)
        Full frame.
    shift : tuple of float
        Shift along x and y in pixels; positive moves spots to higher columns and rows.
    """

    image: NDArray[np.float32] = field(repr=False)
    shift: tuple[float, float]

    def under(
        self, section: Section, rows: slice
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]:
        """SCI, ERR and DQ of the shifted spots under the rows of a science image, placed like a section of a flat."""
        y, x, n_col = section.alignment.y, section.alignment.x, section.shape[1]
        sci, err = shift_spots(self.image, self.shift, rows.start + y, rows.stop + y)
        sci, err = (np.ascontiguousarray(plane[:, x : x + n_col]) for plane in (sci, err))
        return sci, err, np.zeros(sci.shape, np.int16)


def shift_spots(
    image: NDArray[np.float32], shift: tuple[float, float], first: int, last: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows first..last-1 of a shifted image.

    Parameters
    ----------
    image : ndarray of float32, shape (n_row, n_col)
        The image.
    shift : tuple of float
        Shift along x and y in pixels.
    first, last : int
        Rows to compute, half-open.

    Returns
    -------
    sci, err : ndarray of float32, shape (last - first, n_col)
        Bilinear interpolation, 1 outside the image; its square root.
    """
    sci, err = (np.empty((last - first, image.shape[1]), np.float32) for _ in range(2))
    core.shift(image, *shift, first, sci, err)
    return sci, err


def choose_shift(table: Table, date_obs: str) -> tuple[int, tuple[float, float]]:
    """Row of SPOTTAB that is nearest in time to an observation, counted from 0, and its shift along x and y.

    Parameters
    ----------
    table : Table
        SPOTTAB.
    date_obs : str
        ``yyyy-mm-dd``.

    Raises
    ------
    HeaderProblem
        The date of the observation cannot be read.
    TableError
        The table is empty, or one of its dates cannot be read.
    """
    try:
        year, month, day = _numbers(date_obs)
    except ValueError:
        raise HeaderProblem(f"DATE-OBS = {date_obs!r} must read yyyy-mm-dd; coronagraphic spots need it") from None
    observed = _seconds(year, month, day)
    if table.n_row == 0:
        raise TableError(f"SPOTTAB {table.source}: the table is empty; use one with the date of the observation")
    distances = []
    for row in range(table.n_row):
        text = table.text("DATE", row)
        try:
            day, month, year = _numbers(text)
        except ValueError:
            raise TableError(f"SPOTTAB {table.source}: row {row + 1}: DATE {text!r} must read dd/mm/yy") from None
        distances.append(_distance(observed - _seconds(year + 2000, month, day) - DAY // 2))
    row = distances.index(min(distances))
    return row, (float(np.float32(table["SHIFTX"][row])), float(np.float32(table["SHIFTY"][row])))


def _numbers(date: str) -> tuple[int, int, int]:
    first, second, third = [piece for piece in re.split("[ /-]", date) if piece][:3]
    return _leading_integer(first), _leading_integer(second), _leading_integer(third)


def _leading_integer(text: str) -> int:
    match = re.match(r"[+-]?\d+", text)
    return int(match.group()) if match else 0


def _seconds(year: int, month: int, day: int) -> int:
    """Seconds since 1970 of a date.

    PARITY: the month goes uncorrected into a count from 0, so that every date is a month late and the days that the next
    month lacks run over.
    """
    years, months = divmod(month, 12)
    # The Gregorian calendar repeats after 400 years, and datetime ends in the year 9999.
    cycles, year = divmod(year + years, 400)
    days = datetime.date(year + 400, months + 1, 1).toordinal() + (cycles - 1) * 146097 + day - 1
    return (days - datetime.date(1970, 1, 1).toordinal()) * DAY


def _distance(seconds: int) -> int:
    """Absolute value; PARITY: of a 32-bit integer, which overflows after 68 years."""
    wrapped = (seconds + 2**31) % 2**32 - 2**31
    return wrapped if wrapped == -(2**31) else abs(wrapped)


def find_spots(job: Job, sections: list[Section]) -> Spots | None:
    """Spots to apply to the flat fields, or None where the image or the table is not given or a dummy.

    Raises
    ------
    SizeMismatch
        The image of the spots does not cover what is taken of the flat fields.
    """
    reference, positions = job.refs["CFLTFILE"], job.refs["SPOTTAB"]
    if not (reference.given and positions.given) or reference.dummy or positions.dummy:
        return None
    planes = [reference.image.plane(plane, 1) for plane in ("SCI", "ERR", "DQ")]
    n_row, n_col = planes[0].shape
    for section in sections:
        alignment, shape = section.alignment, section.shape
        fits_width = n_col == shape[1] if alignment.same else alignment.x + shape[1] * alignment.ratio[0] <= n_col
        if not fits_width or alignment.y + shape[0] > n_row:
            raise SizeMismatch(
                f"{reference}: {n_row} rows x {n_col} columns do not cover the {shape[0]} x {shape[1]} pixels of the exposure; "
                "use a full frame of the size of the flat field"
            )
    row, shift = choose_shift(positions.table, job.exposure.primary.get_str("DATE-OBS", ""))
    positions.note(f"row {row + 1}")
    return Spots(planes[0].read(), shift)
