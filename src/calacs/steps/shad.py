"""SHADCORR: correct for the travel time of the shutter.

Units   electron -> electron (shading image: s).
Refs    SHADFILE.
Kernel  csrc/shad.c; csrc/imarith.c: cal_imarith_divide.
Origin  HSTCAL acs2d/doshad.c, lib/unbinline.c, lib/interpinfo.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calacs import fits
from calacs._core import imarith
from calacs._core import shad as core
from calacs.detector import Alignment
from calacs.dq import DQ
from calacs.errors import SizeMismatch
from calacs.exposure import PLANES, ImSet
from calacs.parallel import run_parallel
from calacs.refs import Reference, Section, split_rows
from calacs.step import Job, Result, State, step


@dataclass(frozen=True, slots=True)
class Expansion:
    """A shading image that is binned differently from the science image, and is expanded.

    Attributes
    ----------
    planes : tuple of ndarray
        SCI, ERR, DQ of the rows that are needed, an even number of them.
    alignment : Alignment
        PARITY: the column offset counts expanded pixels although it is measured in binned ones, and the expansion starts
        with the first of a pair of binned rows.
    shape : tuple of int
        (n_row, n_col) of the science image.
    """

    planes: tuple[Any, Any, Any]
    alignment: Alignment
    shape: tuple[int, int]

    def parts(self) -> list[slice]:
        """Rows of the science image in portions that threads can share."""
        return split_rows(self.shape[0])

    def blocks(self, *planes: str, part: slice, own: bool = True) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """SCI, ERR and DQ under some rows of the science image, some at a time."""
        assert planes == PLANES
        for first in range(part.start, part.stop, fits.BLOCK_ROWS):
            last = min(first + fits.BLOCK_ROWS, part.stop)
            block = [np.empty((last - first, self.shape[1]), plane.dtype) for plane in self.planes]
            core.expand(*self.planes, self.alignment.ratio, first, self.alignment.x, *block)
            yield slice(first, last), block


def correct_shading(imset: ImSet, rows: slice, shading: Sequence[NDArray[Any]], rate: np.float32) -> None:
    """Divide some rows of an image by 1 + shading time / exposure time, in place.

    Parameters
    ----------
    imset : ImSet
        Image in electron.
    rows : slice
        Some of its rows.
    shading : sequence of ndarray
        SCI, ERR and DQ of the shading image under them, in s; changed.
    rate : numpy.float32
        1 / exposure time, in 1/s.
    """
    sci, err, dq = shading
    core.divisor(sci, err, rate)
    imarith.divide(imset.sci[rows], imset.err[rows], imset.dq[rows], sci, err, dq, DQ.CALIBRATION_DEFECT)


def _correct(imset: ImSet, found: Section | Expansion, rate: np.float32, part: slice) -> None:
    for rows, shading in found.blocks(*PLANES, part=part, own=True):
        correct_shading(imset, rows, shading, rate)


@step("SHADCORR", refs=("SHADFILE",))
def shad(job: Job, found: list[Section | Expansion]) -> Result:
    """Divide by 1 + shading time / exposure time."""
    if job.observation.exptime <= 0.0:
        job.warn("EXPTIME is 0: there is no shading to correct")
        return Result(state=State.IGNORED)
    calls = []
    times = []
    for imset, one in zip(job.exposure.imsets, found, strict=True):
        n_combine = max(imset.header["SCI"].get_int("NCOMBINE", 1), 1)
        times.append(np.float32(job.observation.exptime / n_combine))
        rate = np.float32(1.0 / float(times[-1]))
        calls += [partial(_correct, imset, one, rate, part) for part in one.parts()]
    run_parallel(calls, job.n_threads)
    return Result({"exposure_time": [float(time) for time in times]})


@shad.preflight
def find_shading(job: Job) -> list[Section | Expansion]:
    """Find each image set in the shading image."""
    if job.observation.exptime <= 0.0:
        return []
    return [_find(job.refs["SHADFILE"], imset) for imset in job.exposure]


def _find(reference: Reference, imset: ImSet) -> Section | Expansion:
    extver, alignment = reference.locate(imset)
    if alignment.ratio == (1, 1):
        return reference.section(imset)
    n_row, n_col = reference.image.plane("SCI", extver).shape
    rows, cols = imset.shape
    wide, high = alignment.ratio
    needed = 2 * -(-rows // (2 * high)) if high else 0
    if (
        not (wide and high and 0 <= alignment.x <= n_col * wide - cols and 0 <= alignment.y <= n_row - needed)
        or n_col < 2
    ):
        raise SizeMismatch(
            f"{reference}: {n_row} rows x {n_col} columns, expanded by {wide} x {high}, do not cover the {rows} x {cols} "
            f"pixels of the exposure at row {alignment.y}, column {alignment.x} with whole pairs of rows; use the file of this "
            "format"
        )
    part = slice(alignment.y, alignment.y + needed)
    sci, err, dq = (reference.image.plane(plane, extver).read(part) for plane in PLANES)
    return Expansion((sci, err, dq), alignment, imset.shape)
